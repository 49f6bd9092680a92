"""`bsc view`: a page that shows when a program does what, and where its tensors lie.

The page is one file that needs no network: the data as arrays (`bsc.view.content`), our
script and style, and uPlot 1.6.32 (https://github.com/leeoniya/uPlot, MIT licence, in
`vendor`), which draws axes and does cursor and zoom.  Everything is read from the program text
alone; times are those of its event simulation.
"""

from bsc.view.page import page_names, view_page

__all__ = ["page_names", "view_page"]
