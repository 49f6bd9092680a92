// What cannot be understood is told in one line, with the nearest name that could.

// RUN: not bsc-opt --set-arc=npu1 %s 2>&1 | filecheck %s --match-full-lines --check-prefix=FLAG
// RUN: not bsc-opt -p set-arc %s 2>&1 | filecheck %s --match-full-lines --check-prefix=PASS
// RUN: not bsc-opt -p bsc-compil %s 2>&1 | filecheck %s --match-full-lines --check-prefix=PIPELINE
// RUN: not bsc-opt --split-input-fil %s 2>&1 | filecheck %s --match-full-lines --check-prefix=OPTION
// RUN: not bsc-opt --set-arch='arhc=npu1' %s 2>&1 | filecheck %s --match-full-lines --check-prefix=FIELD
// RUN: not bsc-opt --cse=3 %s 2>&1 | filecheck %s --match-full-lines --check-prefix=NONE
// RUN: not bsc-opt --set-arch= %s 2>&1 | filecheck %s --match-full-lines --check-prefix=EMPTY
// RUN: not bsc-opt --bsc-compile=fast %s 2>&1 | filecheck %s --match-full-lines --check-prefix=NAMED
// RUN: not bsc-opt -p 'set-arch{arch=}' %s 2>&1 | filecheck %s --match-full-lines --check-prefix=SYNTAX
// RUN: not bsc-opt -p cse --set-arch=npu1 %s 2>&1 | filecheck %s --match-full-lines --check-prefix=MIXED
// RUN: not bsc-opt --set-arch npu1 %s 2>&1 | filecheck %s --match-full-lines --check-prefix=FILES
// RUN: not bsc-opt -t risv-asm %s 2>&1 | filecheck %s --check-prefix=TARGET
// RUN: not bsc-opt --print-ir-after=cs %s 2>&1 | filecheck %s --match-full-lines --check-prefix=DUMP
// RUN: not bsc-opt --validate-values=no %s 2>&1 | filecheck %s --match-full-lines --check-prefix=COUNT

// FLAG: bsc-opt: error: unknown pass or option '--set-arc=npu1'; did you mean 'set-arch'?
// FLAG-NOT: {{.}}
// PASS: bsc-opt: error: unknown pass 'set-arc'; did you mean 'set-arch'?
// PASS-NOT: {{.}}
// PIPELINE: bsc-opt: error: unknown pass 'bsc-compil'; did you mean 'bsc-compile'?
// OPTION: bsc-opt: error: unknown pass or option '--split-input-fil'; did you mean 'split-input-file'?
// FIELD: bsc-opt: error: set-arch: unknown option 'arhc'; did you mean 'arch'?
// NONE: bsc-opt: error: cse takes no options, not '3'
// EMPTY: bsc-opt: error: --set-arch= lacks its options
// NAMED: bsc-opt: error: bsc-compile takes no options, not 'fast'
// SYNTAX: bsc-opt: error: pipeline 'set-arch{arch=}', column 15: Unknown argument value, wrap argument in quotes to pass arbitrary string values
// MIXED: bsc-opt: error: use either -p or --set-arch, not both
// FILES: bsc-opt: error: {{.*}}usage-errors.mlir' is one file too many (options of a pass: --pass=options)
// TARGET: bsc-opt: error: argument -t/--target: unknown target 'risv-asm'; did you mean 'riscv-asm'? (choose from
// DUMP: bsc-opt: error: unknown pass 'cs'; did you mean 'cse'?
// COUNT: bsc-opt: error: argument --validate-values: a number of at least 1, not 'no'
builtin.module {
}
