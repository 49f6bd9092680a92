// RUN: bsc-opt --split-input-file --fuse-epilogue --split-width --validate-values %s \
// RUN:   --tile-depthwise="rows=2 halo=recomputed" | filecheck %s
// RUN: bsc-opt --split-input-file --fuse-epilogue --split-width --validate-values %s \
// RUN:   --tile-depthwise="rows=2 halo=kept" | filecheck %s --check-prefix=KEPT

// What may be in a chain, and what ends one.

// A residual branch that begins and ends in the chain: the shortcut reads those rows of %a's
// stripe that are added, two of four.
// CHECK:      %a = qnn.conv2d
// CHECK-NEXT: %b = qnn.conv2d %a
// CHECK-NEXT: %[[SHORT:.*]] = tensor.extract_slice %a[0, 0, 0, 0] [1, 2, 4, 8]
// CHECK-NEXT: %y = qnn.conv2d %b, %w residual %[[SHORT]]
// CHECK-NEXT: tensor.insert_slice %y into %{{.*}}[0, 0, 0, 0] [1, 2, 4, 8]
// CHECK-NEXT: %a_1 = qnn.conv2d %x
// CHECK-NEXT: %b_1 = qnn.conv2d %a_1
// CHECK-NEXT: %[[SHORT:.*]] = tensor.extract_slice %a_1[0, 2, 0, 0] [1, 2, 4, 8]
// CHECK-NEXT: %y_1 = qnn.conv2d %b_1, %w residual %[[SHORT]]

