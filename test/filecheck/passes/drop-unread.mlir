// RUN: bsc-opt --drop-unread --validate-values %s | filecheck %s
// RUN: bsc-opt --drop-unread --fuse-epilogue %s | filecheck %s --check-prefix=FUSED
// RUN: bsc-opt --drop-unread --split-width --split-cout --schedule --split-height=factor=2 %s \
// RUN:   | filecheck %s --check-prefix=KEPT

// The head over conv1 has no reader: neither its two layers nor the weights of the first are left.
// Both tensors are listed at the end, in the order of the model.  An input stays, read or not.
// CHECK-NOT:  bsw.weight @head
// CHECK:      bsw.weight @w
// CHECK-NOT:  bsw.weight @head
// CHECK:      func.func @main(%x: tensor<1x4x4x8xi8, #qnn.pos<5>>, %z: tensor<1x1x1x8xi8, #qnn.pos<5>>)
// CHECK-NEXT: %w = bsw.get @w
// CHECK-NEXT: %a = qnn.conv2d %x, %w
// CHECK-NEXT: %y = qnn.requantize %a
// CHECK-NEXT: func.return {qnn.elided = [#qnn.elided<"conv2", "nothing reads it">, #qnn.elided<"pool2", "nothing reads it">]} %y

// With one reader left, conv1 takes over its rounding.
// FUSED:      %y = qnn.conv2d %x, %w
// FUSED-NEXT: func.return

// What is listed stays listed.
// KEPT: qnn.elided<"pool2", "nothing reads it">

bsw.weight @w : !bsw.weight<8x1x1x8, pos 7> {data = #bsw.payload<splat 3, size 64>}
bsw.weight @head : !bsw.weight<24x1x1x8, pos 7> {data = #bsw.payload<splat 3, size 192>}

func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>, %z : tensor<1x1x1x8xi8, #qnn.pos<5>>)
    -> tensor<1x4x4x8xi8, #qnn.pos<3>> {
  %w = bsw.get @w : !bsw.weight<8x1x1x8, pos 7>
  %v = bsw.get @head : !bsw.weight<24x1x1x8, pos 7>
  %a = qnn.conv2d %x, %w
     : tensor<1x4x4x8xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x8, pos 7>
    -> tensor<1x4x4x8xi8, #qnn.pos<4>> loc("conv1")
  %b = qnn.conv2d %a, %v
     : tensor<1x4x4x8xi8, #qnn.pos<4>>, !bsw.weight<24x1x1x8, pos 7>
    -> tensor<1x4x4x24xi8, #qnn.pos<4>> loc("conv2")
  %c = qnn.max_pool %b {kernel = array<i64: 2, 2>}
     : (tensor<1x4x4x24xi8, #qnn.pos<4>>) -> tensor<1x3x3x24xi8, #qnn.pos<4>> loc("pool2")
  %y = qnn.requantize %a
     : (tensor<1x4x4x8xi8, #qnn.pos<4>>) -> tensor<1x4x4x8xi8, #qnn.pos<3>> loc("relu1")
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<3>>
}
