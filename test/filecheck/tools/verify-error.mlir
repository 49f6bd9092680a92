// A module that does not verify: where the operation stands, its ONNX name, and the message,
// without the module.

// RUN: not bsc-opt %s 2>&1 | filecheck %s --match-full-lines
// RUN: not bsc-opt %s --set-arch 2>&1 | filecheck %s --match-full-lines
// RUN: bsc-opt --disable-verify %s | filecheck %s --check-prefix=DISABLED
// RUN: bsc-opt --verify-diagnostics %s | filecheck %s --check-prefix=UPSTREAM
// RUN: not bsc-opt %s --traceback 2>&1 | filecheck %s --check-prefix=TRACEBACK

// CHECK: {{.*}}verify-error.mlir:19:1: error: qnn.requantize "conv1_relu" does not verify: the epilogue ends at position 5, the result is at 4
// CHECK-NOT: {{.}}
// UPSTREAM: Operation does not verify: the epilogue ends at position 5, the result is at 4
// DISABLED: qnn.requantize
// TRACEBACK: Traceback (most recent call last):
// TRACEBACK: xdsl.utils.exceptions.VerifyException: the epilogue ends at position 5

%x = "test.op"() : () -> tensor<1x4x4x8xi8, #qnn.pos<5>>

%y = qnn.requantize %x {epilogue = #qnn.epilogue<round 5>}
   : (tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<4>> loc("conv1_relu")
