// RUN: BSC_INVALID

// The machine in a module.

// CHECK: unknown arch 'npu9': give one of paper-2x2, {{.*}} or a TOML file
module attributes {bsc.arch = #dataflow.arch<"npu9">} {}

// -----

// CHECK: unknown arch 'paper': give one of
module attributes {bsc.arch = #dataflow.arch<"mine", "paper", {rows = 3}>} {}

// -----

// CHECK: unknown field 'row' of an arch; did you mean 'rows'?
module attributes {bsc.arch = #dataflow.arch<"mine", "paper-4x4", {row = 3}>} {}

// -----

// CHECK: arch 'mine': rows must be at least 1, not 0
module attributes {bsc.arch = #dataflow.arch<"mine", "paper-4x4", {rows = 0}>} {}

// -----

// CHECK: arch 'mine': rows must be a whole number, not 2.5
module attributes {bsc.arch = #dataflow.arch<"mine", "paper-4x4", {rows = 2.5}>} {}

// -----

// CHECK: arch 'mine': clock_ghz must be positive, not 0
module attributes {bsc.arch = #dataflow.arch<"mine", "paper-4x4", {clock_ghz = 0}>} {}

// -----

// CHECK: arch 'mine': rows must be at most 128, not 1000000000
module attributes {bsc.arch = #dataflow.arch<"mine", "paper-4x4", {rows = 1000000000}>} {}

// -----

// CHECK: arch 'mine': memtile_bytes must be at most 16,777,216, not 1000000000000
module attributes {bsc.arch = #dataflow.arch<"mine", "paper-4x4", {memtile_bytes = 1000000000000}>} {}
