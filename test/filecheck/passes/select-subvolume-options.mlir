// RUN: bsc-opt --split-width --split-cout --select-subvolume=rows=5 %s | filecheck %s --check-prefix=ROWS
// RUN: bsc-opt --split-width --split-cout --select-subvolume="rows=100 width=100" %s | filecheck %s --check-prefix=MOST
// RUN: bsc-opt --split-width --split-cout --select-subvolume="rows=3 width=5 cout=8 cin=16" %s | filecheck %s --check-prefix=ALL
// RUN: bsc-opt --split-width --split-cout --select-subvolume=stationary=activations %s | filecheck %s --check-prefix=STAYS

// What is given by hand is kept, and the rest chosen around it.
// ROWS: #dataflow.subvolume<rows 5, width 14, cout 16, cin 64, stationary weights>

// A column has 14 pixels of a row and the layer 56 rows: as far as the layer goes.
// MOST: #dataflow.subvolume<rows 28, width 14,

// ALL: #dataflow.subvolume<rows 3, width 5, cout 8, cin 16, stationary weights>

// STAYS: stationary activations>

// RUN: not bsc-opt --split-width --split-cout --select-subvolume=rows=0 %s 2>&1 | filecheck %s --check-prefix=ZERO
// RUN: not bsc-opt --split-width --split-cout --select-subvolume=cin=9 %s 2>&1 | filecheck %s --check-prefix=NINE
// RUN: not bsc-opt '--set-arch=arch=half toml="core_data_bytes = 24576"' --split-width --split-cout --select-subvolume="rows=28 width=14 cin=64" %s 2>&1 | filecheck %s --check-prefix=LARGE
// RUN: not bsc-opt '--set-arch=arch=tiny toml="core_data_bytes = 256"' --split-width --split-cout --select-subvolume %s 2>&1 | filecheck %s --check-prefix=TINY
// ZERO: bsc-opt: error: select-subvolume: rows must be a whole number of at least 1, not 0
// NINE: error: select-subvolume: %y: cin must be a multiple of 8, not 9
// LARGE: error: select-subvolume: %y: no subvolume with rows 28, width 14, cin 64 fits in a core of 24576 bytes (and 16384 of accumulators): give less
// TINY: error: select-subvolume: %y: one pixel of 8 channels needs 768 bytes of a core (weights 640, in 96, out 32); it has 256 bytes

bsw.weight @w : !bsw.weight<64x3x3x64, pos 7> {data = #bsw.payload<splat 3, size 36864>}

func.func @main(%x : tensor<1x28x56x64xi8, #qnn.pos<5>>) -> tensor<1x28x56x64xi8, #qnn.pos<4>> {
  %w = bsw.get @w : !bsw.weight<64x3x3x64, pos 7>
  %y = qnn.conv2d %x, %w {pads = array<i64: 1, 1, 1, 1>}
     : tensor<1x28x56x64xi8, #qnn.pos<5>>, !bsw.weight<64x3x3x64, pos 7>
    -> tensor<1x28x56x64xi8, #qnn.pos<4>>
  func.return %y : tensor<1x28x56x64xi8, #qnn.pos<4>>
}
