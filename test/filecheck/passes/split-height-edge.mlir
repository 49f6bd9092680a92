// RUN: bsc-opt '--set-arch=arch=small toml="memtile_bytes = 5120"' --split-height \
// RUN:   --validate-values %s | filecheck %s
// RUN: bsc-opt --split-height=2 --split-width=2 --split-cout=2 --validate-values %s \
// RUN:   | filecheck %s --check-prefix=NESTED

// As few slices as fit: input, output and weights of one slice together take less than a
// memtile.  A residual is cut along with the output.
// CHECK:      tensor.empty() : tensor<1x29x8x32xi8, #qnn.pos<4>>
// CHECK:      %[[X:.*]] = tensor.extract_slice %x[0, 0, 0, 0] [1, 11, 8, 32]
// CHECK-NEXT: %[[R:.*]] = tensor.extract_slice %x[0, 0, 0, 0] [1, 10, 8, 32]
// CHECK-NEXT: qnn.conv2d %[[X]], %w residual %[[R]]
// CHECK:      tensor.extract_slice %x[0, 9, 0, 0] [1, 12, 8, 32]
// CHECK:      tensor.extract_slice %x[0, 10, 0, 0] [1, 10, 8, 32]
// CHECK:      tensor.extract_slice %x[0, 19, 0, 0] [1, 10, 8, 32]
// CHECK:      tensor.extract_slice %x[0, 20, 0, 0] [1, 9, 8, 32]

// Splits nest: eight operations, each writing straight into the one whole tensor.
// NESTED-COUNT-8: tensor.insert_slice %{{.*}} into %{{.*}} : {{.*}} into tensor<1x29x8x32xi8,
// NESTED-NOT:     tensor.insert_slice

bsw.weight @w : !bsw.weight<32x3x3x32, pos 7> {data = #bsw.payload<splat 3, size 9216>}

func.func @main(%x : tensor<1x29x8x32xi8, #qnn.pos<5>>) -> tensor<1x29x8x32xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<32x3x3x32, pos 7>
  %y = qnn.conv2d %x, %w residual %x : tensor<1x29x8x32xi8, #qnn.pos<5>>
       {pads = array<i64: 1, 1, 1, 1>, epilogue = #qnn.epilogue<round 4, add, round 4>}
     : tensor<1x29x8x32xi8, #qnn.pos<5>>, !bsw.weight<32x3x3x32, pos 7>
    -> tensor<1x29x8x32xi8, #qnn.pos<4>>
  func.return %y : tensor<1x29x8x32xi8, #qnn.pos<4>>
}
