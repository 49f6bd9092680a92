// RUN: BSC_ROUNDTRIP
// Bytes: small ones in base64, or one value for all of them.

// CHECK: data = #bsw.payload<base64 "AAECAw==">
bsw.blob @four {data = #bsw.payload<base64 "AAECAw==">}

// CHECK: data = #bsw.payload<base64 "">
bsw.blob @none {data = #bsw.payload<base64 "">}

// CHECK: data = #bsw.payload<splat 7, size 1000000>
bsw.blob @million {data = #bsw.payload<splat 7, size 1000000>}

// Equal bytes are always written so.
// CHECK: data = #bsw.payload<splat 3, size 3>
bsw.blob @equal {data = #bsw.payload<base64 "AwMD">}
