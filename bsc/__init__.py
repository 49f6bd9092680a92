"""bsc: a block-sparse compiler for grids of AMD AIE2 cores, on xDSL."""
