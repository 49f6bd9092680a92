// An attribute that does not verify: the position is where the parser stood, right behind it.

// RUN: not bsc-opt %s 2>&1 | filecheck %s --match-full-lines

// CHECK: {{.*}}attribute-error.mlir:7:49: error: bounds [0, 255] do not lie in [-128, 127]
// CHECK-NOT: {{.}}
"test.op"() {e = #qnn.epilogue<round 4 [0, 255]>, f = 1} : () -> ()
