// RUN: bsc-opt --detect-block-sparsity --split-width --split-cout --select-subvolume="rows=1 cin=16 stationary=weights" --alloc-memtile --pack-weights --lower-to-dataflow --annotate-cost %s | filecheck %s
// RUN: not bsc-opt --annotate-cost=fast %s 2>&1 | filecheck %s --check-prefix=TIMING
// RUN: not bsc-opt --annotate-cost %s 2>&1 | filecheck %s --check-prefix=MISSING

// Nanoseconds, under the paper's serial rules.  LOAD brings 64 bytes into each memtile over a
// link of 2^32 bytes/s: 14.901 ns.  LOADW runs beside it and takes longer.  Then LOADWDM,
// alone; then the stage of four iterations, which takes as long as the longest of its three
// sums, here those of the loads (4 x 16 bytes; CONV takes 4 x 2 cycles); then WRITE.

// CHECK:      dataflow.program "main" attributes {total_s = {{[0-9.e-]+}} : f64, lower_bound_s = {{[0-9.e-]+}} : f64}
// CHECK:      dataflow.load {{.*}} cost <start 0.000, duration 14.901, "ddr">
// CHECK-NEXT: dataflow.loadw {{.*}} cost <start 0.000, duration [[W:[0-9.]+]], "ddr">
// CHECK:      dataflow.loadwdm {{.*}} cost <start [[W]], duration [[W]], "weights">
// CHECK:      dataflow.loadfm {{.*}} cost <start [[S:[0-9.]+]], duration 14.901, "load">
// CHECK-NEXT: dataflow.conv {{.*}} cost <start [[S]], duration 8.000, "load">
// CHECK-NEXT: dataflow.writefm {{.*}} cost <start [[S]], duration 14.901, "load">
// CHECK:      dataflow.write {{.*}} cost <start {{[0-9.]+}}, duration 14.901, "ddr">

// TIMING: bsc-opt: error: annotate-cost: timing must be serial{{.*}}, not fast
// MISSING: bsc-opt: error: annotate-cost: there is no dataflow.program: run --lower-to-dataflow first

bsw.weight @w : !bsw.weight<16x1x1x16, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 256>, bias = #bsw.payload<splat 0, size 64>}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<16x1x1x16, pos 7, bias 12>
  %y = qnn.conv2d %x, %w
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7, bias 12>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>> loc("conv1")
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<4>>
}
