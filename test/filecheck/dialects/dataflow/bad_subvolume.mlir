// RUN: BSC_INVALID

// A subvolume is a part of its layer: here of 14 rows of 7 pixels, 16 channels made from 24.

// CHECK: Operation does not verify: subvolume: rows 15, the layer has 14
%x = "test.op"() : () -> tensor<1x14x7x24xi8, #qnn.pos<5>>
%w = "test.op"() : () -> !bsw.weight<16x1x1x24, pos 7>
%y = qnn.conv2d %x, %w {subvolume = #dataflow.subvolume<rows 15, width 2, cout 8, cin 24, stationary weights>}
   : tensor<1x14x7x24xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x24, pos 7> -> tensor<1x14x7x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: subvolume: width 8, the layer has 7
%x = "test.op"() : () -> tensor<1x14x7x24xi8, #qnn.pos<5>>
%w = "test.op"() : () -> !bsw.weight<16x1x1x24, pos 7>
%y = qnn.conv2d %x, %w {subvolume = #dataflow.subvolume<rows 1, width 8, cout 8, cin 24, stationary weights>}
   : tensor<1x14x7x24xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x24, pos 7> -> tensor<1x14x7x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: subvolume: cout 24, the layer has 16
%x = "test.op"() : () -> tensor<1x14x7x24xi8, #qnn.pos<5>>
%w = "test.op"() : () -> !bsw.weight<16x1x1x24, pos 7>
%y = qnn.conv2d %x, %w {subvolume = #dataflow.subvolume<rows 1, width 2, cout 24, cin 24, stationary weights>}
   : tensor<1x14x7x24xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x24, pos 7> -> tensor<1x14x7x16xi8, #qnn.pos<5>>

// -----

// CHECK: Operation does not verify: subvolume: cin 32, the layer has 24
%x = "test.op"() : () -> tensor<1x14x7x24xi8, #qnn.pos<5>>
%w = "test.op"() : () -> !bsw.weight<16x1x1x24, pos 7>
%y = qnn.conv2d %x, %w {subvolume = #dataflow.subvolume<rows 1, width 2, cout 8, cin 32, stationary weights>}
   : tensor<1x14x7x24xi8, #qnn.pos<5>>, !bsw.weight<16x1x1x24, pos 7> -> tensor<1x14x7x16xi8, #qnn.pos<5>>
