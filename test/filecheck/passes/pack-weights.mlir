// RUN: bsc-opt --detect-block-sparsity --split-width --split-cout --select-subvolume --pack-weights %s | filecheck %s

// The weight has 2 x 2 blocks, of which Γ stores the first and the last.  The first two rows
// of cores compute eight output channels each, and need one block each.  What they load is one
// run of 100 bytes: Γ (4), the bias of eight channels (32; zeros, as the model has none), and
// the block (64).  It begins at 0 of the blob for the first memtile and at 100 for the second;
// the other two have nothing.

// CHECK:      bsw.blob @weights {data = #bsw.payload<base64
// CHECK:      qnn.conv2d %x, %w
// CHECK-SAME:   packed = array<i64: 0, 100, 200, 200>

// With two rows of cores and four memtiles each row has two links, which carry a part each:
// 52 bytes and 48, as a transfer is a whole number of words.  With two columns a memtile
// serves two rows.
// RUN: bsc-opt --set-arch=paper-2x4 --detect-block-sparsity --split-width --split-cout --select-subvolume --pack-weights %s \
// RUN:   | filecheck %s --check-prefix=WIDE
// RUN: bsc-opt --set-arch=paper-4x2 --detect-block-sparsity --split-width --split-cout --select-subvolume --pack-weights %s \
// RUN:   | filecheck %s --check-prefix=TALL
// WIDE: packed = array<i64: 0, 52, 104, 152>
// TALL: packed = array<i64: 0, 100>

// Cut by CIN there are two operations, with runs of their own: for the first row of cores the
// block is in the first one; the second one has just mask and bias (36 bytes), as zero blocks
// are not stored.
// RUN: bsc-opt --detect-block-sparsity --split-width --split-cout --split-cin=factor=2 --select-subvolume --pack-weights %s \
// RUN:   | filecheck %s --check-prefix=HALVES
// HALVES: packed = array<i64: 0, 100, 136, 136>
// HALVES: packed = array<i64: 136, 172, 272, 272>

// Cut by H there are two operations that use the same weight in the same subvolumes: they load
// the same bytes.
// RUN: bsc-opt --detect-block-sparsity --split-width --split-cout --split-height=factor=2 --select-subvolume --pack-weights %s \
// RUN:   | filecheck %s --check-prefix=SHARED
// SHARED: packed = array<i64: 0, 100, 200, 200>
// SHARED: packed = array<i64: 0, 100, 200, 200>

bsw.weight @w : !bsw.weight<16x1x1x16, pos 7> {
  data = #bsw.payload<base64 "AAUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==">}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<16x1x1x16, pos 7>
  %y = qnn.conv2d %x, %w
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<4>>
}
