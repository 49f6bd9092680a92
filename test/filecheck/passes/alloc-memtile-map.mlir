// Requests that cannot be met end with the memory map: what has to be there at the same time,
// where it is, and what found no room.  The machine has memtiles of 2 KB.

// `strict`: the convolution needs its input (512 bytes in each memtile), its output (2 KB) and
// its weights at once.
// RUN: not bsc-opt --split-width --alloc-memtile=strict=true --split-input-file %s 2>&1 | filecheck %s
// CHECK:      error: alloc-memtile: conv1: needs 2816 bytes of each memtile at once
// CHECK-SAME: it has 2048
// CHECK-NEXT: {{^  0x00000-0x00800 +2048 bytes  conv1$}}
// CHECK-NEXT: {{^  no room +512 bytes  part of %x for conv1$}}
// CHECK-NEXT: {{^  no room +256 bytes  weights of conv1$}}

// A place given by hand is kept: in the middle of a memtile, it leaves 512 bytes on either
// side, where the input wants 1024 in a row.
// RUN: sed '1,/^[/][/] -----$/d' %s | not bsc-opt --split-width --alloc-memtile 2>&1 \
// RUN:   | filecheck %s --check-prefix=HOLE
// HOLE:      error: alloc-memtile: part of %x for %y: no hole of 1024 bytes in 2048 bytes of each memtile
// HOLE-NEXT: {{^  0x00200-0x00600 +1024 bytes  %y$}}
// HOLE-NEXT: {{^  no room +1024 bytes  part of %x for %y$}}

builtin.module attributes {bsc.arch = #dataflow.arch<"tiny", "paper-2x2", {memtile_bytes = 2048}>} {
  bsw.weight @w : !bsw.weight<32x1x1x8, pos 7> {data = #bsw.payload<splat 3, size 256>}
  func.func @main(%x : tensor<1x8x16x8xi8, #qnn.pos<5>>) -> tensor<1x8x16x32xi8, #qnn.pos<4>> {
    %w = bsw.get @w : !bsw.weight<32x1x1x8, pos 7>
    %y = qnn.conv2d %x, %w
       : tensor<1x8x16x8xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x8, pos 7>
      -> tensor<1x8x16x32xi8, #qnn.pos<4>> loc("conv1")
    func.return %y : tensor<1x8x16x32xi8, #qnn.pos<4>>
  }
}

// -----
builtin.module attributes {bsc.arch = #dataflow.arch<"tiny", "paper-2x2", {memtile_bytes = 2048}>} {
  func.func @main(%x : tensor<1x16x16x8xi8, #qnn.pos<5>>) -> tensor<1x16x16x8xi8, #qnn.pos<4>> {
    %y = qnn.requantize %x {dataflow.place = #dataflow.place<memtile 0x200, w [0, 8, 16]>}
       : (tensor<1x16x16x8xi8, #qnn.pos<5>>) -> tensor<1x16x16x8xi8, #qnn.pos<4>>
    func.return %y : tensor<1x16x16x8xi8, #qnn.pos<4>>
  }
}
