// -o writes the file when all has gone well, and not before.

// RUN: rm -f %t.mlir && bsc-opt --set-arch=npu1 %s -o %t.mlir && filecheck %s < %t.mlir
// What is there stays there if a pass fails:
// RUN: not bsc-opt --set-arch=npu9 %s -o %t.mlir 2>/dev/null && filecheck %s < %t.mlir
// The input can be the output.
// RUN: bsc-opt --set-arch=npu2 %t.mlir -o %t.mlir && filecheck %s --check-prefix=AGAIN < %t.mlir
// Streams are written as streams.
// RUN: bsc-opt --set-arch=npu1 %s -o - | filecheck %s
// RUN: bsc-opt --set-arch=npu1 %s -o /dev/null

// CHECK: #dataflow.arch<"npu1">
// AGAIN: #dataflow.arch<"npu2">
builtin.module {
}
