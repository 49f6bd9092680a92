// Passes run in the order in which they are typed, wherever the file stands between them.

// RUN: bsc-opt --set-arch=npu1 --set-arch=npu2 %s | filecheck %s --check-prefix=TWO
// RUN: bsc-opt --set-arch=npu2 %s --set-arch=npu1 | filecheck %s --check-prefix=ONE
// RUN: bsc-opt %s --set-arch=npu2 --cse --set-arch=npu1 | filecheck %s --check-prefix=ONE
// RUN: bsc-opt %s -p 'set-arch{arch=npu2},cse,set-arch{arch=npu1}' | filecheck %s --check-prefix=ONE

// RUN: bsc-opt --cse --set-arch=npu1 --canonicalize %s --print-ir-after-all -o /dev/null 2>&1 \
// RUN:   | filecheck %s --check-prefix=ORDER

// ONE: #dataflow.arch<"npu1">
// TWO: #dataflow.arch<"npu2">

// ORDER: // IR after cse:
// ORDER-NEXT: builtin.module {
// ORDER: // IR after set-arch:
// ORDER-NEXT: builtin.module attributes {bsc.arch = #dataflow.arch<"npu1">} {
// ORDER: // IR after canonicalize:
// ORDER-NEXT: builtin.module attributes {bsc.arch = #dataflow.arch<"npu1">} {
builtin.module {
}
