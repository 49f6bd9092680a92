// RUN: BSC_ROUNDTRIP

// All packed weights of a program, the content of weights.bin.  --pack-weights makes it.

// CHECK: bsw.blob @weights {data = #bsw.payload<base64 "AAECAw==">}
bsw.blob @weights {data = #bsw.payload<base64 "AAECAw==">}
