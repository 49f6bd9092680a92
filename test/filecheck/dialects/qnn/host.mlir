// RUN: BSC_ROUNDTRIP

// The boundary to the host is in the types and attributes of @main: the host quantizes the
// float32 tensor "data" with scale 2^-5 and turns NCHW into NHWC; it gets back "prob" in NC.
// A location holds the ONNX name of what an operation makes.

// CHECK: func.func @main(%x: tensor<1x4x4x8xi8, #qnn.pos<5>> {qnn.host = #qnn.host<"data", "float32", "NCHW", [1, 8, 4, 4], zero 0>}) -> (tensor<1x1x1x8xi8, #qnn.pos<4>> {qnn.host = #qnn.host<"prob", "uint8", "NCHW", [1, 8], zero 128>}) {
func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>
                  {qnn.host = #qnn.host<"data", "float32", "NCHW", [1, 8, 4, 4], zero 0>})
    -> (tensor<1x1x1x8xi8, #qnn.pos<4>> {qnn.host = #qnn.host<"prob", "uint8", "NCHW", [1, 8], zero 128>}) {
  %y = qnn.global_avg_pool %x
     : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x1x1x8xi8, #qnn.pos<4>> loc("pool5")
  // CHECK: %y = qnn.global_avg_pool %x : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x1x1x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x1x1x8xi8, #qnn.pos<4>>
}

// What --fuse-epilogue makes superfluous is listed, with the reason, so that every tensor of
// the model is accounted for.
// CHECK: "test.op"() {qnn.elided = #qnn.elided<"conv1_q", "its rounding is a step of the epilogue of relu1_q">}
"test.op"() {qnn.elided =
  #qnn.elided<"conv1_q", "its rounding is a step of the epilogue of relu1_q">} : () -> ()
