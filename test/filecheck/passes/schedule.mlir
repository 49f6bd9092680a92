// RUN: bsc-opt --schedule --validate-values %s | filecheck %s
// RUN: bsc-opt --split-height=factor=2 --schedule --validate-values %s | filecheck %s --check-prefix=PIECES

// The short branch of a residual block is 64 channels wide and wanted last.  Computed first
// it would be in the way all the time; after %small it is needed at once.

// CHECK:      %small = qnn.conv2d
// CHECK:      %large = qnn.conv2d
// CHECK:      %y = qnn.conv2d %small, %{{.*}} residual %large

// The pieces of a split stay together.
// PIECES: %small = qnn.conv2d
// PIECES: %small_1 = qnn.conv2d
// PIECES: %large = qnn.conv2d
// PIECES: %large_1 = qnn.conv2d
// PIECES: %y = qnn.conv2d
// PIECES: %y_1 = qnn.conv2d

bsw.weight @w0 : !bsw.weight<64x1x1x16, pos 7> {data = #bsw.payload<splat 1, size 1024>}
bsw.weight @w1 : !bsw.weight<8x1x1x16, pos 7> {data = #bsw.payload<splat 1, size 128>}
bsw.weight @w2 : !bsw.weight<64x1x1x8, pos 7> {data = #bsw.payload<splat 1, size 512>}

func.func @main(%x : tensor<1x8x8x16xi8, #qnn.pos<5>>) -> tensor<1x8x8x64xi8, #qnn.pos<3>> {
  %0 = bsw.get @w0 : !bsw.weight<64x1x1x16, pos 7>
  %1 = bsw.get @w1 : !bsw.weight<8x1x1x16, pos 7>
  %2 = bsw.get @w2 : !bsw.weight<64x1x1x8, pos 7>
  %large = qnn.conv2d %x, %0
     : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<64x1x1x16, pos 7>
    -> tensor<1x8x8x64xi8, #qnn.pos<4>>
  %small = qnn.conv2d %x, %1
     : tensor<1x8x8x16xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x16, pos 7>
    -> tensor<1x8x8x8xi8, #qnn.pos<4>>
  %y = qnn.conv2d %small, %2 residual %large : tensor<1x8x8x64xi8, #qnn.pos<4>>
       {epilogue = #qnn.epilogue<round 4, add, round 3>}
     : tensor<1x8x8x8xi8, #qnn.pos<4>>, !bsw.weight<64x1x1x8, pos 7>
    -> tensor<1x8x8x64xi8, #qnn.pos<3>>
  func.return %y : tensor<1x8x8x64xi8, #qnn.pos<3>>
}
