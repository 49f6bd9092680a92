// RUN: BSC_INVALID

// Bytes inline.

// CHECK: not base64: {{.*}}
bsw.blob @b {data = #bsw.payload<base64 "AAEC*w==">}

// -----

// CHECK: not base64: {{.*}}
bsw.blob @b {data = #bsw.payload<base64 "AAECAé">}

// -----

// CHECK: a byte is 0 to 255, not 256
bsw.blob @b {data = #bsw.payload<splat 256, size 4>}

// -----

// Bytes in a file.

// CHECK: payload file '/etc/hosts' is outside the folder of the IR
bsw.blob @b {data = #bsw.payload<sha256 "00", file "/etc/hosts", at 0, size 4>}

// -----

// CHECK: payload file '../bsw/Inputs/ramp.bin' is outside the folder of the IR
bsw.blob @b {data = #bsw.payload<sha256 "00", file "../bsw/Inputs/ramp.bin", at 0, size 4>}

// -----

// CHECK: cannot map the payload file '{{.*}}gone.bin': {{.*}}No such file or directory
bsw.blob @b {data = #bsw.payload<sha256 "00", file "Inputs/gone.bin", at 0, size 4>}

// -----

// CHECK: ramp.bin' has 256 bytes, but the payload ends at 257
bsw.blob @b {data = #bsw.payload<sha256 "00", file "Inputs/ramp.bin", at 1, size 256>}

// -----

// CHECK: ramp.bin' at 0 does not have the hash 9afaeef005e2…
bsw.blob @b {data = #bsw.payload<
  sha256 "9afaeef005e286957ee9a18a2481a75c7fc7ba74bae8de50ffa6127b12a62cae",
  file "Inputs/ramp.bin", at 0, size 64>}

// -----

// CHECK: size 9223372036854775807 is larger than 134217728
bsw.blob @b {data = #bsw.payload<splat 0, size 9223372036854775807>}
