// RUN: not bsc-opt --detect-block-sparsity --balance-rows %s 2>&1 \
// RUN:   | filecheck %s --check-prefix=ROWS
// RUN: not bsc-opt --split-cout --balance-rows %s 2>&1 | filecheck %s --check-prefix=MASK
// RUN: not bsc-opt --split-cout --detect-block-sparsity --balance-rows=2 %s 2>&1 \
// RUN:   | filecheck %s --check-prefix=OPTION

// Nothing can be balanced before it is shared,
// ROWS: error: balance-rows: %y: is not shared over the rows: run --split-cout first

// and nobody knows what there is to share before the blocks are found.
// MASK: error: balance-rows: %y: has no mask: run --detect-block-sparsity first

// OPTION: error: balance-rows takes no options, not '2'

bsw.weight @w : !bsw.weight<32x1x1x8, pos 7> {data = #bsw.payload<splat 3, size 256>}

func.func @main(%x : tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x32xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<32x1x1x8, pos 7>
  %y = qnn.conv2d %x, %w
     : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x8, pos 7>
    -> tensor<1x8x8x32xi8, #qnn.pos<4>>
  func.return %y : tensor<1x8x8x32xi8, #qnn.pos<4>>
}
