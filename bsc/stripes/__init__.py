"""Depth-wise tiling: chains of layers, stripe by stripe of H.

A chain is computed in stripes of rows of its last layer: for each stripe, only those rows of
the tensors between its layers that the stripe needs, so that they stay in the memtiles however
large the whole tensors are (the paper's section 4.3 splits one layer at a time, and each of
these tensors goes to DDR and comes back).

    chain     which layers can make a chain, and which rows each computes for each stripe
    choose    which chains are worth it, and how many stripes they take
    rewrite   the layers of a chain become their stripes
"""
