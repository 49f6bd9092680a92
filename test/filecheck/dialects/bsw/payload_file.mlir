// Bytes in a file beside the text, found relative to the text's folder and checked by hash.

// From anywhere else the bytes come along: inline, because these are few.
// RUN: bsc-opt %s | filecheck %s --check-prefix=ELSEWHERE

// From the same folder, references stay as they are.
// RUN: cd %S && bsc-opt payload_file.mlir | filecheck %s

// From a folder above, the file's name grows.
// RUN: cd %S/.. && bsc-opt bsw/payload_file.mlir | filecheck %s --check-prefix=ABOVE

// CHECK: #bsw.payload<sha256 "40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880", file "Inputs/ramp.bin", at 0, size 256>
// CHECK: #bsw.payload<sha256 "9afaeef005e286957ee9a18a2481a75c7fc7ba74bae8de50ffa6127b12a62cae", file "Inputs/ramp.bin", at 64, size 64>
// ABOVE: file "bsw/Inputs/ramp.bin", at 0, size 256>
// ABOVE: file "bsw/Inputs/ramp.bin", at 64, size 64>
// ELSEWHERE: bsw.blob @all {data = #bsw.payload<base64 "AAECAwQFBgcICQ
// ELSEWHERE: bsw.blob @part {data = #bsw.payload<base64 "QEFCQ0RFRkdIS
bsw.blob @all {data = #bsw.payload<
  sha256 "40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880",
  file "Inputs/ramp.bin", at 0, size 256>}
bsw.blob @part {data = #bsw.payload<
  sha256 "9afaeef005e286957ee9a18a2481a75c7fc7ba74bae8de50ffa6127b12a62cae",
  file "Inputs/ramp.bin", at 64, size 64>}
