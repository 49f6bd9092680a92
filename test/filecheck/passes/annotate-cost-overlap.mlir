// RUN: bsc-opt --detect-block-sparsity --split-width --split-cout --select-subvolume="rows=1 cin=16 stationary=weights" --alloc-memtile --pack-weights --lower-to-dataflow --chain-locks --annotate-cost=timing=overlap %s | filecheck %s
// RUN: not bsc-opt --detect-block-sparsity --split-width --split-cout --select-subvolume="rows=1 cin=16 stationary=weights" --alloc-memtile --pack-weights --lower-to-dataflow --annotate-cost=overlap %s 2>&1 | filecheck %s --check-prefix=LOCKS

// Nanoseconds from the first iteration on any column to the last on any, as the locks allow.
// Two rows of cores have weights, from the memtiles of the first two columns.  There LOAD and
// LOADW share the two channels from DDR: 64 bytes each in 14.901 ns; then the other 100 of the
// weights have both, 11.642 ns.  The other memtiles have their input after 7.451 ns, and their
// LOADFM starts.  LOADWDM ends last in the rows with weights: 26.543 + 38.184 = 64.727.
// There CONV takes 2 ns an iteration and then waits for WRITEFM, 3.725 ns each, to free its
// output; cores without weights pass on their first input at 7.451 + 3.725.

// CHECK:      dataflow.program "main" attributes {total_s = 9.65{{[0-9]+}}e-08 : f64, lower_bound_s = {{[0-9.e-]+}} : f64}
// CHECK:      dataflow.load {{.*}} cost <start 0.000, duration 14.901, "ddr">
// CHECK-NEXT: dataflow.loadw {{.*}} cost <start 0.000, duration 26.543, "ddr">
// CHECK:      dataflow.loadwdm {{.*}} cost <start 0.000, duration 64.727, "weights">
// CHECK:      dataflow.loadfm {{.*}} cost <start 7.451, {{.*}}>
// CHECK-NEXT: dataflow.conv {{.*}} cost <start 11.176, duration 65.002, {{.*}}>
// CHECK-NEXT: dataflow.writefm {{.*}} cost <start 66.727, duration 14.901, {{.*}}>
// CHECK:      dataflow.write {{.*}} cost <start 81.628, duration 14.901, "ddr">

// LOCKS: bsc-opt: error: annotate-cost: overlap is what locks allow: run --chain-locks first

bsw.weight @w : !bsw.weight<16x1x1x16, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 256>, bias = #bsw.payload<splat 0, size 64>}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<16x1x1x16, pos 7, bias 12>
  %y = qnn.conv2d %x, %w
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7, bias 12>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>> loc("conv1")
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<4>>
}
