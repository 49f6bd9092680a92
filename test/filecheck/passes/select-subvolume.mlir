// RUN: bsc-opt --split-width --split-cout --select-subvolume %s | filecheck %s

// What fits in a core is the question.  Weights of one row of cores for all channels (16
// outputs, 9 taps, 64 inputs: 9.3 KB) and two rows of 14 pixels do, with a ping and a pong for
// the input and the output, and no other choice that fits takes less time.  A column
// has 7 pixels of the pool's rows.

// CHECK:      %y = qnn.conv2d
// CHECK-SAME:   subvolume = #dataflow.subvolume<rows 2, width 14, cout 16, cin 64, stationary weights>
// CHECK:      %m = qnn.max_pool
// CHECK-SAME:   subvolume = #dataflow.subvolume<rows {{[0-9]+}}, width 7,

bsw.weight @w : !bsw.weight<64x3x3x64, pos 7> {data = #bsw.payload<splat 3, size 36864>}

func.func @main(%x : tensor<1x56x56x64xi8, #qnn.pos<5>>) -> tensor<1x28x28x64xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<64x3x3x64, pos 7>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x56x56x64xi8, #qnn.pos<5>>, !bsw.weight<64x3x3x64, pos 7>
    -> tensor<1x56x56x64xi8, #qnn.pos<4>>
  %m = qnn.max_pool %y {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>}
     : (tensor<1x56x56x64xi8, #qnn.pos<4>>) -> tensor<1x28x28x64xi8, #qnn.pos<4>>
  func.return %m : tensor<1x28x28x64xi8, #qnn.pos<4>>
}
