// RUN: BSC_ROUNDTRIP

// Every pixel stands for two rows and three columns.

func.func @plain(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x8x12x8xi8, #qnn.pos<5>> {
  %y = qnn.resize %x {factor = array<i64: 2, 3>}
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x8x12x8xi8, #qnn.pos<5>>
  // CHECK: %y = qnn.resize %x {factor = array<i64: 2, 3>} : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x8x12x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x8x12x8xi8, #qnn.pos<5>>
}

// A piece: of the first column, one output belongs to the piece before, and the last row stands
// for one output here.
func.func @all(%x : tensor<1x2x2x8xi8, #qnn.pos<5>>) -> tensor<1x3x5x8xi8, #qnn.pos<4>> {
  %y = qnn.resize %x {factor = array<i64: 2, 3>, phase = array<i64: 0, 1>,
                      epilogue = #qnn.epilogue<round 4 [0, 127]>, rounding = "floor",
                      columns = #dataflow.spread<w [0, 2, 4, 5, 5]>}
     : (tensor<1x2x2x8xi8, #qnn.pos<5>>) -> tensor<1x3x5x8xi8, #qnn.pos<4>>
  // CHECK: %y = qnn.resize %x {factor = array<i64: 2, 3>, phase = array<i64: 0, 1>, epilogue = #qnn.epilogue<round 4 [0, 127]>, rounding = "floor", columns = #dataflow.spread<w [0, 2, 4, 5, 5]>}
  func.return %y : tensor<1x3x5x8xi8, #qnn.pos<4>>
}
