// Validation by value: the same results before and after each pass.

// RUN: bsc-opt --validate-values --cse %s --time-passes -o /dev/null 2>&1 | filecheck %s --check-prefix=ONE
// RUN: bsc-opt --cse --canonicalize %s --validate-values=3 | filecheck %s
// RUN: bsc-opt --set-arch --validate-values %S/stdin.mlir -o /dev/null 2>&1 \
// RUN:   | filecheck %s --check-prefix=EMPTY

// ONE-NOT: note
// ONE: validate

// The dead operation goes, the values stay.
// CHECK: func.func @main
// CHECK-NOT: qnn.mul

// EMPTY: bsc-opt: note: values are not validated: there is no func.func @main with a body
bsw.weight @c : !bsw.weight<8x3x3x8, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 576>, bias = #bsw.payload<splat 0, size 32>}

func.func @main(%x : tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x8xi8, #qnn.pos<4>> {
  %w = bsw.get @c : !bsw.weight<8x3x3x8, pos 7, bias 12>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<8x3x3x8, pos 7, bias 12>
    -> tensor<1x8x8x8xi8, #qnn.pos<4>> loc("conv1")
  %dead = qnn.mul %y, %y
     : (tensor<1x8x8x8xi8, #qnn.pos<4>>, tensor<1x8x8x8xi8, #qnn.pos<4>>)
    -> tensor<1x8x8x8xi8, #qnn.pos<4>>
  %z = qnn.add %y, %x
     : (tensor<1x8x8x8xi8, #qnn.pos<4>>, tensor<1x8x8x8xi8, #qnn.pos<5>>)
    -> tensor<1x8x8x8xi8, #qnn.pos<4>>
  func.return %z : tensor<1x8x8x8xi8, #qnn.pos<4>>
}
