"""An even share of stored blocks for the rows of cores.

A stage is done when its fullest core is.  Zero blocks are where the weights have them, so
that some rows of cores have more to do than others: of a random mask with half of its blocks
the fullest of 4 rows has more than half, the more so the smaller the pieces are that are
computed at once.  Which output channels a row computes is free, however, if the order of the
channels in memory may change: a layer that writes its channels in another order, and those
that read them with their weights in that order, compute the same (equation 7 of the paper
sums over CIN in any order).

    links   which channels must change their order together
    deal    the order that shares the blocks evenly
"""
