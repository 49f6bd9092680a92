// RUN: bsc-opt '--set-arch=arch=tiny toml="core_data_bytes = 12288"' --split-window \
// RUN:   --validate-values %s | filecheck %s
// RUN: bsc-opt --split-window=4 --validate-values %s | filecheck %s --check-prefix=PADDING
// RUN: not bsc-opt '--set-arch=arch=tiny toml="core_data_bytes = 12288"' --split-width \
// RUN:   --split-cout --select-subvolume %s 2>&1 | filecheck %s --check-prefix=LEFT

// Windows that a core with 12 KB cannot hold for one pixel.  Of 1,600 columns not even one row
// fits with eight outputs: columns are cut too, in as few pieces as fit.
// CHECK:         kh [0, 1] kw [0, 160]
// CHECK:         kh [0, 1] kw [160, 320]
// CHECK:         kh [1, 2] kw [1440, 1600]
// CHECK-NEXT:    qnn.dense {{.*}} -> tensor<1x1x1x16xi8, #qnn.pos<1>>

// The rows of the kernel above the image and below it do not count: one piece reads all of it.
// CHECK:         kh [0, 6] kw [0, 11]
// CHECK:         kh [6, 11] kw [0, 11]
// CHECK-NEXT:    qnn.conv2d {{.*}} -> tensor<1x1x20x8xi8, #qnn.pos<4>>

// Pieces that read only padding are left out; the bias goes with the first of the others.
// PADDING:       bsw.slice %k cout [0, 8] cin [0, 8] kh [3, 6] kw [0, 11]
// PADDING-SAME:    -> !bsw.weight<8x3x11x8, pos 7, bias 12>
// PADDING-NEXT:  %z = qnn.conv2d {{.*}} -> tensor<1x1x20x8xi32, #qnn.pos<12>>
// PADDING:       bsw.slice %k cout [0, 8] cin [0, 8] kh [6, 9] kw [0, 11]
// PADDING-SAME:    -> !bsw.weight<8x3x11x8, pos 7>
// PADDING-NEXT:  qnn.conv2d {{.*}} partial %z {{.*}} -> tensor<1x1x20x8xi8, #qnn.pos<4>>

// Padding that does not count: where the window lies above the image, in the middle and below, a
// mean has other numbers of elements, so the output is cut before its window is.
// CHECK:         pads = array<i64: 1, 0, 0, 0>, kernel = array<i64: 33, 30>
// CHECK:         count = 1950
// CHECK:         kernel = array<i64: 33, 30>} {{.*}} -> tensor<1x5x1x8xi32
// CHECK:         count = 1980
// CHECK:         count = 1950

// Without this pass such a layer does not fit, and is told what to do.
// LEFT: error: select-subvolume: %y: one pixel of 8 channels needs {{[0-9]+}} bytes of a core
// LEFT-SAME: no subvolume fits: run --split-window first

bsw.weight @d : !bsw.weight<16x2x1600x8, pos 7> {data = #bsw.payload<splat 1, size 409600>}
bsw.weight @k : !bsw.weight<8x11x11x8, pos 7, bias 12> {
  data = #bsw.payload<splat 2, size 7744>, bias = #bsw.payload<splat 9, size 32>}

func.func @main(%x : tensor<1x2x1600x8xi8, #qnn.pos<5>>, %u : tensor<1x50x60x8xi8, #qnn.pos<5>>,
                %v : tensor<1x70x30x8xi8, #qnn.pos<5>>)
    -> (tensor<1x1x1x16xi8, #qnn.pos<1>>, tensor<1x1x20x8xi8, #qnn.pos<4>>,
        tensor<1x7x1x8xi8, #qnn.pos<5>>) {
  %d = bsw.get @d : !bsw.weight<16x2x1600x8, pos 7>
  %k = bsw.get @k : !bsw.weight<8x11x11x8, pos 7, bias 12>
  %y = qnn.dense %x, %d
     : tensor<1x2x1600x8xi8, #qnn.pos<5>>, !bsw.weight<16x2x1600x8, pos 7>
    -> tensor<1x1x1x16xi8, #qnn.pos<1>>
  %z = qnn.conv2d %u, %k {dilations = array<i64: 10, 4>, pads = array<i64: 30, 0, 21, 0>}
     : tensor<1x50x60x8xi8, #qnn.pos<5>>, !bsw.weight<8x11x11x8, pos 7, bias 12>
    -> tensor<1x1x20x8xi8, #qnn.pos<4>>
  %a = qnn.avg_pool %v {kernel = array<i64: 66, 30>, pads = array<i64: 1, 0, 1, 0>}
     : (tensor<1x70x30x8xi8, #qnn.pos<5>>) -> tensor<1x7x1x8xi8, #qnn.pos<5>>
  func.return %y, %z, %a : tensor<1x1x1x16xi8, #qnn.pos<1>>, tensor<1x1x20x8xi8, #qnn.pos<4>>,
                           tensor<1x7x1x8xi8, #qnn.pos<5>>
}
