"""Time: what each instruction, layer and network takes, and what bounds it."""
