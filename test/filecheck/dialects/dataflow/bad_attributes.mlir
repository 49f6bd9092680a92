// RUN: BSC_INVALID

// Spreads, places and subvolumes.

// CHECK: boundaries must rise from 0: [0, 8, 4]
"test.op"() {a = #dataflow.spread<w [0, 8, 4]>} : () -> ()

// -----

// CHECK: boundaries must rise from 0: [4, 8]
"test.op"() {a = #dataflow.spread<w [4, 8]>} : () -> ()

// -----

// CHECK: boundaries must rise from 0: [0]
"test.op"() {a = #dataflow.spread<c [0]>} : () -> ()

// -----

// H is not spread: it is split in time.
// CHECK: Expected `w`, `c`, or `all`.
"test.op"() {a = #dataflow.spread<h [0, 8]>} : () -> ()

// -----

// CHECK: only a place in memtiles has a spread
"test.op"() {a = #dataflow.place<ddr 0x10, w [0, 8]>} : () -> ()

// -----

// CHECK: a subvolume must be positive: (0, 14, 16, 64)
"test.op"() {a = #dataflow.subvolume<rows 0, width 14, cout 16, cin 64, stationary weights>} : () -> ()
