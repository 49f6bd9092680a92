"""Packing buffers with live ranges into one memory.

The core stands alone: buffers in (name, live range, size), offsets out.

    problem     buffers, the lower bound, what a packing must be
    greedy      first fit in several orders
    skyline     the exact search
    portfolio   one after the other, within a budget of steps
    table       the exchange format of such problems, CSV
"""

from bsc.allocate.portfolio import least as least
from bsc.allocate.portfolio import pack as pack
from bsc.allocate.problem import Buffer as Buffer
from bsc.allocate.problem import Packing as Packing
from bsc.allocate.problem import busiest as busiest
from bsc.allocate.problem import check as check
from bsc.allocate.problem import height as height
from bsc.allocate.problem import memory_map as memory_map
