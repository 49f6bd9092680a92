// RUN: BSC_ROUNDTRIP

// One instruction of each kind, on a grid of 2 x 2: fields are numbers, or lists over columns,
// rows, both, or the weight links; one more dimension gives a value for each iteration.
module attributes {bsc.arch = #dataflow.arch<"paper-2x2">} {
dataflow.program "all" {
  dataflow.layer "l" op "conv2d"

  // To each memtile its columns of a map; the last one gets less.
  // CHECK: dataflow.load "ddr [0x00000,0x00010] memtile 0x00000 iter 1 h=3 w=[2,1] c=8 drow=24 dpix=8 row=[16,8] pix=8"
  %0 = dataflow.load "ddr [0x0,0x10] memtile 0x0 iter 1 h=3 w=[2,1] c=8 drow=24 dpix=8 row=[16,8] pix=8"
  // To each memtile the packed weights that its links carry.
  // CHECK: dataflow.loadw "blob [0x00000,0x00050] memtile 0x00100 iter 1 bytes=[80,76]"
  %1 = dataflow.loadw "blob [0x0,0x50] memtile 0x100 iter 1 bytes=[80,76]"

  dataflow.stage "weights"
  // CHECK: dataflow.loadwdm "memtile 0x00100 core 0x0000|0x0080 iter 2 bytes={{\[\[}}40,38],[40,38]] off=0"
  %2 = dataflow.loadwdm "memtile 0x100 core 0x0|0x80 iter 2 bytes=[[40,38],[40,38]] off=0"

  dataflow.stage "head"
  // The first column takes a pixel from its neighbour on the right.  All rows get the same bytes.
  // CHECK: dataflow.loadfm "memtile 0x00000 core 0x0100 iter 1 h=2 w=[2,1] c=8 right=[0x00000,0x00000] wr=[1,0] row=[16,8] pix=8"
  %3 = dataflow.loadfm "memtile 0x0 core 0x100 iter 1 h=2 w=[2,1] c=8 right=[0x00000,0x00000] wr=[1,0] row=[16,8] pix=8"
  // Padding on the left for the first column, on the right for the last; Γ has one block a row.
  // CHECK: dataflow.conv "iteration 1 in=0x0100 weights=0x0000|0x0080 out=0x0200 h=1 w=[2,1] cin=8 cout=[8,0] hin=2 win=[3,1] k=[3,3] s=[1,1] d=[1,1] pt=1 pb=0 pl=[1,1] pr=[0,1] blk=[8,8] blocks=[1,0] xpos=4 wpos=7 bpos=11 post=round(4)+add(3)+round(3,0,127)"
  %4 = dataflow.conv "iteration 1 in=0x100 weights=0x0|0x80 out=0x200 h=1 w=[2,1] cin=8 cout=[8,0] hin=2 win=[3,1] k=[3,3] s=[1,1] d=[1,1] pt=1 pb=0 pl=[1,1] pr=[0,1] blk=[8,8] blocks=[1,0] xpos=4 wpos=7 bpos=11 post=round(4)+add(3)+round(3,0,127)"
  // Without post the int32 sums are stored; two chunks of CIN add up in the accumulators.
  // CHECK: dataflow.dense "iteration 1x2 in=0x0100|0x0140 weights=0x0000|0x0080 out=0x0200/2 part=0x0300/2 acc=0x0c000 h=1 w=1 cin={{\[\[}}8,8],[8,8]] cout=8 hin=1 win=1 k=[1,1] s=[1,1] d=[1,1] pt=0 pb=0 pl=0 pr=0 blk=[8,8] blocks=1 chunks=2 xpos=4 wpos=7 bpos=11 ppos=12 opos=12"
  %5 = dataflow.dense "iteration 1x2 in=0x100|0x140 weights=0x0|0x80 out=0x200/2 part=0x300/2 acc=0xc000 h=1 w=1 cin=[[8,8],[8,8]] cout=8 hin=1 win=1 k=[1,1] s=[1,1] d=[1,1] pt=0 pb=0 pl=0 pr=0 blk=[8,8] blocks=1 chunks=2 xpos=4 wpos=7 bpos=11 ppos=12 opos=12"
  // Each row takes its own channels: c and coff run over rows, then columns.
  // CHECK: dataflow.loadfm "memtile 0x00000 core 0x0100 iter 1 h=1 w=1 c=[8,4] coff=[0,8] row=16 pix=16"
  %6 = dataflow.loadfm "memtile 0x0 core 0x100 iter 1 h=1 w=1 c=[8,4] coff=[0,8] row=16 pix=16"
  // CHECK: dataflow.maxpool "iteration 1 in=0x0100 out=0x0200 h=1 w=1 c=[8,4] hin=1 win=1 k=[1,1] s=[1,1] d=[1,1] pt=0 pb=0 pl=0 pr=0 xpos=4 post=round(4)"
  %7 = dataflow.maxpool "iteration 1 in=0x100 out=0x200 h=1 w=1 c=[8,4] hin=1 win=1 k=[1,1] s=[1,1] d=[1,1] pt=0 pb=0 pl=0 pr=0 xpos=4 post=round(4)"
  // CHECK: dataflow.avgpool "iteration 1 in=0x0100 out=0x0200 h=1 w=1 c=8 hin=1 win=1 k=[1,1] s=[1,1] d=[1,1] pt=0 pb=0 pl=0 pr=0 xpos=4 post=round(4) rounding=half_away count=inside"
  %8 = dataflow.avgpool "iteration 1 in=0x100 out=0x200 h=1 w=1 c=8 hin=1 win=1 k=[1,1] s=[1,1] d=[1,1] pt=0 pb=0 pl=0 pr=0 xpos=4 post=round(4) rounding=half_away count=inside"
  // CHECK: dataflow.mul "iteration 1 in=0x0100 in2=0x0140 out=0x0200 h=1 w=1 c=8 xpos=4 ypos=5 post=round(4)"
  %9 = dataflow.mul "iteration 1 in=0x100 in2=0x140 out=0x200 h=1 w=1 c=8 xpos=4 ypos=5 post=round(4)"
  // CHECK: dataflow.add "iteration 1 in=0x0100 in2=0x0140 out=0x0200 h=1 w=1 c=8 xpos=4 ypos=5 post=round(4)"
  %10 = dataflow.add "iteration 1 in=0x100 in2=0x140 out=0x200 h=1 w=1 c=8 xpos=4 ypos=5 post=round(4)"
  // CHECK: dataflow.copy "iteration 1 in=0x0100 out=0x0200 h=1 w=1 c=8 xpos=4 post=round(4)"
  %11 = dataflow.copy "iteration 1 in=0x100 out=0x200 h=1 w=1 c=8 xpos=4 post=round(4)"
  // CHECK: dataflow.writefm "memtile 0x01000 core 0x0200 iter 1 h=1 w=1 c=[8,4] coff=[0,8] row=16 pix=16"
  %12 = dataflow.writefm "memtile 0x1000 core 0x200 iter 1 h=1 w=1 c=[8,4] coff=[0,8] row=16 pix=16"
  // CHECK: dataflow.write "ddr 0x00000 memtile 0x01000 iter 1 h=1 w=[1,0] c=8 drow=16 dpix=8 row=16 pix=16"
  %13 = dataflow.write "ddr 0x0 memtile 0x1000 iter 1 h=1 w=[1,0] c=8 drow=16 dpix=8 row=16 pix=16"
}
}
