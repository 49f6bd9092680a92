// A text that cannot be read: file, line, column, and the message alone.

// RUN: not bsc-opt %s 2>&1 | filecheck %s --match-full-lines
// RUN: bsc-opt --parsing-diagnostics %s | filecheck %s --check-prefix=UPSTREAM

// CHECK: {{.*}}parse-error.mlir:10:29: error: a weight's shape is COUTxKHxKWxCIN
// CHECK-NOT: {{.}}
// UPSTREAM: a weight's shape is COUTxKHxKWxCIN

bsw.weight @c : !bsw.weight<8x8, pos 7> {data = #bsw.payload<splat 1, size 64>}
