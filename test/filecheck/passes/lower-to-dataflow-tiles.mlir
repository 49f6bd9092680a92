// RUN: bsc-opt --set-arch=arch=paper-1x2 --detect-block-sparsity --split-width --split-cout --select-subvolume="rows=2 width=4" --alloc-memtile --pack-weights --lower-to-dataflow %s | filecheck %s

// Each of two columns has 16 of 32 pixels of a row, and computes them in four tiles of 4.  The
// outermost tile of one column has padding and that next to the other column a halo, so
// that the first and the last tile are stages of their own.  The two between them differ only
// in their addresses: they are the inner iterations of one stage, and cstep leads from one
// to the next (4 pixels of 8 channels), as hstep does from two rows to the next two (2 rows of
// 16 such pixels).

// CHECK:      dataflow.stage "head"
// CHECK-NEXT: dataflow.loadfm "{{.*}} iter 1 h=4 w=5 c=8 left=0x{{[0-9a-f]+}} wl=[0,1] row=128 pix=8"
// CHECK:      dataflow.stage "body"
// CHECK-NEXT: dataflow.loadfm "{{.*}} iter 2 h=4 w=5 c=8 left=0x{{[0-9a-f]+}} wl=[0,1] row=128 pix=8 hstep=256"

// CHECK:      dataflow.stage "head"
// CHECK-NEXT: dataflow.loadfm "memtile 0x00018 {{.*}} iter 1x2 h=4 w=6 c=8 row=128 pix=8 cstep=32"
// CHECK-NEXT: dataflow.conv "iteration 1x2 {{.*}} h=3 w=4 cin=8 cout=8 hin=4 win=6 {{.*}} pt=1 pb=0 pl=0 pr=0
// CHECK-NEXT: dataflow.writefm "memtile 0x00520 {{.*}} iter 1x2 h=3 w=4 c=8 coff=0 row=128 pix=8 cstep=32"
// CHECK:      dataflow.stage "body"
// CHECK-NEXT: dataflow.loadfm "memtile 0x00118 {{.*}} iter 2x2 h=4 w=6 c=8 row=128 pix=8 hstep=256 cstep=32"

// CHECK:      dataflow.stage "head"
// CHECK-NEXT: dataflow.loadfm "memtile 0x00058 {{.*}} iter 1 h=4 w=5 c=8 right=0x00000 wr=[1,0] row=128 pix=8"
// CHECK-NOT:  cstep

bsw.weight @w : !bsw.weight<8x3x3x8, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 576>, bias = #bsw.payload<splat 0, size 32>}

func.func @main(%x : tensor<1x10x32x8xi8, #qnn.pos<5>>) -> tensor<1x10x32x8xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<8x3x3x8, pos 7, bias 12>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x10x32x8xi8, #qnn.pos<5>>, !bsw.weight<8x3x3x8, pos 7, bias 12>
    -> tensor<1x10x32x8xi8, #qnn.pos<4>> loc("conv1")
  func.return %y : tensor<1x10x32x8xi8, #qnn.pos<4>>
}
