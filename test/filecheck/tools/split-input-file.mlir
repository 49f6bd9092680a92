// Several modules in a file; positions count lines of the whole file.

// RUN: bsc-opt --split-input-file --verify-diagnostics --set-arch=npu1 %s | filecheck %s
// RUN: not bsc-opt --split-input-file --set-arch=npu1 %s -o %t.mlir 2>&1 \
// RUN:   | filecheck %s --check-prefix=ERROR

// CHECK: builtin.module attributes {bsc.arch = #dataflow.arch<"npu1">} {
// CHECK-NEXT: "test.op"() {a} : () -> ()
"test.op"() {a} : () -> ()

// -----

// CHECK: {{/}}/ -----
// CHECK: Operation does not verify: kernel must be 2 numbers of at least 1, not [3]
// ERROR: {{.*}}split-input-file.mlir:17:1: error: qnn.max_pool does not verify: kernel
%x = "test.op"() : () -> tensor<1x8x8x16xi8, #qnn.pos<5>>
%y = qnn.max_pool %x {kernel = array<i64: 3>}
   : (tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x6x6x16xi8, #qnn.pos<5>>

// -----

// CHECK: {{/}}/ -----
// CHECK: builtin.module attributes {bsc.arch = #dataflow.arch<"npu1">} {
// CHECK-NEXT: "test.op"() {b} : () -> ()
"test.op"() {b} : () -> ()
