// RUN: bsc-opt --split-width --split-cout --select-subvolume %s | filecheck %s

// A dense layer: one pixel.  So many input channels that their weights do not fit at once,
// not even for eight outputs, come in pieces; their products are added up in the core.  The
// pieces are smaller than they could be, so that one is computed while the next one comes in.
// CHECK:      %y = qnn.dense
// CHECK-SAME:   subvolume = #dataflow.subvolume<rows 1, width 1, cout 8, cin 912, stationary weights>

// An alias computes nothing.
// CHECK:      %z = qnn.reshape %y :

bsw.weight @w : !bsw.weight<10x1x1x10000, pos 7> {data = #bsw.payload<splat 3, size 100000>}

func.func @main(%x : tensor<1x1x1x10000xi8, #qnn.pos<5>>) -> tensor<1x1x10x1xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<10x1x1x10000, pos 7>
  %y = qnn.dense %x, %w
     : tensor<1x1x1x10000xi8, #qnn.pos<5>>, !bsw.weight<10x1x1x10000, pos 7>
    -> tensor<1x1x1x10xi8, #qnn.pos<4>>
  %z = qnn.reshape %y : (tensor<1x1x1x10xi8, #qnn.pos<4>>) -> tensor<1x1x10x1xi8, #qnn.pos<4>>
  func.return %z : tensor<1x1x10x1xi8, #qnn.pos<4>>
}
