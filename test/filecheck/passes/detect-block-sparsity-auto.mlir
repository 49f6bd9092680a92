// RUN: bsc-opt --detect-block-sparsity=auto %s | filecheck %s
// RUN: bsc-opt --detect-block-sparsity %s | filecheck %s --check-prefix=SQUARE

// 8 of 32 input channels hold anything, 4 by 4, in all of the 16 output channels: that is two
// blocks of 16 x 4, or eight of 4 x 4 with a longer mask, or four of 8 x 8, twice the bytes.
// CHECK:       bsw.weight @tall
// CHECK-SAME:    block = array<i64: 16, 4>
// CHECK-SAME:    gamma = #bsw.gamma<1x8, "81">, format = "bitmap", density = 2.500000e-01
// SQUARE:      bsw.weight @tall
// SQUARE-SAME:   gamma = #bsw.gamma<2x4, "99">, format = "bitmap", density = 5.000000e-01

// Two numbers, one a 127th of the other: its block is counted as almost zero, and stored.  Two
// blocks of 4 x 4 and 2 bytes of mask are less than two of 1 x 1 and a mask of 32.
// CHECK:       bsw.weight @two
// CHECK-SAME:    block = array<i64: 4, 4>
// CHECK-SAME:    gamma = #bsw.gamma<4x4, "0180">, format = "bitmap", density = 1.250000e-01
// CHECK-SAME:    almost_zero = 1 : i64
// SQUARE:      bsw.weight @two
// SQUARE-SAME:   gamma = #bsw.gamma<2x2, "09">, format = "bitmap", density = 5.000000e-01 : f64, almost_zero = 1 : i64

// Nothing is zero: no shape of blocks is any use.
// CHECK:       bsw.weight @full
// CHECK-SAME:    gamma = #bsw.gamma<2x2, "0f">, format = "dense", density = 1.000000e+00

bsw.weight @tall : !bsw.weight<16x1x1x32, pos 7> {
  data = #bsw.payload<base64 "AQEBAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEBAQECAgICAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgICAgMDAwMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADAwMDBAQEBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQEBAQFBQUFAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABQUFBQYGBgYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAGBgYGBwcHBwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAcHBwcICAgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACAgICAkJCQkAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAJCQkJCgoKCgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAoKCgoLCwsLAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACwsLCwwMDAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAMDAwMDQ0NDQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0NDQ0ODg4OAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADg4ODg8PDw8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPDw8PEBAQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAQEBA=">}
bsw.weight @two : !bsw.weight<16x1x1x16, pos 7> {
  data = #bsw.payload<base64 "AAB/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQ==">}
bsw.weight @full : !bsw.weight<16x1x1x16, pos 7> {data = #bsw.payload<splat 1, size 256>}
