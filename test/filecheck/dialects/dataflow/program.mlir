// RUN: BSC_ROUNDTRIP

// A whole program, by hand: one layer that doubles a 4 x 4 x 8 map.  Every operation is one line
// of the program text (docs/asm.md).
module attributes {bsc.arch = #dataflow.arch<"paper-1x1">} {
// CHECK: dataflow.program "doubled" attributes {elided = [#qnn.elided<"x_q", "it is written straight into y_q">]} {
dataflow.program "doubled" attributes {
    elided = [#qnn.elided<"x_q", "it is written straight into y_q">]} {

  // What is declared: tensors with the bytes of a pixel as stored and, if they are ever there, an
  // address in DDR; the boundary to the host; other names of the same bytes; families of locks.
  // CHECK-NEXT: dataflow.tensor "t0" "x" shape [4, 4, 8] type "i8" pos 4 pixel 8 ddr 0
  dataflow.tensor "t0" "x" shape [4, 4, 8] type "i8" pos 4 pixel 8 ddr 0
  // CHECK-NEXT: dataflow.tensor "t1" "y" shape [4, 4, 8] type "i8" pos 3 pixel 8 ddr 128
  dataflow.tensor "t1" "y" shape [4, 4, 8] type "i8" pos 3 pixel 8 ddr 128
  // CHECK-NEXT: dataflow.tensor "t2" "sums" shape [4, 4, 3] type "i32" pos 12 pixel 32
  dataflow.tensor "t2" "sums" shape [4, 4, 3] type "i32" pos 12 pixel 32
  // The channels of a tensor may lie in another order than the model's: here its granule 2, then
  // 0, then 1, each of eight channels.
  // CHECK-NEXT: dataflow.tensor "t3" "mixed" shape [4, 4, 24] type "i8" pos 4 pixel 24 order [2, 0, 1]
  dataflow.tensor "t3" "mixed" shape [4, 4, 24] type "i8" pos 4 pixel 24 order [2, 0, 1]
  // CHECK-NEXT: dataflow.port "input" "t0" #qnn.host<"x", "int8", "NCHW", [1, 8, 4, 4], zero 0>
  dataflow.port "input" "t0" #qnn.host<"x", "int8", "NCHW", [1, 8, 4, 4], zero 0>
  // CHECK-NEXT: dataflow.port "output" "t1" #qnn.host<"y", "uint8", "NHWC", [1, 4, 4, 8], zero 128>
  dataflow.port "output" "t1" #qnn.host<"y", "uint8", "NHWC", [1, 4, 4, 8], zero 128>
  // CHECK-NEXT: dataflow.alias "y_flat" of "t1"
  dataflow.alias "y_flat" of "t1"
  // CHECK-NEXT: dataflow.lock "k_0" "core" init 0
  dataflow.lock "k_0" "core" init 0
  // CHECK-NEXT: dataflow.lock "f_in" "core" init 2
  dataflow.lock "f_in" "core" init 2
  // CHECK-NEXT: dataflow.lock "m_0" "memtile" init 0
  dataflow.lock "m_0" "memtile" init 0
  // CHECK-NEXT: dataflow.lock "d_0" "ddr" init 0
  dataflow.lock "d_0" "ddr" init 0

  // A tensor that is complete: in DDR, or in the memtiles, with its spread.
  // CHECK-NEXT: dataflow.ready "t0" #dataflow.place<ddr 0x0>
  dataflow.ready "t0" #dataflow.place<ddr 0x0>

  // The instructions of an operation, or of a piece of one.
  // CHECK-NEXT: dataflow.layer "double" part "h 0:4" op "add"
  dataflow.layer "double" part "h 0:4" op "add"
  // DDR to memtile.  The result is a token: that the instruction is done, all its iterations.
  // CHECK-NEXT: %x = dataflow.load "ddr 0x00000 memtile 0x00000 iter 1 h=4 w=4 c=8 drow=32 dpix=8 row=32 pix=8"
  %x = dataflow.load "ddr 0 memtile 0 iter 1 h=4 w=4 c=8 drow=32 dpix=8 row=32 pix=8"

  // A stage: what is in it runs iteration by iteration.
  // CHECK-NEXT: dataflow.stage "body"
  dataflow.stage "body"
  // Core buffers are written ping|pong; hexadecimal or decimal is all the same.  `after` waits
  // for tokens; --chain-locks makes locks of them.
  // CHECK-NEXT: %a = dataflow.loadfm "memtile 0x00000 core 0x0000|0x0040 iter 2 h=2 w=4 c=8 row=32 pix=8 hstep=64" after %x
  %a = dataflow.loadfm
    "memtile 0x0 core 0|64 iter 2 h=2 w=4 c=8 row=32 pix=8 hstep=64" after %x
  // Locks stand among the words, as in the paper's `LOADFM Lock k_0 memtile addr core addr iter i`.
  // CHECK-NEXT: %b = dataflow.add "iteration 2 in=0x0000|0x0040 in2=0x0000|0x0040 out=0x0080|0x00c0 h=2 w=4 c=8 xpos=4 ypos=4 post=round(3) acq=k_0,f_in*2 rel=f_in" after %a, %x
  %b = dataflow.add
    "iteration 2 in=0|64 in2=0|64 out=128|192 h=2 w=4 c=8 xpos=4 ypos=4 post=round(3) acq=k_0,f_in*2 rel=f_in"
    after %a, %x
  // What --annotate-cost knows: nanoseconds, and what bounds the stage.
  // CHECK-NEXT: %c = dataflow.writefm "Lock k_0 memtile 0x00080 core 0x0080|0x00c0 iter 2 h=2 w=4 c=8 coff=0 row=32 pix=8 hstep=64" after %b cost <start 12000.000, duration 30.250, "write">
  %c = dataflow.writefm
    "Lock k_0 memtile 128 core 128|192 iter 2 h=2 w=4 c=8 coff=0 row=32 pix=8 hstep=64"
    after %b cost <start 12000.0, duration 30.25, "write">
  // CHECK-NEXT: dataflow.ready "t1" #dataflow.place<memtile 0x80, w [0, 4]>
  dataflow.ready "t1" #dataflow.place<memtile 0x80, w [0, 4]>
  // CHECK-NEXT: %d = dataflow.write "ddr 0x00080 memtile 0x00080 iter 1 h=4 w=4 c=8 drow=32 dpix=8 row=32 pix=8" after %c
  %d = dataflow.write "ddr 128 memtile 128 iter 1 h=4 w=4 c=8 drow=32 dpix=8 row=32 pix=8" after %c
}

// The attributes of an instruction can stand alone, too.
// CHECK: "test.op"() {instr = #dataflow.instr<"COPY iteration 1 in=0x0000 out=0x0040 h=1 w=1 c=8 xpos=4 post=round(4,0,127)">, cost = #dataflow.cost<start 0.000, duration 1.500, "compute">}
"test.op"() {
  instr = #dataflow.instr<"COPY iteration 1 in=0 out=64 h=1 w=1 c=8 xpos=4 post=round(4,0,127)">,
  cost = #dataflow.cost<start 0.0, duration 1.5, "compute">} : () -> ()
}
