// Without a file, or with -, the module comes from stdin.

// RUN: bsc-opt --set-arch=npu1 < %s | filecheck %s
// RUN: bsc-opt - --set-arch=npu1 < %s | filecheck %s
// RUN: bsc-opt %s | bsc-opt --set-arch=npu1 | filecheck %s
// RUN: echo 'module {' | not bsc-opt - 2>&1 | filecheck %s --check-prefix=ERROR

// CHECK: #dataflow.arch<"npu1">
// ERROR: <stdin>:2:1: error:
builtin.module {
}
