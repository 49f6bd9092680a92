// RUN: bsc-opt --split-width --split-cout --split-to-fit=capacity=1 --validate-values %s \
// RUN:   | filecheck %s
// RUN: not bsc-opt --split-to-fit %s 2>&1 | filecheck %s --check-prefix=EARLY
// RUN: not bsc-opt --split-to-fit=capacity=0 %s 2>&1 | filecheck %s --check-prefix=NONE

// What does not fit however small it is ends at one pixel of eight output channels, from one tap
// of eight input channels; --alloc-memtile says what is too large.  Of the three taps two read the
// image, at each of two pixels: 2 pixels x 2 x 2 granules x 2 taps.  A mean ends at one element,
// and an alias, which computes nothing, is not cut.

// CHECK-COUNT-16: qnn.conv2d
// CHECK-NOT:      qnn.conv2d
// CHECK-COUNT-4:  {kernel = array<i64: 1, 1>
// CHECK-NOT:      qnn.avg_pool
// CHECK:          qnn.reshape

// EARLY: %y: is not shared over the columns: run --split-width first

// NONE: bsc-opt: error: split-to-fit: capacity must be a whole number of at least 1, not 0

bsw.weight @w : !bsw.weight<16x3x1x16, pos 7> {data = #bsw.payload<splat 3, size 768>}

func.func @main(%x : tensor<1x2x1x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x16xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<16x3x1x16, pos 7>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 0, 1, 0>}
     : tensor<1x2x1x16xi8, #qnn.pos<5>>, !bsw.weight<16x3x1x16, pos 7>
    -> tensor<1x2x1x16xi8, #qnn.pos<4>>
  %m = qnn.avg_pool %y {kernel = array<i64: 2, 1>}
     : (tensor<1x2x1x16xi8, #qnn.pos<4>>) -> tensor<1x1x1x16xi8, #qnn.pos<4>>
  %r = qnn.reshape %m
     : (tensor<1x1x1x16xi8, #qnn.pos<4>>) -> tensor<1x1x1x16xi8, #qnn.pos<4>>
  func.return %r : tensor<1x1x1x16xi8, #qnn.pos<4>>
}
