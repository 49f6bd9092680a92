// RUN: bsc-opt --split-width --split-cout --select-subvolume --split-to-fit=capacity=8192 \
// RUN:   --validate-values %s | filecheck %s
// RUN: bsc-opt --split-width --split-cout --select-subvolume --split-to-fit %s \
// RUN:   | filecheck %s --check-prefix=FITS
// RUN: bsc-opt --split-width --split-cout --split-to-fit=capacity=6144 --validate-values %s \
// RUN:   | filecheck %s --check-prefix=LESS

// %y needs 2 KB of each memtile for its input (four pixels of each row), as much for its output,
// and 9.3 KB for the weights of a row of cores: 13.4 KB.  Half of the rows would need 11.5 KB, half
// of the output channels 7.8 KB.  The pieces share rows and columns of cores again, and have
// subvolumes of their own.
// CHECK:      %[[W0:.*]] = bsw.slice %w cout [0, 32] cin [0, 64]
// CHECK-NEXT: qnn.conv2d %x, %[[W0]] {
// CHECK-SAME:   columns = #dataflow.spread<w [0, 4, 8, 12, 16]>
// CHECK-SAME:   rows = #dataflow.spread<c [0, 8, 16, 24, 32]>
// CHECK-SAME:   subvolume = #dataflow.subvolume<rows {{[0-9]+}}, width 4, cout 8,
// CHECK-SAME: -> tensor<1x8x16x32xi8, #qnn.pos<4>>
// CHECK:      %[[W1:.*]] = bsw.slice %w cout [32, 64] cin [0, 64]
// CHECK-NEXT: qnn.conv2d %x, %[[W1]]
// CHECK-NOT:  qnn.conv2d

// What fits is left alone.
// FITS:     qnn.conv2d %x, %w
// FITS-NOT: qnn.conv2d

// In 6 KB not even half of the output channels have room with all rows.  As there was no
// subvolume, the pieces have none.
// LESS-COUNT-8: qnn.conv2d
// LESS-NOT:     {{qnn.conv2d|subvolume}}

bsw.weight @w : !bsw.weight<64x3x3x64, pos 7> {data = #bsw.payload<splat 3, size 36864>}

func.func @main(%x : tensor<1x8x16x64xi8, #qnn.pos<5>>) -> tensor<1x8x16x64xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<64x3x3x64, pos 7>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x8x16x64xi8, #qnn.pos<5>>, !bsw.weight<64x3x3x64, pos 7>
    -> tensor<1x8x16x64xi8, #qnn.pos<4>>
  func.return %y : tensor<1x8x16x64xi8, #qnn.pos<4>>
}
