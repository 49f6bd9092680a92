// RUN: bsc-opt --split-window=100 --validate-values %s | filecheck %s
// RUN: bsc-opt --split-window=2 --split-window=2 --split-cin=2 --split-width=2 --split-cout=2 \
// RUN:   --validate-values %s | filecheck %s --check-prefix=NESTED
// RUN: not bsc-opt --split-window=factor=0 %s 2>&1 | filecheck %s --check-prefix=ZERO

// A piece is one row of the window at least, and where that is all, one column.
// CHECK-COUNT-3: qnn.conv2d {{.*}} !bsw.weight<16x1x2x16
// CHECK-COUNT-5: qnn.max_pool {{.*}} {kernel = array<i64: 1, 1>

// Splits nest: a piece of the window is cut again, by CIN too, and each link of the chain by W
// and by COUT.
// NESTED: bsw.slice %{{[0-9]+}} cout [0, 16] cin [0, 16] kh [0, 1] kw [0, 2]
// NESTED: partial

// ZERO: bsc-opt: error: split-window: factor must be a whole number of at least 1, not 0

bsw.weight @w : !bsw.weight<16x3x2x16, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 1536>, bias = #bsw.payload<splat 1, size 64>}

func.func @main(%x : tensor<1x7x8x16xi8, #qnn.pos<5>>) -> tensor<1x5x3x16xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<16x3x2x16, pos 7, bias 12>
  %y = qnn.conv2d %x, %w
     : tensor<1x7x8x16xi8, #qnn.pos<5>>, !bsw.weight<16x3x2x16, pos 7, bias 12>
    -> tensor<1x5x7x16xi8, #qnn.pos<4>>
  %m = qnn.max_pool %y {kernel = array<i64: 1, 5>}
     : (tensor<1x5x7x16xi8, #qnn.pos<4>>) -> tensor<1x5x3x16xi8, #qnn.pos<4>>
  func.return %m : tensor<1x5x3x16xi8, #qnn.pos<4>>
}
