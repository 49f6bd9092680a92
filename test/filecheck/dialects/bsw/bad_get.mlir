// RUN: bsc-opt --split-width --split-input-file --verify-diagnostics %s | filecheck %s

// A weight is a symbol of the module; a pass that looks it up says what it finds instead.

// CHECK: %w: @f is not a bsw.weight
func.func @f() {
  func.return
}
func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
  %w = bsw.get @f : !bsw.weight<8x1x1x8, pos 7>
  %y = qnn.conv2d %x, %w
     : tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>
    -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<4>>
}

// -----
// CHECK: %w: @nothing is not a bsw.weight
func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
  %w = bsw.get @nothing : !bsw.weight<8x1x1x8, pos 7>
  %y = qnn.conv2d %x, %w
     : tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>
    -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<4>>
}

// -----
// CHECK: %w: a weight comes from bsw.get or bsw.slice
func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>, %w : !bsw.weight<8x1x1x8, pos 7>)
    -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
  %y = qnn.conv2d %x, %w
     : tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>
    -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<4>>
}

// -----
// CHECK: %w: @w has type !bsw.weight<8x1x1x8, pos 6>, not !bsw.weight<8x1x1x8, pos 7>
bsw.weight @w : !bsw.weight<8x1x1x8, pos 6> {data = #bsw.payload<splat 3, size 64>}
func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<8x1x1x8, pos 7>
  %y = qnn.conv2d %x, %w
     : tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>
    -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<4>>
}
