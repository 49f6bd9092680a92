"""
`dataflow`: memtiles and cores.
"""

from xdsl.ir import Dialect

from bsc.dialects.machine import ArchAttr
from bsc.dialects.placement import PlaceAttr, SpreadAttr, SubvolumeAttr

DATAFLOW = Dialect("dataflow", [], [ArchAttr, SpreadAttr, PlaceAttr, SubvolumeAttr])
