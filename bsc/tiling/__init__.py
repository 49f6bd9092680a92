"""How a layer is cut for the grid: which bytes each memtile holds, what each core computes
at once, and in which order.  Numbers only; the passes read them off the IR and write the
decisions back."""
