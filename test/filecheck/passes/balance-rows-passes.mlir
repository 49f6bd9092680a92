// RUN: bsc-opt --set-arch=paper-2x2 --detect-block-sparsity --split-width --split-cout \
// RUN:   --balance-rows --validate-values=3 %s | filecheck %s

// With a subvolume it is known what is computed at once: here eight channels a row of cores, so
// that the channels of a row take two passes.  The granules of @v have 2, 1, 1 and 2 blocks: each
// row of cores has three, but in each pass one of them has two, and the other one waits.  With
// both granules of two blocks in the second pass nobody waits.

// CHECK:      bsw.weight @v
// CHECK-SAME:   gamma = #bsw.gamma<4x2, "ed">
// CHECK:      %y = qnn.conv2d %x, %v {qnn.order = array<i64: 1, 0, 2, 3>

bsw.weight @v : !bsw.weight<32x1x1x16, pos 7> {
  data = #bsw.payload<base64 "AQEBAQEBAQECAgICAgICAgEBAQEBAQEBAgICAgICAgIBAQEBAQEBAQICAgICAgICAQEBAQEBAQECAgICAgICAgEBAQEBAQEBAgICAgICAgIBAQEBAQEBAQICAgICAgICAQEBAQEBAQECAgICAgICAgEBAQEBAQEBAgICAgICAgIDAwMDAwMDAwAAAAAAAAAAAwMDAwMDAwMAAAAAAAAAAAMDAwMDAwMDAAAAAAAAAAADAwMDAwMDAwAAAAAAAAAAAwMDAwMDAwMAAAAAAAAAAAMDAwMDAwMDAAAAAAAAAAADAwMDAwMDAwAAAAAAAAAAAwMDAwMDAwMAAAAAAAAAAAAAAAAAAAAAAQEBAQEBAQEAAAAAAAAAAAEBAQEBAQEBAAAAAAAAAAABAQEBAQEBAQAAAAAAAAAAAQEBAQEBAQEAAAAAAAAAAAEBAQEBAQEBAAAAAAAAAAABAQEBAQEBAQAAAAAAAAAAAQEBAQEBAQEAAAAAAAAAAAEBAQEBAQEBAgICAgICAgIDAwMDAwMDAwICAgICAgICAwMDAwMDAwMCAgICAgICAgMDAwMDAwMDAgICAgICAgIDAwMDAwMDAwICAgICAgICAwMDAwMDAwMCAgICAgICAgMDAwMDAwMDAgICAgICAgIDAwMDAwMDAwICAgICAgICAwMDAwMDAwM=">}
bsw.weight @w : !bsw.weight<16x1x1x32, pos 7> {
  data = #bsw.payload<base64 "AQEBAQEBAQECAgICAgICAgMDAwMDAwMDBAQEBAQEBAQBAQEBAQEBAQICAgICAgICAwMDAwMDAwMEBAQEBAQEBAEBAQEBAQEBAgICAgICAgIDAwMDAwMDAwQEBAQEBAQEAQEBAQEBAQECAgICAgICAgMDAwMDAwMDBAQEBAQEBAQBAQEBAQEBAQICAgICAgICAwMDAwMDAwMEBAQEBAQEBAEBAQEBAQEBAgICAgICAgIDAwMDAwMDAwQEBAQEBAQEAQEBAQEBAQECAgICAgICAgMDAwMDAwMDBAQEBAQEBAQBAQEBAQEBAQICAgICAgICAwMDAwMDAwMEBAQEBAQEBAUFBQUFBQUFAQEBAQEBAQECAgICAgICAgMDAwMDAwMDBQUFBQUFBQUBAQEBAQEBAQICAgICAgICAwMDAwMDAwMFBQUFBQUFBQEBAQEBAQEBAgICAgICAgIDAwMDAwMDAwUFBQUFBQUFAQEBAQEBAQECAgICAgICAgMDAwMDAwMDBQUFBQUFBQUBAQEBAQEBAQICAgICAgICAwMDAwMDAwMFBQUFBQUFBQEBAQEBAQEBAgICAgICAgIDAwMDAwMDAwUFBQUFBQUFAQEBAQEBAQECAgICAgICAgMDAwMDAwMDBQUFBQUFBQUBAQEBAQEBAQICAgICAgICAwMDAwMDAwM=">}

func.func @main(%x : tensor<1x4x4x16xi8, #qnn.pos<4>>) -> tensor<1x4x4x16xi8, #qnn.pos<4>> {
  %v = bsw.get @v : !bsw.weight<32x1x1x16, pos 7>
  %w = bsw.get @w : !bsw.weight<16x1x1x32, pos 7>
  %y = qnn.conv2d %x, %v {subvolume = #dataflow.subvolume<rows 4, width 2, cout 8, cin 16, stationary weights>}
     : tensor<1x4x4x16xi8, #qnn.pos<4>>, !bsw.weight<32x1x1x16, pos 7>
    -> tensor<1x4x4x32xi8, #qnn.pos<4>>
  %z = qnn.conv2d %y, %w {subvolume = #dataflow.subvolume<rows 4, width 2, cout 8, cin 32, stationary weights>}
     : tensor<1x4x4x32xi8, #qnn.pos<4>>, !bsw.weight<16x1x1x32, pos 7>
    -> tensor<1x4x4x16xi8, #qnn.pos<4>>
  func.return %z : tensor<1x4x4x16xi8, #qnn.pos<4>>
}
