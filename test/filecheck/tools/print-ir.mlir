// The IR between passes, on stderr.

// RUN: bsc-opt --cse --set-arch --canonicalize %s --print-ir-before=set-arch -o /dev/null 2>&1 \
// RUN:   | filecheck %s --check-prefix=BEFORE
// RUN: bsc-opt --cse --set-arch --canonicalize %s --print-ir-after=set-arch -o /dev/null 2>&1 \
// RUN:   | filecheck %s --check-prefix=AFTER
// RUN: bsc-opt --cse --set-arch --canonicalize %s --print-between-passes -o /dev/null 2>&1 \
// RUN:   | filecheck %s --check-prefix=BETWEEN
// RUN: bsc-opt --cse --set-arch --canonicalize %s --print-ir-after-all 2>/dev/null \
// RUN:   | filecheck %s --check-prefix=STDOUT

// BEFORE: // IR before set-arch:
// BEFORE-NEXT: builtin.module {
// BEFORE-NOT: // IR

// AFTER: // IR after set-arch:
// AFTER-NEXT: builtin.module attributes {bsc.arch = #dataflow.arch<"paper-4x4">} {
// AFTER-NOT: // IR

// BETWEEN: // IR after cse:
// BETWEEN: // IR after set-arch:
// BETWEEN-NOT: // IR after canonicalize:

// STDOUT-NOT: // IR
// STDOUT: builtin.module
builtin.module {
}
