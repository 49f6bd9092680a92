// RUN: bsc-opt --set-arch %s | filecheck %s
// RUN: bsc-opt --set-arch=paper-2x2 %s | filecheck %s --check-prefix=PRESET
// RUN: xdsl-opt -p 'set-arch{arch=npu1}' %s | filecheck %s --check-prefix=STOCK

// The machine of a user's file, read by bsc-opt and written out in full:
// RUN: bsc-opt --set-arch=%S/Inputs/wide.toml %s | filecheck %s --check-prefix=FILE

// The last one counts.
// RUN: bsc-opt --set-arch=npu1 --set-arch=paper-3x5 %s | filecheck %s --check-prefix=LAST

// RUN: not bsc-opt --set-arch=npu9 %s 2>&1 | filecheck %s --check-prefix=UNKNOWN
// RUN: not bsc-opt --set-arch=%S/Inputs/wrong.toml %s 2>&1 | filecheck %s --check-prefix=KEY
// RUN: not bsc-opt --set-arch=nowhere.toml %s 2>&1 | filecheck %s --check-prefix=NOFILE

// CHECK: builtin.module attributes {bsc.arch = #dataflow.arch<"paper-4x4">}
// PRESET: builtin.module attributes {bsc.arch = #dataflow.arch<"paper-2x2">}
// STOCK: builtin.module attributes {bsc.arch = #dataflow.arch<"npu1">}
// FILE: builtin.module attributes {bsc.arch = #dataflow.arch<"wide", "paper-4x4", {rows = 2, cols = 8}>}
// LAST: builtin.module attributes {bsc.arch = #dataflow.arch<"paper-3x5">}
// UNKNOWN: bsc-opt: error: set-arch: unknown arch 'npu9': give one of paper-2x2,
// KEY: bsc-opt: error: set-arch: {{.*}}wrong.toml: unknown key 'memtile_byte'; did you mean 'memtile_bytes'?
// NOFILE: bsc-opt: error: nowhere.toml: cannot read the arch file: No such file or directory
builtin.module {
}
