// RUN: bsc-opt --split-cin=factor=3 --validate-values=3 %s | filecheck %s
// RUN: bsc-opt '--set-arch=arch=tiny toml="memtile_bytes = 3072"' --split-cin --validate-values %s \
// RUN:   | filecheck %s --check-prefix=TINY

// 20 channels in three pieces: whole blocks of eight, the last one not full.  The chain of
// sums is exact whatever the order, as int32 holds every sum that the model can have.
// CHECK:      bsw.slice %w cout [0, 8] cin [0, 8]
// CHECK:      qnn.dense {{.*}} -> tensor<1x1x1x8xi32, #qnn.pos<12>>
// CHECK:      bsw.slice %w cout [0, 8] cin [8, 16]
// CHECK:      qnn.dense {{.*}} partial {{.*}} -> tensor<1x1x1x8xi32, #qnn.pos<12>>
// CHECK:      bsw.slice %w cout [0, 8] cin [16, 20]
// CHECK:      qnn.dense {{.*}} partial {{.*}} -> tensor<1x1x1x8xi8, #qnn.pos<4>>

// The input channels of a depthwise convolution cannot be cut: each output has its own.
// CHECK:      %d = qnn.conv2d %y_2, %k {groups = 8 : i64} :

// A wide layer and little memory: even one row of eight outputs does not fit with all of its
// 512 channels, so they are cut into as few pieces as do.
// TINY:      bsw.slice %v cout [0, 8] cin [0, [[STEP:[0-9]+]]]
// TINY-NEXT: qnn.conv2d {{.*}} -> tensor<1x1x8x8xi32, #qnn.pos<12>>
// TINY:      cin {{\[}}[[STEP]],
// TINY-NEXT: qnn.conv2d {{.*}} partial

bsw.weight @w : !bsw.weight<8x1x1x20, pos 7> {data = #bsw.payload<splat 128, size 160>}
bsw.weight @k : !bsw.weight<8x1x1x1, pos 7> {data = #bsw.payload<splat 1, size 8>}
bsw.weight @v : !bsw.weight<8x1x1x512, pos 7> {data = #bsw.payload<splat 1, size 4096>}

func.func @main(%x : tensor<1x1x1x20xi8, #qnn.pos<5>>, %u : tensor<1x1x8x512xi8, #qnn.pos<5>>)
    -> (tensor<1x1x1x8xi8, #qnn.pos<4>>, tensor<1x1x8x8xi8, #qnn.pos<4>>) {
  %w = bsw.get @w : !bsw.weight<8x1x1x20, pos 7>
  %k = bsw.get @k : !bsw.weight<8x1x1x1, pos 7>
  %v = bsw.get @v : !bsw.weight<8x1x1x512, pos 7>
  %y = qnn.dense %x, %w
     : tensor<1x1x1x20xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x20, pos 7>
    -> tensor<1x1x1x8xi8, #qnn.pos<4>>
  %d = qnn.conv2d %y, %k {groups = 8}
     : tensor<1x1x1x8xi8, #qnn.pos<4>>, !bsw.weight<8x1x1x1, pos 7>
    -> tensor<1x1x1x8xi8, #qnn.pos<4>>
  %z = qnn.conv2d %u, %v
     : tensor<1x1x8x512xi8, #qnn.pos<5>>, !bsw.weight<8x1x1x512, pos 7>
    -> tensor<1x1x8x8xi8, #qnn.pos<4>>
  func.return %d, %z : tensor<1x1x1x8xi8, #qnn.pos<4>>, tensor<1x1x8x8xi8, #qnn.pos<4>>
}
