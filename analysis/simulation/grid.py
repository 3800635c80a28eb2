"""The grid of a simulated field: a periodic cell, and the picture in the middle of it."""

PIXEL_SIZE_NM = 0.04
FIELD_PX = 512
MARGIN_PX = 32
"""Keeps the edge of the cell, and what the lens spreads over it, out of the picture."""

CELL_PX = FIELD_PX + 2 * MARGIN_PX
CELL_NM = CELL_PX * PIXEL_SIZE_NM
MARGIN_NM = MARGIN_PX * PIXEL_SIZE_NM
