// RUN: bsc-opt --split-cout=factor=2 --validate-values %s | filecheck %s
// RUN: not bsc-opt --split-cout=factor=none %s 2>&1 | filecheck %s --check-prefix=NONE

// `factor` splits in time too: each operation has a slice of the weight, all of the input,
// and some channels of the output.  Boundaries are whole blocks: 40 channels are 24 and 16.

// CHECK:      %0 = tensor.empty() : tensor<1x8x8x40xi8, #qnn.pos<4>>
// CHECK-NEXT: %1 = bsw.slice %w cout [0, 24] cin [0, 8]
// CHECK-NEXT: %y = qnn.conv2d %x, %1 {rows = #dataflow.spread<c [0, 8, 16, 24, 24]>}
// CHECK-NEXT: %2 = tensor.insert_slice %y into %0[0, 0, 0, 0] [1, 8, 8, 24]
// CHECK-NEXT: %3 = bsw.slice %w cout [24, 40] cin [0, 8]
// CHECK-NEXT: %y_1 = qnn.conv2d %x, %3 {rows = #dataflow.spread<c [0, 8, 16, 16, 16]>}
// CHECK-NEXT: %y_2 = tensor.insert_slice %y_1 into %2[0, 0, 0, 24] [1, 8, 8, 16]

// NONE: bsc-opt: error: split-cout: factor must be a whole number of at least 1, not none

bsw.weight @w : !bsw.weight<40x1x1x8, pos 7> {data = #bsw.payload<splat 3, size 320>}

func.func @main(%x : tensor<1x8x8x8xi8, #qnn.pos<5>>) -> tensor<1x8x8x40xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<40x1x1x8, pos 7>
  %y = qnn.conv2d %x, %w
     : tensor<1x8x8x8xi8, #qnn.pos<5>>, !bsw.weight<40x1x1x8, pos 7>
    -> tensor<1x8x8x40xi8, #qnn.pos<4>>
  func.return %y : tensor<1x8x8x40xi8, #qnn.pos<4>>
}
