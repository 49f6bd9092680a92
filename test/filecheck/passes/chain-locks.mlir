// RUN: bsc-opt --detect-block-sparsity --split-width --split-cout --select-subvolume="rows=1 cin=16 stationary=weights" --alloc-memtile --pack-weights --lower-to-dataflow --chain-locks %s | filecheck %s

// Tokens are gone; what was said by them is said by locks, declared with their initial values.
// f_in and f_out are free buffers of a core, ping and pong; f_w is room for weights; k_2 and
// k_3 hand over from LOADFM to CONV to WRITEFM, with an instance for the pong; w_0 says that
// weights are in the cores, m_0 to m_2 what is in the memtiles.

// CHECK:      dataflow.program "main" {
// CHECK:      dataflow.lock "f_in" "core" init 2
// CHECK-NEXT: dataflow.lock "f_out" "core" init 2
// CHECK:      dataflow.lock "k_2" "core" init 0
// CHECK-NEXT: dataflow.lock "k_2p" "core" init 0
// CHECK-NEXT: dataflow.lock "k_3" "core" init 0
// CHECK-NEXT: dataflow.lock "k_3p" "core" init 0

// CHECK:      dataflow.load "{{.*}} rel=m_[[X:[0-9]]]"
// CHECK-NEXT: dataflow.loadw "{{.*}} rel=m_[[W:[0-9]]]"
// CHECK:      dataflow.loadwdm "Lock w_0 {{.*}} acq=f_w*2,m_[[W]]"

// `/4`: not in each of the four iterations, but once for all of them.
// CHECK:      dataflow.loadfm "Lock k_2|k_2p {{.*}} acq=f_in,m_[[X]]/4"
// CHECK-NEXT: dataflow.conv "{{.*}} acq=k_2|k_2p,f_out,w_0/4 rel=f_in,k_3|k_3p,f_w*2/4"
// CHECK-NEXT: dataflow.writefm "Lock k_3|k_3p {{.*}} rel=f_out,m_[[Y:[0-9]]]/4"
// CHECK:      dataflow.write "{{.*}} acq=m_[[Y]]"
// CHECK-NOT:  after

// Locks stand in the program once only.
// RUN: not bsc-opt --detect-block-sparsity --split-width --split-cout --select-subvolume="rows=1 cin=16 stationary=weights" --alloc-memtile --pack-weights --lower-to-dataflow --chain-locks --chain-locks %s 2>&1 | filecheck %s --check-prefix=TWICE
// TWICE: error: chain-locks: the program has locks already

bsw.weight @w : !bsw.weight<16x1x1x16, pos 7, bias 12> {
  data = #bsw.payload<splat 3, size 256>, bias = #bsw.payload<splat 0, size 64>}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<16x1x1x16, pos 7, bias 12>
  %y = qnn.conv2d %x, %w
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x16, pos 7, bias 12>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>> loc("conv1")
  func.return %y : tensor<1x4x4x16xi8, #qnn.pos<4>>
}
