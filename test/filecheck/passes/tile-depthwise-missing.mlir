// RUN: not bsc-opt --tile-depthwise %s 2>&1 | filecheck %s --check-prefix=SPLIT
// RUN: not bsc-opt --tile-depthwise=rows=0 %s 2>&1 | filecheck %s --check-prefix=ROWS
// RUN: not bsc-opt --tile-depthwise=halo=nonsense %s 2>&1 | filecheck %s --check-prefix=HALO
// RUN: bsc-opt --split-width --tile-depthwise=8 %s | filecheck %s --check-prefix=WHOLE

// Whether a stripe fits depends on what each column has of it.
// SPLIT: error: tile-depthwise: %a: is not shared over the columns: run --split-width first

// ROWS: bsc-opt: error: tile-depthwise: rows must be a whole number of at least 1, not 0
// HALO: bsc-opt: error: tile-depthwise: halo must be kept or recomputed, not nonsense

// One stripe is no tiling.
// WHOLE:      %a = qnn.requantize %x
// WHOLE-NEXT: %y = qnn.requantize %a
// WHOLE-NEXT: func.return %y

func.func @main(%x : tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x8xi8, #qnn.pos<3>> {
  %a = qnn.requantize %x : (tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x8xi8, #qnn.pos<4>>
  %y = qnn.requantize %a : (tensor<1x8x8x8xi8, #qnn.pos<4>>) -> tensor<1x8x8x8xi8, #qnn.pos<3>>
  func.return %y : tensor<1x8x8x8xi8, #qnn.pos<3>>
}
