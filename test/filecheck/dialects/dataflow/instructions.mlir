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
  // CHECK: dataflow.lookup "iteration 1 in=0x0100 out=0x0200 h=1 w=1 c=8 xpos=4 table=c0c0c1c1{{[0-9a-f]+}}3e3f3f tpos=5 post=round(4)"
  %14 = dataflow.lookup "iteration 1 in=0x100 out=0x200 h=1 w=1 c=8 xpos=4 table=c0c0c1c1c2c2c3c3c4c4c5c5c6c6c7c7c8c8c9c9cacacbcbcccccdcdcececfcfd0d0d1d1d2d2d3d3d4d4d5d5d6d6d7d7d8d8d9d9dadadbdbdcdcdddddededfdfe0e0e1e1e2e2e3e3e4e4e5e5e6e6e7e7e8e8e9e9eaeaebebececededeeeeefeff0f0f1f1f2f2f3f3f4f4f5f5f6f6f7f7f8f8f9f9fafafbfbfcfcfdfdfefeffff00000101020203030404050506060707080809090a0a0b0b0c0c0d0d0e0e0f0f10101111121213131414151516161717181819191a1a1b1b1c1c1d1d1e1e1f1f20202121222223232424252526262727282829292a2a2b2b2c2c2d2d2e2e2f2f30303131323233333434353536363737383839393a3a3b3b3c3c3d3d3e3e3f3f tpos=5 post=round(4)"
  // CHECK: dataflow.resize "iteration 1 in=0x0100 out=0x0200 h=2 w=[2,1] c=8 hin=1 win=[2,1] up=[2,2] ph=0 pw=[1,0] xpos=4 post=round(4)"
  %15 = dataflow.resize "iteration 1 in=0x100 out=0x200 h=2 w=[2,1] c=8 hin=1 win=[2,1] up=[2,2] ph=0 pw=[1,0] xpos=4 post=round(4)"
  // CHECK: dataflow.writefm "memtile 0x01000 core 0x0200 iter 1 h=1 w=1 c=[8,4] coff=[0,8] row=16 pix=16"
  %12 = dataflow.writefm "memtile 0x1000 core 0x200 iter 1 h=1 w=1 c=[8,4] coff=[0,8] row=16 pix=16"
  // CHECK: dataflow.write "ddr 0x00000 memtile 0x01000 iter 1 h=1 w=[1,0] c=8 drow=16 dpix=8 row=16 pix=16"
  %13 = dataflow.write "ddr 0x0 memtile 0x1000 iter 1 h=1 w=[1,0] c=8 drow=16 dpix=8 row=16 pix=16"
}
}
