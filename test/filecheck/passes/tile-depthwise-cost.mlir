// RUN: bsc-opt --split-input-file --set-arch=%S/Inputs/little.toml --split-width \
// RUN:   --tile-depthwise --validate-values %s | filecheck %s
// RUN: bsc-opt --split-input-file --set-arch=paper-2x2 --split-width --tile-depthwise %s \
// RUN:   | filecheck %s --check-prefix=LARGE

// Without `rows`, stripes are as high as fits, and a chain is tiled if that saves time.  %a and
// %b have 6144 bytes in each of two memtiles, which together with weights is more than the
// 12288 there are: two stripes do.
// CHECK:      func.func @main
// CHECK:      %a = qnn.conv2d
// CHECK-NEXT: %b = qnn.conv2d %a
// CHECK-NEXT: %y = qnn.max_pool %b
// CHECK-NEXT: tensor.insert_slice %y into %0[0, 0, 0, 0] [1, 12, 8, 16]
// CHECK:      %y_1 = qnn.max_pool
// CHECK-NEXT: tensor.insert_slice %y_1 into %{{.*}}[0, 12, 0, 0] [1, 12, 8, 16]
// CHECK-NEXT: return

// In memtiles of 512 KB there is nothing to save.
// LARGE:      func.func @main
// LARGE:      %a = qnn.conv2d %x
// LARGE-NEXT: %b = qnn.conv2d %a
// LARGE-NEXT: %y = qnn.max_pool %b
// LARGE-NEXT: return

bsw.weight @v : !bsw.weight<16x3x3x8, pos 7> {data = #bsw.payload<splat 3, size 1152>}
bsw.weight @w : !bsw.weight<16x3x3x16, pos 7> {data = #bsw.payload<splat 2, size 2304>}

func.func @main(%x : tensor<1x48x16x8xi8, #qnn.pos<5>>) -> tensor<1x24x8x16xi8, #qnn.pos<4>> {
  %v = bsw.get @v : !bsw.weight<16x3x3x8, pos 7>
  %w = bsw.get @w : !bsw.weight<16x3x3x16, pos 7>
  %a = qnn.conv2d %x, %v {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x48x16x8xi8, #qnn.pos<5>>, !bsw.weight<16x3x3x8, pos 7>
    -> tensor<1x48x16x16xi8, #qnn.pos<4>>
  %b = qnn.conv2d %a, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x48x16x16xi8, #qnn.pos<4>>, !bsw.weight<16x3x3x16, pos 7>
    -> tensor<1x48x16x16xi8, #qnn.pos<4>>
  %y = qnn.max_pool %b {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>}
     : (tensor<1x48x16x16xi8, #qnn.pos<4>>) -> tensor<1x24x8x16xi8, #qnn.pos<4>>
  func.return %y : tensor<1x24x8x16xi8, #qnn.pos<4>>
}

// -----

// Here %a and %y do not fit together either.  But %a is smaller than the weights that make it,
// and to bring those in for two stripes would take longer than to spill %a.
// CHECK:      func.func @main
// CHECK:      %a = qnn.conv2d %x
// CHECK-NEXT: %y = qnn.conv2d %a
// CHECK-NEXT: return

bsw.weight @v : !bsw.weight<32x3x3x32, pos 7> {data = #bsw.payload<splat 1, size 9216>}
bsw.weight @w : !bsw.weight<128x1x1x32, pos 7> {data = #bsw.payload<splat 1, size 4096>}

func.func @main(%x : tensor<1x17x8x32xi8, #qnn.pos<5>>) -> tensor<1x17x8x128xi8, #qnn.pos<3>> {
  %v = bsw.get @v : !bsw.weight<32x3x3x32, pos 7>
  %w = bsw.get @w : !bsw.weight<128x1x1x32, pos 7>
  %a = qnn.conv2d %x, %v {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x17x8x32xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x32, pos 7>
    -> tensor<1x17x8x32xi8, #qnn.pos<4>>
  %y = qnn.conv2d %a, %w : tensor<1x17x8x32xi8, #qnn.pos<4>>, !bsw.weight<128x1x1x32, pos 7>
    -> tensor<1x17x8x128xi8, #qnn.pos<3>>
  func.return %y : tensor<1x17x8x128xi8, #qnn.pos<3>>
}
