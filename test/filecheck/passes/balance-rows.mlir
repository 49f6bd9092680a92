// RUN: bsc-opt --set-arch=paper-2x2 --detect-block-sparsity --split-cout --balance-rows \
// RUN:   --validate-values=3 %s | filecheck %s

// Two rows of cores share the 32 output channels of @v: the first one computes channels 0 to 15,
// the second one 16 to 31.  Γ has 4 x 2 blocks, in rows of 1, 1; 1, 1; 1, 0; 0, 1: the first
// row of cores would have four blocks to compute and the second one two.  So the granules of
// eight output channels are dealt out, the heaviest first, to each row of cores in turn, there
// and back: 0 and 3 to the first one, 1 and 2 to the second one, and both have three blocks.
// Γ is now 1, 1; 0, 1; 1, 1; 1, 0, and the bias goes the same way.

// CHECK:      bsw.weight @v
// CHECK-SAME:   bias = #bsw.payload<base64 "CgAAAAoAAAAKAAAACgAAAAoAAAAKAAAACgAAAAoAAAAoAAAAKAAAACgAAAAoAAAAKAAAACgAAAAoAAAAKAAAABQAAAAUAAAAFAAAABQAAAAUAAAAFAAAABQAAAAUAAAAHgAAAB4AAAAeAAAAHgAAAB4AAAAeAAAAHgAAAB4AAAA=">
// CHECK-SAME:   gamma = #bsw.gamma<4x2, "7b">

// What reads %y has its input channels in that order: of the one row of blocks of @w,
// 1, 0, 1, 1 becomes 1, 1, 0, 1.

// CHECK:      bsw.weight @w
// CHECK-SAME:   gamma = #bsw.gamma<1x4, "0b">

// Whoever wants to know what %y is for the model finds it in `qnn.order`.  %z goes to the host,
// in the order of the model.

// CHECK:      %y = qnn.conv2d %x, %v {qnn.order = array<i64: 0, 3, 1, 2>, rows = #dataflow.spread<c [0, 16, 32]>}
// CHECK-NEXT: %z = qnn.conv2d %y, %w {rows = #dataflow.spread<c [0, 8, 8]>}

bsw.weight @v : !bsw.weight<32x1x1x16, pos 7, bias 12> {
  data = #bsw.payload<base64 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQECAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgMDAwMDAwMDAAAAAAAAAAADAwMDAwMDAwAAAAAAAAAAAwMDAwMDAwMAAAAAAAAAAAMDAwMDAwMDAAAAAAAAAAADAwMDAwMDAwAAAAAAAAAAAwMDAwMDAwMAAAAAAAAAAAMDAwMDAwMDAAAAAAAAAAADAwMDAwMDAwAAAAAAAAAAAAAAAAAAAAAEBAQEBAQEBAAAAAAAAAAABAQEBAQEBAQAAAAAAAAAAAQEBAQEBAQEAAAAAAAAAAAEBAQEBAQEBAAAAAAAAAAABAQEBAQEBAQAAAAAAAAAAAQEBAQEBAQEAAAAAAAAAAAEBAQEBAQEBAAAAAAAAAAABAQEBAQEBAQ=">,
  bias = #bsw.payload<base64 "CgAAAAoAAAAKAAAACgAAAAoAAAAKAAAACgAAAAoAAAAUAAAAFAAAABQAAAAUAAAAFAAAABQAAAAUAAAAFAAAAB4AAAAeAAAAHgAAAB4AAAAeAAAAHgAAAB4AAAAeAAAAKAAAACgAAAAoAAAAKAAAACgAAAAoAAAAKAAAACgAAAA=">}
bsw.weight @w : !bsw.weight<8x1x1x32, pos 7> {
  data = #bsw.payload<base64 "AQEBAQEBAQEAAAAAAAAAAAMDAwMDAwMDBAQEBAQEBAQBAQEBAQEBAQAAAAAAAAAAAwMDAwMDAwMEBAQEBAQEBAEBAQEBAQEBAAAAAAAAAAADAwMDAwMDAwQEBAQEBAQEAQEBAQEBAQEAAAAAAAAAAAMDAwMDAwMDBAQEBAQEBAQBAQEBAQEBAQAAAAAAAAAAAwMDAwMDAwMEBAQEBAQEBAEBAQEBAQEBAAAAAAAAAAADAwMDAwMDAwQEBAQEBAQEAQEBAQEBAQEAAAAAAAAAAAMDAwMDAwMDBAQEBAQEBAQBAQEBAQEBAQAAAAAAAAAAAwMDAwMDAwMEBAQEBAQEBA==">}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<3>> {
  %v = bsw.get @v : !bsw.weight<32x1x1x16, pos 7, bias 12>
  %w = bsw.get @w : !bsw.weight<8x1x1x32, pos 7>
  %y = qnn.conv2d %x, %v
     : tensor<1x4x4x16xi8, #qnn.pos<5>>, !bsw.weight<32x1x1x16, pos 7, bias 12>
    -> tensor<1x4x4x32xi8, #qnn.pos<4>>
  %z = qnn.conv2d %y, %w
     : tensor<1x4x4x32xi8, #qnn.pos<4>>, !bsw.weight<8x1x1x32, pos 7>
    -> tensor<1x4x4x8xi8, #qnn.pos<3>>
  func.return %z : tensor<1x4x4x8xi8, #qnn.pos<3>>
}
