// RUN: not bsc-opt --pack-weights %s 2>&1 | filecheck %s --check-prefix=SUBVOLUME
// RUN: not bsc-opt --split-width --split-cout --select-subvolume --pack-weights %s 2>&1 | filecheck %s --check-prefix=MASK

// Weights are laid out by subvolume, without the blocks that the mask leaves out.
// SUBVOLUME: error: pack-weights: %y: has no subvolume: run --select-subvolume first
// MASK: error: pack-weights: %y: has no mask: run --detect-block-sparsity first

bsw.weight @w : !bsw.weight<8x1x1x8, pos 7> {data = #bsw.payload<splat 3, size 64>}

func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<8x1x1x8, pos 7>
  %y = qnn.conv2d %x, %w
     : tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>
    -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<4>>
}
