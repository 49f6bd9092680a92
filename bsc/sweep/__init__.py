"""Many networks on many machines: compiled, timed, and set beside the paper's Table 2.

    cells = make_cells(["resnet50"], ["paper-4x4", "paper-5x5"], [0.0, 0.5])
    with local_workers(2) as workers:
        done = sweep(cells, Cache(Path("bsc-cache")), workers, preparers=workers)
    done.rows(["serial"])

A cell is a network, a sparsity and a machine.  It is compiled once and timed by every rule; no
program is written.  What is found is kept under a hash of all that it depends on, so that a
sweep which was stopped goes on where it was.
"""

from bsc.sweep.cache import Cache
from bsc.sweep.cells import Cell, make_cells
from bsc.sweep.measure import Measured, Times
from bsc.sweep.runner import Row, Sweep, record, sweep
from bsc.sweep.workers import Workers, dask_workers, local_workers

__all__ = [
    "Cache",
    "Cell",
    "Measured",
    "Row",
    "Sweep",
    "Times",
    "Workers",
    "dask_workers",
    "local_workers",
    "make_cells",
    "record",
    "sweep",
]
