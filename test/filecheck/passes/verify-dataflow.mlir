// A program of one layer on one core, by hand.  It is right:
// RUN: bsc-opt --verify-dataflow %s | filecheck %s
// CHECK: dataflow.program "copy"

// and wrong in one word each time:
// RUN: sed 's/core 0 iter 1 h=4 w=4/core 65472 iter 1 h=4 w=4/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=CORE
// CORE: error: verify-dataflow: copy: LOADFM reaches core address 0x10040; a core has 65536 bytes

// RUN: sed 's/in=0 /in=64 /' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=NOBODY
// NOBODY: error: verify-dataflow: copy: COPY reads core 0x40 .. 0xc0, which nobody has written

// RUN: sed 's/rel=m_0"/rel=f_in"/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=WAITS
// WAITS: error: verify-dataflow: copy: LOADFM acquires m_0 when it is 0, 1 needed: in text order this waits for ever

// RUN: sed 's/rel=f_in,k_1/rel=k_1/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=BALANCE
// BALANCE: error: verify-dataflow: lock f_in ends at 0, declared initial value 1: acquires and releases do not balance

// RUN: sed 's/rel=f_in,k_1/rel=f_in,k_1,m_0/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=REACH
// REACH: error: verify-dataflow: copy: COPY does not reach memtile lock m_0

// Locks that come out even, and yet do not hold back what they should:
// RUN: sed 's/ acq=f_in,m_0/ acq=f_in/; s/ rel=m_0"/"/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=ORDER
// ORDER: error: verify-dataflow: LOADFM of copy (body) (column 0) reads 0x0 .. 0x80 of memtile 0, which LOAD of copy (column 0) may not have written yet: no chain of locks leads from one to the other; let LOAD release a lock that LOADFM acquires

// RUN: sed 's/rel=f_in,k_1/rel=f_in/; s/Lock k_1/ /' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=CORES
// CORES: error: verify-dataflow: WRITEFM of copy (body) reads 0xc0 .. 0x140 of core 0,0, which COPY of copy (body) may not have written yet: no chain of locks

// RUN: sed 's/acq=f_in,m_0/acq=f_in*1,m_0@all/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=ALL
// ALL: error: verify-dataflow: LOADFM of copy (body) uses '@all', which is for locks of DDR, not memtile lock m_0

// RUN: sed 's/acq=m_1"/acq=m_1,m_0"/; s/rel=m_0"/rel=m_0*2"/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=TAKERS
// TAKERS: error: verify-dataflow: lock m_0 is acquired by LOADFM of copy (body) and by WRITE of copy: a lock is acquired by one engine only, in one way; give one of them a lock of its own

// or on a machine that has less:
// RUN: sed 's/{lock_max = 63}/{lock_max = 1, core_locks = 2}/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=LOCKS
// LOCKS: error: verify-dataflow: 3 locks on each core tile; it has 2
// RUN: sed 's/{lock_max = 63}/{core_descriptors = 1}/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=DESCRIPTORS
// RUN: sed 's/{lock_max = 63}/{ddr_descriptors = 1}/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=DDR
// DDR: error: verify-dataflow: 2 descriptors on a ddr tile, for LOAD, WRITE; it has 1
// RUN: sed 's/{lock_max = 63}/{lock_max = 2}/; s/rel=m_0"/rel=m_0*3"/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=HIGH
// HIGH: error: verify-dataflow: copy: LOAD raises m_0 to 3; a lock goes up to 2
// RUN: sed 's/{lock_max = 63}/{memtile_bytes = 1024}/; s/row=32 pix=8 rel=m_0"/row=512 pix=8 rel=m_0"/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=SPAN
// SPAN: error: verify-dataflow: copy: LOAD spans 1568 bytes of a memtile of 1024
// RUN: sed 's/{lock_max = 63}/{transfer_dims = 2}/; s/row=32 pix=8 rel=m_0"/row=128 pix=16 rel=m_0"/' %s | not bsc-opt --verify-dataflow 2>&1 | filecheck %s --check-prefix=DIMENSIONS
// DIMENSIONS: error: verify-dataflow: copy: LOAD moves data of 3 dimensions; a transfer of one has up to 2
// DESCRIPTORS: error: verify-dataflow: copy: 2 descriptors on a core tile; it has 1

builtin.module attributes {bsc.arch = #dataflow.arch<"one", "paper-1x1", {lock_max = 63}>} {
  dataflow.program "copy" {
    dataflow.lock "f_in" "core" init 1
    dataflow.lock "k_0" "core" init 0
    dataflow.lock "k_1" "core" init 0
    dataflow.lock "m_0" "memtile" init 0
    dataflow.lock "m_1" "memtile" init 0
    dataflow.tensor "t0" "x" shape [4, 4, 8] type "i8" pos 4 pixel 8 ddr 0
    dataflow.tensor "t1" "y" shape [4, 4, 8] type "i8" pos 3 pixel 8 ddr 128
    dataflow.port "input" "t0" #qnn.host<"x", "int8", "NCHW", [1, 8, 4, 4], zero 0>
    dataflow.port "output" "t1" #qnn.host<"y", "int8", "NCHW", [1, 8, 4, 4], zero 0>
    dataflow.ready "t0" #dataflow.place<ddr 0x0>
    dataflow.layer "copy" op "requantize"
    %0 = dataflow.load "ddr 0 memtile 0 iter 1 h=4 w=4 c=8 drow=32 dpix=8 row=32 pix=8 rel=m_0"
    dataflow.stage "body"
    %1 = dataflow.loadfm "Lock k_0 memtile 0 core 0 iter 1 h=4 w=4 c=8 row=32 pix=8 acq=f_in,m_0"
    %2 = dataflow.copy "iteration 1 in=0 out=192 h=4 w=4 c=8 xpos=4 post=round(3) acq=k_0 rel=f_in,k_1"
    %3 = dataflow.writefm "Lock k_1 memtile 128 core 192 iter 1 h=4 w=4 c=8 coff=0 row=32 pix=8 rel=m_1"
    dataflow.ready "t1" #dataflow.place<memtile 0x80, w [0, 4]>
    %4 = dataflow.write "ddr 128 memtile 128 iter 1 h=4 w=4 c=8 drow=32 dpix=8 row=32 pix=8 acq=m_1"
  }
}
