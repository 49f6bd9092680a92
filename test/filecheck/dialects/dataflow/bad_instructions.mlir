// RUN: BSC_INVALID

// The words of an instruction are read by the reader of the program text (docs/asm.md), and its
// lists are held against the grid: here paper-4x4, the default.

// CHECK: unknown instruction 'JUMP'
"test.op"() {a = #dataflow.instr<"JUMP iter 1">} : () -> ()

// -----

// CHECK: LOADW: iter is missing
%0 = dataflow.loadw "blob 0 memtile 0 bytes=64"

// -----

// A computation has `iteration`, as in the paper; a transfer `iter`.
// CHECK: COPY: iteration is missing
%0 = dataflow.copy "in=0 out=64 h=1 w=1 c=8 xpos=4 post=round(4)"

// -----

// CHECK: iter 2x2x2: at most two levels, 65536 in all
%0 = dataflow.loadw "blob 0 memtile 0 iter 2x2x2 bytes=64"

// -----

// CHECK: 0 must be at least 1
%0 = dataflow.loadw "blob 0 memtile 0 iter 0 bytes=64"

// -----

// CHECK: LOADW: unknown field 'byte'; did you mean 'bytes'?
%0 = dataflow.loadw "blob 0 memtile 0 iter 1 byte=64"

// -----

// CHECK: bytes is given twice
%0 = dataflow.loadw "blob 0 memtile 0 iter 1 bytes=64 bytes=64"

// -----

// CHECK: LOADW: bytes=64k: '64k' is not a number
%0 = dataflow.loadw "blob 0 memtile 0 iter 1 bytes=64k"

// -----

// CHECK: 'memtile' needs a value
%0 = dataflow.loadw "blob 0 iter 1 bytes=64 memtile"

// -----

// CHECK: LOADW has no Lock; use acq= and rel=
%0 = dataflow.loadw "Lock k_0 blob 0 memtile 0 iter 1 bytes=64"

// -----

// CHECK: 'k-0' is not a lock: write k_0, k_0|k_0p, k_0@l*2/9
%0 = dataflow.loadw "blob 0 memtile 0 iter 1 bytes=64 rel=k-0"

// -----

// CHECK: 'k_0*0': amount and period are at least 1
%0 = dataflow.loadw "blob 0 memtile 0 iter 1 bytes=64 rel=k_0*0"

// -----

// CHECK: COPY: post=relu(4): steps are round(pos), round(pos,lo,hi) and add(pos)
%0 = dataflow.copy "iteration 1 in=0 out=64 h=1 w=1 c=8 xpos=4 post=relu(4)"

// -----

// CHECK: COPY: post=round(4,-200,0): bounds must lie in [-128, 127]
%0 = dataflow.copy "iteration 1 in=0 out=64 h=1 w=1 c=8 xpos=4 post=round(4,-200,0)"

// -----

// CHECK: COPY: post=round(4)+add(3): the last step must round
%0 = dataflow.copy "iteration 1 in=0 out=64 h=1 w=1 c=8 xpos=4 post=round(4)+add(3)"

// -----

// CHECK: AVGPOOL: count=all: one of window, inside
%0 = dataflow.avgpool "iteration 1 in=0 out=64 h=1 w=1 c=8 hin=1 win=1 k=[1,1] s=[1,1] d=[1,1] pt=0 pb=0 pl=0 pr=0 xpos=4 post=round(4) count=all"

// -----

// CHECK: COPY: rounding=up: one of half_even, half_up, half_away, floor
%0 = dataflow.copy "iteration 1 in=0 out=64 h=1 w=1 c=8 xpos=4 post=round(4) rounding=up"

// -----

// What has no default must be there.
// CHECK: Operation does not verify: LOADW: bytes is missing (bytes to move)
%0 = dataflow.loadw "blob 0 memtile 0 iter 1"

// -----

// Four columns: three numbers are too few, and so are two for four links.
// CHECK: Operation does not verify: LOADW: bytes: a list over col must be 4
%0 = dataflow.loadw "blob 0 memtile 0 iter 1 bytes=[64,64,64]"

// -----

// CHECK: Operation does not verify: LOADWDM: bytes: a list over link must be 4
%0 = dataflow.loadwdm "memtile 0 core 0 iter 1 bytes=[64,64] off=0"

// -----

// A list with one more dimension has a value for each iteration,
// CHECK: Operation does not verify: LOADWDM: bytes: a list over iteration x link must be 3 x 4
%0 = dataflow.loadwdm "memtile 0 core 0 iter 3 bytes=[[64,64,64,64],[64,64,64,64]] off=0"

// -----

// where the field may vary.
// CHECK: Operation does not verify: LOADW: bytes: a list over col must be 4
%0 = dataflow.loadw "blob 0 memtile 0 iter 3 bytes=[[64,64,64,64],[64,64,64,64],[64,64,64,64]]"

// -----

// CHECK: Operation does not verify: LOADW: bytes: not a regular list of numbers
%0 = dataflow.loadw "blob 0 memtile 0 iter 1 bytes=[[64],[64,64]]"

// -----

// CHECK: Operation does not verify: dataflow.conv holds a LOADW
%0 = "dataflow.conv"() <{instr = #dataflow.instr<"LOADW blob 0 memtile 0 iter 1 bytes=64">}> : () -> !dataflow.token
