// RUN: bsc-opt --detect-block-sparsity --split-width --split-cout --select-subvolume="rows=1 cin=16 stationary=weights" --alloc-memtile --pack-weights \
// RUN:   --lower-to-dataflow %s | filecheck %s
// RUN: bsc-opt --detect-block-sparsity --split-width --split-cout --select-subvolume="rows=1 cin=16 stationary=weights" --alloc-memtile --pack-weights \
// RUN:   --lower-to-dataflow=net %s | filecheck %s --check-prefix=NAME

// The function becomes a program: what there is, then what happens, one operation a line of
// the program text.  Activations and weights come into the memtiles; the first two rows of
// cores (16 channels) load their weights, which stay; then four iterations, one a row of the
// image, of load, compute and write.  `after` are tokens: what has to be done before.

// CHECK:      bsw.blob @weights
// CHECK-NOT:  func.func
// CHECK:      dataflow.program "main" {
// CHECK-NEXT:   dataflow.tensor "t0" "" shape [4, 4, 16] type "i8" pos 5 pixel 16 ddr 0
// CHECK-NEXT:   dataflow.tensor "t1" "conv1" shape [4, 4, 16] type "i8" pos 4 pixel 16 ddr 256
// CHECK-NEXT:   dataflow.port "input" "t0" #qnn.host<"input_0", "int8", "NCHW", [1, 16, 4, 4], zero 0>
// CHECK-NEXT:   dataflow.port "output" "t1" #qnn.host<"output_0", "int8", "NCHW", [1, 16, 4, 4], zero 0>
// CHECK-NEXT:   dataflow.ready "t0" #dataflow.place<ddr 0x0>
// CHECK-NEXT:   dataflow.layer "conv1" op "conv2d"
// CHECK-NEXT:   %[[LOAD:.*]] = dataflow.load "ddr [0x00000,0x00010,0x00020,0x00030] memtile 0x{{[0-9a-f]+}} iter 1 h=4 w=1 c=16
// CHECK-NEXT:   %[[LOADW:.*]] = dataflow.loadw "blob [
// CHECK-NEXT:   dataflow.stage "weights"
// CHECK-NEXT:   %[[LOADWDM:.*]] = dataflow.loadwdm "{{.*}} iter 1 bytes=[{{[0-9]+}},{{[0-9]+}},0,0]{{.*}}" after %[[LOADW]]
// CHECK-NEXT:   dataflow.stage "body"
// CHECK-NEXT:   %[[LOADFM:.*]] = dataflow.loadfm "{{.*}} iter 4 h=1 w=1 c=16{{.*}} hstep=16" after {{.*}}%[[LOAD]]
// CHECK-NEXT:   %[[CONV:.*]] = dataflow.conv "iteration 4 {{.*}} h=1 w=1 cin=16 cout=[8,8,0,0]{{.*}} post=round(4)" after {{.*}}%[[LOADFM]]
// CHECK-NEXT:   %[[WRITEFM:.*]] = dataflow.writefm "{{.*}} iter 4 h=1 w=1 c=[8,8,0,0] {{.*}} hstep=16" after {{.*}}%[[CONV]]
// CHECK-NEXT:   dataflow.ready "t1" #dataflow.place<memtile 0x{{[0-9a-f]+}}, w [0, 1, 2, 3, 4]>
// CHECK-NEXT:   dataflow.write "ddr [0x00100,0x00110,0x00120,0x00130] {{.*}} iter 1 h=4 w=1 c=16{{.*}}" after {{.*}}%[[WRITEFM]]
// CHECK-NEXT: }

// NAME: dataflow.program "net" {

bsw.weight @w : !bsw.weight<16x1x1x16, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 256>, bias = #bsw.payload<splat 0, size 64>}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<16x1x1x16, pos 7, bias 12>
  %y = qnn.conv2d %x, %w
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7, bias 12>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>> loc("conv1")
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<4>>
}
