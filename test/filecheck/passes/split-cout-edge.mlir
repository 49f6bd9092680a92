// RUN: bsc-opt --split-width --split-cout=factor=2 --validate-values %s | filecheck %s

// A dense layer of ten outputs: two blocks, the second one not full.
// CHECK:      bsw.slice %w cout [0, 8]
// CHECK-NEXT: qnn.dense
// CHECK-SAME: rows = #dataflow.spread<c [0, 8, 8, 8, 8]>
// CHECK:      bsw.slice %w cout [8, 10]
// CHECK-NEXT: qnn.dense
// CHECK-SAME: rows = #dataflow.spread<c [0, 8, 8, 8, 8]>{{.*}} -> tensor<1x1x1x2xi8,

// Where columns share C (a global pool), a piece has what they have of the whole: the third
// and fourth block lie in the third and fourth column.
// CHECK:      qnn.global_avg_pool
// CHECK-SAME: columns = #dataflow.spread<c [0, 8, 16, 16, 16]>
// CHECK:      qnn.global_avg_pool
// CHECK-SAME: columns = #dataflow.spread<c [0, 0, 0, 8, 16]>

// A grouped convolution is cut between groups, and each piece reads the inputs of its own: here
// one group is left, an ordinary convolution.
// CHECK:      [[X0:%.*]] = tensor.extract_slice %x[0, 0, 0, 0] [1, 4, 4, 16]
// CHECK:      [[K0:%.*]] = bsw.slice %k cout [0, 16] cin [0, 16]
// CHECK-NEXT: qnn.conv2d [[X0]], [[K0]] {columns
// CHECK:      [[X1:%.*]] = tensor.extract_slice %x[0, 0, 0, 16] [1, 4, 4, 16]
// CHECK:      [[K1:%.*]] = bsw.slice %k cout [16, 32] cin [0, 16]
// CHECK-NEXT: qnn.conv2d [[X1]], [[K1]] {columns

// Six outputs of each of four groups: only after every fourth group do the outputs start a new
// granule of eight, so that there is no piece smaller than the whole.
// CHECK:      qnn.conv2d %u, %q {groups = 4
// CHECK-NOT:  qnn.conv2d

bsw.weight @w : !bsw.weight<10x1x1x16, pos 7> {data = #bsw.payload<splat 3, size 160>}
bsw.weight @k : !bsw.weight<32x1x1x16, pos 7> {data = #bsw.payload<splat 1, size 512>}
bsw.weight @q : !bsw.weight<24x1x1x4, pos 7> {data = #bsw.payload<splat 1, size 96>}

func.func @main(%v : tensor<1x1x1x16xi8, #qnn.pos<5>>, %x : tensor<1x4x4x32xi8, #qnn.pos<5>>, %u : tensor<1x4x4x16xi8, #qnn.pos<5>>)
    -> (tensor<1x1x1x10xi8, #qnn.pos<4>>, tensor<1x1x1x32xi8, #qnn.pos<5>>, tensor<1x4x4x32xi8, #qnn.pos<4>>, tensor<1x4x4x24xi8, #qnn.pos<4>>) {
  %w = bsw.get @w : !bsw.weight<10x1x1x16, pos 7>
  %k = bsw.get @k : !bsw.weight<32x1x1x16, pos 7>
  %y = qnn.dense %v, %w
     : tensor<1x1x1x16xi8, #qnn.pos<5>>, !bsw.weight<10x1x1x16, pos 7>
    -> tensor<1x1x1x10xi8, #qnn.pos<4>>
  %m = qnn.global_avg_pool %x
     : (tensor<1x4x4x32xi8, #qnn.pos<5>>) -> tensor<1x1x1x32xi8, #qnn.pos<5>>
  %g = qnn.conv2d %x, %k {groups = 2}
     : tensor<1x4x4x32xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x16, pos 7>
    -> tensor<1x4x4x32xi8, #qnn.pos<4>>
  %q = bsw.get @q : !bsw.weight<24x1x1x4, pos 7>
  %h = qnn.conv2d %u, %q {groups = 4}
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<24x1x1x4, pos 7>
    -> tensor<1x4x4x24xi8, #qnn.pos<4>>
  func.return %y, %m, %g, %h : tensor<1x1x1x10xi8, #qnn.pos<4>>, tensor<1x1x1x32xi8, #qnn.pos<5>>, tensor<1x4x4x32xi8, #qnn.pos<4>>, tensor<1x4x4x24xi8, #qnn.pos<4>>
}
