// The target `bsc-asm`: the text of a program, or a word on what is missing.

// RUN: bsc-opt --set-arch=paper-2x2 --bsc-compile -t bsc-asm %s | filecheck %s
// RUN: bsc-opt --set-arch=paper-2x2 --bsc-compile %s | bsc-opt -t bsc-asm | filecheck %s
// RUN: not bsc-opt -t bsc-asm %s 2>&1 | filecheck %s --check-prefix=EARLY

// EARLY: there is no dataflow.program: run --lower-to-dataflow first

// Packed weights for each row of cores come in two chunks of CIN, so that the input of the
// second one comes in while the first one is computed: Γ (4), bias (32) and a block of 576;
// Γ and the other block.
// Two columns of cores with 2 pixels each read one more from their neighbour.

// CHECK:      .bsc 1
// CHECK-NEXT: .program "main"
// CHECK-NEXT: .arch "paper-2x2"
// CHECK:      .blob bytes=2384 sha256={{[0-9a-f]+}}
// CHECK-NEXT: .tensor t0 "" shape=[4,4,16] type=i8 pos=5 pixel=16 ddr=0x0
// CHECK-NEXT: .tensor t1 "y" shape=[4,4,16] type=i8 pos=4 pixel=16 ddr=0x100
// CHECK-NEXT: .input t0
// CHECK-NEXT: .output t1
// CHECK-NEXT: .lock
// CHECK:      .ready t0 ddr
// CHECK:      .layer "y" op=conv2d
// CHECK-NEXT: LOAD ddr [0x00000,0x00020] memtile {{.*}} iter 1 h=4 w=2 c=16
// CHECK-NEXT: LOADW blob [0x00000,0x004a8] memtile {{.*}} iter 1 bytes=1192
// CHECK-NEXT: .stage whole
// CHECK-NEXT: LOADFM Lock k_0 {{.*}} iter 1x2 h=4 w=2 c=8 {{.*}} wl=[0,1] {{.*}} wr=[1,0]
// CHECK-NEXT: LOADWDM Lock w_0 {{.*}} bytes={{\[\[}}612,612],[580,580]]
// CHECK-NEXT: CONV iteration 1x2 {{.*}} blk=[8,8] blocks=1 chunks=2 xpos=5 wpos=7 bpos=12 post=round(4)
// CHECK-NEXT: WRITEFM Lock k_1
// CHECK-NEXT: .ready t1
// CHECK-NEXT: WRITE ddr
// CHECK-NEXT: .end

builtin.module {
  bsw.weight @w : !bsw.weight<16x3x3x16, pos 7, bias 12> {
    data = #bsw.payload<splat 3, size 2304>, bias = #bsw.payload<splat 0, size 64>}

  func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>> {
    %w = bsw.get @w : !bsw.weight<16x3x3x16, pos 7, bias 12>
    %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
       : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x3x3x16, pos 7, bias 12>
      -> tensor<1x4x4x16xi8, #qnn.pos<4>> loc("y")
    func.return %y : tensor<1x4x4x16xi8, #qnn.pos<4>>
  }
}
