// RUN: BSC_ROUNDTRIP

// The mean over all of H x W, for each channel.

func.func @plain(%x : tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x16xi8, #qnn.pos<6>> {
  %y = qnn.global_avg_pool %x
     : (tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x16xi8, #qnn.pos<6>>
  // CHECK: %y = qnn.global_avg_pool %x : (tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x16xi8, #qnn.pos<6>>
  func.return %y : tensor<1x1x1x16xi8, #qnn.pos<6>>
}

// One column of cores may do all of it: pieces of a spread may be empty.
func.func @all(%x : tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x16xi8, #qnn.pos<6>> {
  %y = qnn.global_avg_pool %x {epilogue = #qnn.epilogue<round 6 [-100, 100]>,
                               rounding = "half_even", columns = #dataflow.spread<w [0, 1, 1, 1, 1]>}
     : (tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x16xi8, #qnn.pos<6>>
  // CHECK: %y = qnn.global_avg_pool %x {epilogue = #qnn.epilogue<round 6 [-100, 100]>, rounding = "half_even", columns = #dataflow.spread<w [0, 1, 1, 1, 1]>} : (tensor<1x7x7x16xi8, #qnn.pos<5>>) -> tensor<1x1x1x16xi8, #qnn.pos<6>>
  func.return %y : tensor<1x1x1x16xi8, #qnn.pos<6>>
}
