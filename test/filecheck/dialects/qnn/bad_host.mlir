// RUN: BSC_INVALID

// The other side of the boundary.

// CHECK: dtype must be float32, int8 or uint8, not "float16"
"test.op"() {host = #qnn.host<"data", "float16", "NCHW", [1, 8, 4, 4], zero 0>} : () -> ()

// -----

// CHECK: layout must be NCHW or NHWC, not "NCWH"
"test.op"() {host = #qnn.host<"data", "float32", "NCWH", [1, 8, 4, 4], zero 0>} : () -> ()
