// RUN: BSC_INVALID

// Declarations and what stands around instructions.

// CHECK: Operation does not verify: dataflow.tensor 't0' is declared twice
dataflow.program "p" {
  dataflow.tensor "t0" "a" shape [4, 4, 8] type "i8" pos 4 pixel 8
  dataflow.tensor "t0" "b" shape [4, 4, 8] type "i8" pos 4 pixel 8
}

// -----

// CHECK: Operation does not verify: dataflow.lock 'k_0' is declared twice
dataflow.program "p" {
  dataflow.lock "k_0" "core" init 0
  dataflow.lock "k_0" "memtile" init 0
}

// -----

// CHECK: Operation does not verify: dataflow.alias: unknown tensor 't1'
dataflow.program "p" {
  dataflow.tensor "t0" "a" shape [4, 4, 8] type "i8" pos 4 pixel 8
  dataflow.alias "flat" of "t1"
}

// -----

// CHECK: Operation does not verify: dataflow.port: unknown tensor 'data'
dataflow.program "p" {
  dataflow.port "input" "data" #qnn.host<"data", "int8", "NCHW", [1, 8, 4, 4], zero 0>
}

// -----

// CHECK: Operation does not verify: dataflow.ready: unknown tensor 't0'
dataflow.program "p" {
  dataflow.ready "t0" #dataflow.place<ddr 0x0>
}

// -----

// CHECK: Operation does not verify: dataflow.load: unknown lock 'k_1'; did you mean 'k_0'?
dataflow.program "p" {
  dataflow.lock "k_0" "core" init 0
  %0 = dataflow.load "ddr 0 memtile 0 iter 1 h=1 w=1 c=8 drow=8 dpix=8 row=8 pix=8 rel=k_1"
}

// -----

// CHECK: Operation does not verify: order must name each of the 3 granules of channels once, not [1, 1, 2]
dataflow.tensor "t0" "a" shape [4, 4, 24] type "i8" pos 4 pixel 24 order [1, 1, 2]

// -----

// CHECK: Operation does not verify: order must name each of the 3 granules of channels once, not [1, 0]
dataflow.tensor "t0" "a" shape [4, 4, 24] type "i8" pos 4 pixel 24 order [1, 0]

// -----

// CHECK: Operation does not verify: order: the last granule has only 4 channels
dataflow.tensor "t0" "a" shape [4, 4, 20] type "i8" pos 4 pixel 24 order [0, 2, 1]

// -----

// CHECK: Operation does not verify: shape is H, W, C, all positive, not [4, 0, 8]
dataflow.tensor "t0" "a" shape [4, 0, 8] type "i8" pos 4 pixel 8

// -----

// CHECK: Operation does not verify: shape is H, W, C, all positive, not [1, 4, 4, 8]
dataflow.tensor "t0" "a" shape [1, 4, 4, 8] type "i8" pos 4 pixel 8

// -----

// CHECK: Operation does not verify: element must be i8 or i32, not i16
dataflow.tensor "t0" "a" shape [4, 4, 8] type "i16" pos 4 pixel 16

// -----

// CHECK: Operation does not verify: pixel is 8 bytes; 3 channels of i32 take 12
dataflow.tensor "t0" "a" shape [4, 4, 3] type "i32" pos 4 pixel 8

// -----

// CHECK: Operation does not verify: ddr address -64 is negative
dataflow.tensor "t0" "a" shape [4, 4, 8] type "i8" pos 4 pixel 8 ddr -64

// -----

// CHECK: Operation does not verify: a port is an input or an output, not "inout"
dataflow.port "inout" "t0" #qnn.host<"data", "int8", "NCHW", [1, 8, 4, 4], zero 0>

// -----

// CHECK: Operation does not verify: a lock is on a core, memtile, ddr, not shim
dataflow.lock "k_0" "shim" init 0

// -----

// AIE2's counters go up to 63.
// CHECK: Operation does not verify: init is 64; a lock goes from 0 to 63
dataflow.lock "k_0" "core" init 64

// -----

// CHECK: Operation does not verify: init is -1; a lock goes from 0 to 63
dataflow.lock "k_0" "core" init -1

// -----

// CHECK: Operation does not verify: a stage is one of weights, whole, head, body, tail, not middle
dataflow.stage "middle"

// -----

// CHECK: Operation does not verify: a tensor in the memtiles, and only that, has a spread
dataflow.ready "t0" #dataflow.place<memtile 0x0>

// -----

// CHECK: Operation does not verify: ready: 2 pieces, paper-4x4 has 4 columns
dataflow.ready "t0" #dataflow.place<memtile 0x0, w [0, 2, 4]>