bsw.weight @w : !bsw.weight<8x3x3x8, pos 7> {data = #bsw.payload<splat 3, size 576>}

func.func @main(%x : tensor<1x6x4x8xi8, #qnn.pos<4>>) -> tensor<1x6x4x8xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<8x3x3x8, pos 7>
  %a = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x6x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x6x4x8xi8, #qnn.pos<4>>
  %b = qnn.conv2d %a, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x6x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x6x4x8xi8, #qnn.pos<4>>
  %y = qnn.conv2d %b, %w residual %a : tensor<1x6x4x8xi8, #qnn.pos<4>>
       {pads = array<i64: 1, 1, 1, 1>, epilogue = #qnn.epilogue<round 4, add, round 4>}
     : tensor<1x6x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x6x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x6x4x8xi8, #qnn.pos<4>>
}

// -----

// Parallel branches and their concat: each stripe has a concat of its own, which convolution
// and pool write straight into.
// CHECK:      %a = qnn.conv2d %x
// CHECK-NEXT: %[[CAT:.*]] = tensor.empty() : tensor<1x2x4x16xi8, #qnn.pos<4>>
// CHECK-NEXT: %d = qnn.conv2d %a
// CHECK-NEXT: %[[HALF:.*]] = tensor.insert_slice %d into %[[CAT]][0, 0, 0, 0] [1, 2, 4, 8]
// CHECK-NEXT: %d_1 = qnn.max_pool %a
// CHECK-NEXT: %[[ALL:.*]] = tensor.insert_slice %d_1 into %[[HALF]][0, 0, 0, 8] [1, 2, 4, 8]
// CHECK-NEXT: %y = qnn.conv2d %[[ALL]], %v
// CHECK-NEXT: tensor.insert_slice %y into %0[0, 0, 0, 0] [1, 2, 4, 8]
// CHECK-NEXT: %a_1 = qnn.conv2d %x

// Rows that two branches read are kept by one copy for both.
// KEPT:      %d_1 = qnn.max_pool %a
// KEPT:      %[[OLD:.*]] = tensor.extract_slice %a[0, 1, 0, 0] [1, 2, 4, 8]
// KEPT-NEXT: %[[COPY:.*]] = qnn.requantize %[[OLD]]
// KEPT-NEXT: %[[FIRST:.*]] = tensor.insert_slice %[[COPY]]
// KEPT:      %a_1 = qnn.conv2d
// KEPT-NEXT: %[[A:.*]] = tensor.insert_slice %a_1 into %[[FIRST]][0, 2, 0, 0] [1, 1, 4, 8]
// KEPT:      %d_2 = qnn.conv2d %[[A]]
// KEPT:      %d_3 = qnn.max_pool %[[A]]

bsw.weight @w : !bsw.weight<8x3x3x8, pos 7> {data = #bsw.payload<splat 3, size 576>}
bsw.weight @v : !bsw.weight<8x1x1x16, pos 7> {data = #bsw.payload<splat 2, size 128>}

func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<4>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<8x3x3x8, pos 7>
  %v = bsw.get @v : !bsw.weight<8x1x1x16, pos 7>
  %a = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x4x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  %b = qnn.conv2d %a, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x4x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  %c = qnn.max_pool %a {kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>}
     : (tensor<1x4x4x8xi8, #qnn.pos<4>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  %d = qnn.concat %b, %c : (tensor<1x4x4x8xi8, #qnn.pos<4>>, tensor<1x4x4x8xi8, #qnn.pos<4>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>>
  %y = qnn.conv2d %d, %v {pads = array<i64: 0, 0, 0, 0>}
     : tensor<1x4x4x16xi8, #qnn.pos<4>>, !bsw.weight<8x1x1x16, pos 7> -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<4>>
}

// -----

// A global pool needs all rows at once, and what comes after has only one: the chain ends
// before it.
// CHECK:      %b_1 = qnn.conv2d %a_1
// CHECK-NEXT: %b_2 = tensor.insert_slice %b_1
// CHECK-NEXT: %m = qnn.global_avg_pool %b_2
// CHECK-NEXT: %r = qnn.reshape %m
// CHECK-NEXT: %y = qnn.dense %r

bsw.weight @w : !bsw.weight<8x3x3x8, pos 7> {data = #bsw.payload<splat 3, size 576>}
bsw.weight @v : !bsw.weight<8x1x1x8, pos 7> {data = #bsw.payload<splat 2, size 64>}

func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<4>>) -> tensor<1x1x1x8xi8, #qnn.pos<5>> {
  %w = bsw.get @w : !bsw.weight<8x3x3x8, pos 7>
  %v = bsw.get @v : !bsw.weight<8x1x1x8, pos 7>
  %a = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x4x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  %b = qnn.conv2d %a, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x4x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  %m = qnn.global_avg_pool %b : (tensor<1x4x4x8xi8, #qnn.pos<4>>) -> tensor<1x1x1x8xi8, #qnn.pos<6>>
  %r = qnn.reshape %m : (tensor<1x1x1x8xi8, #qnn.pos<6>>) -> tensor<1x1x1x8xi8, #qnn.pos<6>>
  %y = qnn.dense %r, %v : tensor<1x1x1x8xi8, #qnn.pos<6>>, !bsw.weight<8x1x1x8, pos 7> -> tensor<1x1x1x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x1x1x8xi8, #qnn.pos<5>>
}

// -----

// The host reads %a, which is therefore made as a whole: the chain begins after it.
// CHECK:      %a = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>
// CHECK-SAME: -> tensor<1x4x4x8xi8, #qnn.pos<4>>
// CHECK-NEXT: tensor.empty
// CHECK-NEXT: %b = qnn.conv2d %a, %w {pads = array<i64: 1, 1, 0, 1>
// CHECK-NEXT: %y = qnn.conv2d %b, %w {pads = array<i64: 1, 1, 0, 1>
// CHECK:      %b_1 = qnn.conv2d %a
// CHECK:      func.return %a, %y_2

bsw.weight @w : !bsw.weight<8x3x3x8, pos 7> {data = #bsw.payload<splat 3, size 576>}

func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<4>>) -> (tensor<1x4x4x8xi8, #qnn.pos<4>>, tensor<1x4x4x8xi8, #qnn.pos<4>>) {
  %w = bsw.get @w : !bsw.weight<8x3x3x8, pos 7>
  %a = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x4x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  %b = qnn.conv2d %a, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x4x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  %y = qnn.conv2d %b, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x4x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  func.return %a, %y : tensor<1x4x4x8xi8, #qnn.pos<4>>, tensor<1x4x4x8xi8, #qnn.pos<4>>
}

// -----

// The first two rows of %y read nothing but padding: no stripe can be made of them alone, so
// that %y is no part of a chain.  The layers before it are one.
// CHECK:      %b_1 = qnn.conv2d %a_1
// CHECK-NEXT: %b_2 = tensor.insert_slice %b_1
// CHECK-NEXT: %y = qnn.conv2d %b_2, %v {pads = array<i64: 2, 0, 2, 0>
// CHECK-SAME: -> tensor<1x8x4x8xi8, #qnn.pos<4>>
// CHECK-NEXT: func.return %y

bsw.weight @w : !bsw.weight<8x3x3x8, pos 7> {data = #bsw.payload<splat 3, size 576>}
bsw.weight @v : !bsw.weight<8x1x1x8, pos 7> {data = #bsw.payload<splat 2, size 64>}

func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<4>>) -> tensor<1x8x4x8xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<8x3x3x8, pos 7>
  %v = bsw.get @v : !bsw.weight<8x1x1x8, pos 7>
  %a = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x4x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  %b = qnn.conv2d %a, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x4x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x3x3x8, pos 7> -> tensor<1x4x4x8xi8, #qnn.pos<4>>
  %y = qnn.conv2d %b, %v {pads = array<i64: 2, 0, 2, 0>}
     : tensor<1x4x4x8xi8, #qnn.pos<4>>, !bsw.weight<8x1x1x8, pos 7> -> tensor<1x8x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x8x4x8xi8, #qnn.pos<4>>
}
