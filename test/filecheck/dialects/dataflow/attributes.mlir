// RUN: BSC_ROUNDTRIP

// The machine, how its grid shares the work, and where tensors are.

// A preset is its name.  Any other machine is its name, a preset, and what differs.
// CHECK: "test.op"() {preset = #dataflow.arch<"paper-3x5">, own = #dataflow.arch<"mine", "paper-4x4", {rows = 3, clock_ghz = 1.5}>}
"test.op"() {preset = #dataflow.arch<"paper-3x5">,
             own = #dataflow.arch<"mine", "paper-4x4", {rows = 3, clock_ghz = 1.5}>} : () -> ()

// A spread gives each column (or row) its piece by explicit boundaries: 56 in four equal
// pieces; 32 channels in two, with two columns idle; or all of it everywhere.
// CHECK: "test.op"() {even = #dataflow.spread<w [0, 14, 28, 42, 56]>, idle = #dataflow.spread<c [0, 16, 32, 32, 32]>, copies = #dataflow.spread<all>}
"test.op"() {even = #dataflow.spread<w [0, 14, 28, 42, 56]>,
             idle = #dataflow.spread<c [0, 16, 32, 32, 32]>,
             copies = #dataflow.spread<all>} : () -> ()

// A place is a memory and an address; a tensor in the memtiles has a spread over them.
// CHECK: "test.op"() {outside = #dataflow.place<ddr 0x1000>, inside = #dataflow.place<memtile 0x1c00, w [0, 28, 56]>, weights = #dataflow.place<memtile 0x4000>}
"test.op"() {outside = #dataflow.place<ddr 0x1000>,
             inside = #dataflow.place<memtile 0x1c00, w [0, 28, 56]>,
             weights = #dataflow.place<memtile 0x4000>} : () -> ()

// What one core computes at once, and which operand stays in it meanwhile.
// CHECK: "test.op"() {subvolume = #dataflow.subvolume<rows 5, width 14, cout 16, cin 64, stationary weights>}
"test.op"() {subvolume =
  #dataflow.subvolume<rows 5, width 14, cout 16, cin 64, stationary weights>} : () -> ()
// CHECK: "test.op"() {subvolume = #dataflow.subvolume<rows 1, width 7, cout 8, cin 512, stationary activations>}
"test.op"() {subvolume =
  #dataflow.subvolume<rows 1, width 7, cout 8, cin 512, stationary activations>} : () -> ()
