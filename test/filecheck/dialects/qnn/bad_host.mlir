// RUN: BSC_INVALID

// The other side of the boundary.

// CHECK: dtype must be float32, int8 or uint8, not "float16"
"test.op"() {host = #qnn.host<"data", "float16", "NCHW", zero 0>} : () -> ()

// -----

// CHECK: layout must be NCHW or NC, not "NHWC"
"test.op"() {host = #qnn.host<"data", "float32", "NHWC", zero 0>} : () -> ()
