// RUN: bsc-opt --split-width --split-input-file --verify-diagnostics %s | filecheck %s

// Slices are upstream's operations, whose verifiers look at neither sizes nor positions.  Every
// pass checks them before it relies on them.

// CHECK: %y: tensor.extract_slice: offsets [0, 2, 0, 0], sizes [1, 3, 4, 8] reach beyond [1, 4, 4, 8]
func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x3x4x8xi8, #qnn.pos<5>> {
  %y = tensor.extract_slice %x[0, 2, 0, 0] [1, 3, 4, 8] [1, 1, 1, 1]
     : tensor<1x4x4x8xi8, #qnn.pos<5>> to tensor<1x3x4x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x3x4x8xi8, #qnn.pos<5>>
}

// -----
// CHECK: %y: tensor.extract_slice: the slice has shape [1, 2, 4, 8], sizes say [1, 3, 4, 8]
func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x2x4x8xi8, #qnn.pos<5>> {
  %y = tensor.extract_slice %x[0, 0, 0, 0] [1, 3, 4, 8] [1, 1, 1, 1]
     : tensor<1x4x4x8xi8, #qnn.pos<5>> to tensor<1x2x4x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x2x4x8xi8, #qnn.pos<5>>
}

// -----
// CHECK: %y: tensor.extract_slice: tensor<1x3x4x8xi8, #qnn.pos<4>> and tensor<1x4x4x8xi8, #qnn.pos<5>> differ in element or position
func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x3x4x8xi8, #qnn.pos<4>> {
  %y = tensor.extract_slice %x[0, 0, 0, 0] [1, 3, 4, 8] [1, 1, 1, 1]
     : tensor<1x4x4x8xi8, #qnn.pos<5>> to tensor<1x3x4x8xi8, #qnn.pos<4>>
  func.return %y : tensor<1x3x4x8xi8, #qnn.pos<4>>
}

// -----
// CHECK: %y: tensor.extract_slice: offsets and sizes must be static, strides 1
func.func @main(%x : tensor<1x4x4x8xi8, #qnn.pos<5>>) -> tensor<1x2x4x8xi8, #qnn.pos<5>> {
  %y = tensor.extract_slice %x[0, 0, 0, 0] [1, 2, 4, 8] [1, 2, 1, 1]
     : tensor<1x4x4x8xi8, #qnn.pos<5>> to tensor<1x2x4x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x2x4x8xi8, #qnn.pos<5>>
}

// -----
// The same of what is written into a tensor.
// CHECK: %y: tensor.insert_slice: offsets [0, 0, 3, 0], sizes [1, 4, 2, 8] reach beyond [1, 4, 4, 8]
func.func @main(%x : tensor<1x4x2x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<5>> {
  %e = tensor.empty() : tensor<1x4x4x8xi8, #qnn.pos<5>>
  %y = tensor.insert_slice %x into %e[0, 0, 3, 0] [1, 4, 2, 8] [1, 1, 1, 1]
     : tensor<1x4x2x8xi8, #qnn.pos<5>> into tensor<1x4x4x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<5>>
}

// -----
// Only rows and columns may be written with strides.
// CHECK: %y: tensor.insert_slice: strides of rows and columns are 1 or more, the others 1, not [1, 2, 1, 2]
func.func @main(%x : tensor<1x2x4x4xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<5>> {
  %e = tensor.empty() : tensor<1x4x4x8xi8, #qnn.pos<5>>
  %y = tensor.insert_slice %x into %e[0, 0, 0, 0] [1, 2, 4, 4] [1, 2, 1, 2]
     : tensor<1x2x4x4xi8, #qnn.pos<5>> into tensor<1x4x4x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<5>>
}

// -----
// CHECK: %y: tensor.insert_slice: strides of rows and columns are 1 or more, the others 1, not [1, 0, 1, 1]
func.func @main(%x : tensor<1x2x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<5>> {
  %e = tensor.empty() : tensor<1x4x4x8xi8, #qnn.pos<5>>
  %y = tensor.insert_slice %x into %e[0, 0, 0, 0] [1, 2, 4, 8] [1, 0, 1, 1]
     : tensor<1x2x4x8xi8, #qnn.pos<5>> into tensor<1x4x4x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<5>>
}

// -----
// With strides a slice reaches further.
// CHECK: %y: tensor.insert_slice: offsets [0, 2, 0, 0], sizes [1, 2, 4, 8] reach beyond [1, 4, 4, 8]
func.func @main(%x : tensor<1x2x4x8xi8, #qnn.pos<5>>) -> tensor<1x4x4x8xi8, #qnn.pos<5>> {
  %e = tensor.empty() : tensor<1x4x4x8xi8, #qnn.pos<5>>
  %y = tensor.insert_slice %x into %e[0, 2, 0, 0] [1, 2, 4, 8] [1, 2, 1, 1]
     : tensor<1x2x4x8xi8, #qnn.pos<5>> into tensor<1x4x4x8xi8, #qnn.pos<5>>
  func.return %y : tensor<1x4x4x8xi8, #qnn.pos<5>>
}
