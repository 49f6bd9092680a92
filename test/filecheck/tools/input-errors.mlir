// Files that are not there, or not what they should be.

// RUN: not bsc-opt nowhere.mlir 2>&1 | filecheck %s --match-full-lines --check-prefix=GONE
// RUN: not bsc-opt nowhere.onnx 2>&1 | filecheck %s --match-full-lines --check-prefix=ONNX
// RUN: not bsc-opt model.pb 2>&1 | filecheck %s --match-full-lines --check-prefix=EXTENSION
// RUN: not bsc-opt -f mlir %S/../dialects/bsw/Inputs/ramp.bin 2>&1 | filecheck %s --check-prefix=BINARY
// RUN: not bsc-opt -f onnx - < %s 2>&1 | filecheck %s --match-full-lines --check-prefix=STDIN
// RUN: not bsc-opt %s -o nowhere/out.mlir 2>&1 | filecheck %s --match-full-lines --check-prefix=OUTPUT

// GONE: bsc-opt: error: nowhere.mlir: No such file or directory
// GONE-NOT: {{.}}
// ONNX: bsc-opt: error: nowhere.onnx: No such file or directory
// EXTENSION: bsc-opt: error: model.pb: give a .mlir or .onnx file, or -f FORMAT
// BINARY: ramp.bin: not a text in UTF-8
// STDIN: bsc-opt: error: an ONNX model is read whole, from a file of its own
// OUTPUT: bsc-opt: error: nowhere/out.mlir: cannot write the output: No such file or directory
builtin.module {
}
