// RUN: not bsc-opt --chain-locks %s 2>&1 | filecheck %s

// A stage that computes nothing has no buffers to pass on.
// CHECK: bsc-opt: error: chain-locks: a stage body loads, computes and writes
module attributes {bsc.arch = #dataflow.arch<"paper-1x1">} {
dataflow.program "p" {
  dataflow.layer "copy" op "requantize"
  dataflow.stage "body"
  %0 = dataflow.loadfm "memtile 0 core 0 iter 1 h=4 w=4 c=8 row=32 pix=8"
}
}
