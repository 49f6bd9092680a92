// Timings go to stderr, as a table; stdout stays a module.

// RUN: bsc-opt --cse --set-arch=npu1 --time-passes %s 2>%t.err | filecheck %s
// RUN: filecheck %s --match-full-lines --check-prefix=TIMES < %t.err

// CHECK: builtin.module attributes
// CHECK-NOT: cse

// TIMES:       {{ +ms +share}}
// TIMES-NEXT: parse {{ +[0-9.]+ +[0-9.]+%}}
// TIMES-NEXT: cse {{ +[0-9.]+ +[0-9.]+%}}
// TIMES-NEXT: set-arch {{ +[0-9.]+ +[0-9.]+%}}
// TIMES-NEXT: verify {{ +[0-9.]+ +[0-9.]+%}}
// TIMES-NEXT: print {{ +[0-9.]+ +[0-9.]+%}}
// TIMES-NEXT: total {{ +[0-9.]+ +100.0%}}
builtin.module {
}
