// The example of section 4.4 of the paper: one convolution with padding above and below, on
// 4 x 4 cores.  56 rows, 5 at a time, are 11 groups (equation 8):
//
//     Y = Conv(X_0) + sum over h = 1..9 of Conv(X_h) + Conv(X_10)
//
// Only the first group has padding above it and only the last has padding below, so that
// they are stages of their own, of one iteration each: the head and the tail.  The nine
// between them differ in nothing but their address: they are one stage, the body.

// RUN: bsc-opt --detect-block-sparsity --split-width --split-cout --select-subvolume="rows=5 width=14" \
// RUN:   --alloc-memtile --pack-weights --lower-to-dataflow --chain-locks --annotate-cost \
// RUN:   --verify-dataflow -t bsc-asm %s | filecheck %s

// The machine, and what is where before the first instruction:
// CHECK:      .bsc 1
// CHECK:      .arch "paper-4x4"
// CHECK:      .tensor t0 "" shape=[56,56,64] type=i8 pos=5 pixel=64 ddr=0x0
// CHECK-NEXT: .tensor t1 "conv1" shape=[56,56,64] type=i8 pos=4 pixel=64 ddr=0x31000
// CHECK:      .input t0
// CHECK-NEXT: .output t1

// Ping and pong of a core's input and output are free at the start; nothing else is there.
// The body has a second instance of its locks, for the pong.
// CHECK:      .lock f_in core init=2
// CHECK-NEXT: .lock f_out core init=2
// CHECK:      .lock k_0 core init=0
// CHECK-NEXT: .lock k_1 core init=0
// CHECK-NEXT: .lock k_2 core init=0
// CHECK-NEXT: .lock k_2p core init=0
// CHECK-NEXT: .lock k_3 core init=0
// CHECK-NEXT: .lock k_3p core init=0
// CHECK-NEXT: .lock k_4 core init=0
// CHECK-NEXT: .lock k_5 core init=0

// DDR to memtiles, once: activations and weights.  Each column has 14 pixels of a row.
// CHECK:      .layer "conv1" op=conv2d
// CHECK-NEXT: LOAD {{.*}} iter 1 h=56 w=14 c=64
// CHECK-NEXT: LOADW {{.*}} iter 1 bytes=9284
// CHECK-NEXT: .stage weights
// CHECK-NEXT: LOADWDM Lock w_0 memtile {{.*}} iter 1 bytes=9284

// The head: 6 rows of the output from 7 of the input and one row of padding above (pt=1).
// One iteration: load, then compute, then write.  The computation waits for k_0, which
// LOADFM releases, and releases k_1, for which WRITEFM waits.
// CHECK-NEXT: .stage head ## top pad · {{[0-9.]+}} .. [[HEAD_END:[0-9.]+]] us · bound: compute
// CHECK-NEXT: LOADFM Lock k_0 memtile 0x00000 core 0x2460 iter 1 h=7 w=14 c=64
// CHECK-SAME:   acq=f_in
// CHECK-NEXT: CONV iteration 1 in=0x2460 weights=0x0000 out=0x5c60 h=6 w=14 cin=64 cout=16
// CHECK-SAME:   k=[3,3] {{.*}} pt=1 pb=0
// CHECK-SAME:   acq=k_0,f_out,w_0 rel=f_in,k_1
// CHECK-NEXT: WRITEFM Lock k_1 memtile 0x0c400 core 0x5c60 iter 1 h=6 w=14 c=16
// CHECK-SAME:   rel=f_out

// The body: nine times 5 rows from 7, without padding; hstep leads from one to the next,
// and ping and pong of data and locks alternate.  It begins when the head has ended.
// CHECK-NEXT: .stage body ## k_0 -> k_2 -> k_4 · [[HEAD_END]] .. [[BODY_END:[0-9.]+]] us · bound: compute
// CHECK-NEXT: LOADFM Lock k_2|k_2p memtile 0x01180 core 0x4060|0x2460 iter 9 h=7 w=14 c=64
// CHECK-SAME:   hstep=4480 acq=f_in
// CHECK-NEXT: CONV iteration 9 in=0x4060|0x2460 weights=0x0000 out=0x61a0|0x5c60 h=5 w=14 cin=64 cout=16
// CHECK-SAME:   k=[3,3] {{.*}} pt=0 pb=0
// CHECK-SAME:   acq=k_2|k_2p,f_out rel=f_in,k_3|k_3p
// CHECK-NEXT: WRITEFM Lock k_3|k_3p memtile 0x0d900 core 0x61a0|0x5c60 iter 9 h=5 w=14 c=16
// CHECK-SAME:   hstep=4480 rel=f_out

// The tail: the last 5 rows from 6 of the input and one row of padding below (pb=1).
// CHECK-NEXT: .stage tail ## bottom pad · [[BODY_END]] .. [[TAIL_END:[0-9.]+]] us · bound: compute
// CHECK-NEXT: LOADFM Lock k_4 memtile 0x0af00 core 0x2460 iter 1 h=6 w=14 c=64
// CHECK-SAME:   acq=f_in
// CHECK-NEXT: CONV iteration 1 in=0x2460 weights=0x0000 out=0x5c60 h=5 w=14 cin=64 cout=16
// CHECK-SAME:   k=[3,3] {{.*}} pt=0 pb=1
// CHECK-SAME:   acq=k_4,f_out rel=f_in,k_5
// CHECK-NEXT: WRITEFM Lock k_5 memtile 0x17680 core 0x5c60 iter 1 h=5 w=14 c=16
// CHECK-SAME:   rel=f_out

// Memtiles to DDR, once.
// CHECK-NEXT: .ready t1 memtile=0xc400 spread=w bounds=[0,14,28,42,56]
// CHECK-NEXT: WRITE {{.*}} iter 1 h=56 w=14 c=64 {{.*}} ## [[TAIL_END]] ..
// CHECK-NEXT: .end

bsw.weight @w : !bsw.weight<64x3x3x64, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 36864>, bias = #bsw.payload<splat 0, size 256>}

func.func @main(%x : tensor<1x56x56x64xi8, #qnn.pos<5>>) -> tensor<1x56x56x64xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<64x3x3x64, pos 7, bias 12>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x56x56x64xi8, #qnn.pos<5>>, !bsw.weight<64x3x3x64, pos 7, bias 12>
    -> tensor<1x56x56x64xi8, #qnn.pos<4>> loc("conv1")
  func.return %y : tensor<1x56x56x64xi8, #qnn.pos<4>>
}
