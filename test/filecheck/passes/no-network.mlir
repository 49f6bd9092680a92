// The passes on tensors want a network, the function @main, and run before
// --lower-to-dataflow.

// RUN: not bsc-opt --fuse-epilogue %s 2>&1 | filecheck %s
// RUN: not bsc-opt --lower-to-dataflow %s 2>&1 | filecheck %s
// CHECK: bsc-opt: error: {{[a-z-]+}}: there is no func.func @main: this pass takes a qnn network, before --lower-to-dataflow

// Those on programs want a program, and run after it.
// RUN: not bsc-opt --chain-locks %S/split-width.mlir 2>&1 | filecheck %s --check-prefix=PROGRAM
// PROGRAM: bsc-opt: error: chain-locks: there is no dataflow.program: run --lower-to-dataflow first

dataflow.program "main" {
  dataflow.layer "conv1" op "conv2d"
}
