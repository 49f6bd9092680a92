// The ways to give a pass its options.

// A bare value is the first option.
// RUN: bsc-opt --set-arch=paper-2x3 %s | filecheck %s
// name=value, several of them in quotes.
// RUN: bsc-opt --set-arch=arch=paper-2x3 %s | filecheck %s
// RUN: bsc-opt --set-arch="arch=mine toml=\"base='paper-2x3'\"" %s | filecheck %s --check-prefix=TOML
// xDSL's braces.
// RUN: bsc-opt --set-arch={arch=paper-2x3} %s | filecheck %s
// RUN: bsc-opt '--set-arch{arch=paper-2x3}' %s | filecheck %s
// RUN: bsc-opt -p 'set-arch{arch=paper-2x3}' %s | filecheck %s
// Passes of xDSL take theirs in the same way.
// RUN: not bsc-opt --apply-eqsat-pdl-interp='max_iterations=x' %s 2>&1 \
// RUN:   | filecheck %s --check-prefix=XDSL

// CHECK: #dataflow.arch<"paper-2x3">
// TOML: #dataflow.arch<"mine", "paper-4x4", {rows = 2, cols = 3}>
// XDSL: bsc-opt: error: apply-eqsat-pdl-interp: option 'max_iterations' takes int, not x
builtin.module {
}
