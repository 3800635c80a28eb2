"""Regions of a result packed into one value; a session may state its material."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
from alembic import op

from schema.script import statements

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PACKED = np.dtype(
    [
        ("diameter_nm", "<f8"),
        ("caliper_nm", "<f8"),
        ("aspect_ratio", "<f8"),
        ("circularity", "<f8"),
        ("class_code", "i1"),
        ("exclusion", "u1"),
        ("touches_border", "?"),
    ]
)

PARTICLES = """
    SELECT
        analysis_id, equivalent_diameter_nm, (feret_max_nm + feret_min_nm) / 2, aspect_ratio,
        circularity, coalesce(class_code, -1), excluded IS NOT NULL, touches_border
    FROM particle ORDER BY analysis_id, label
"""


def upgrade() -> None:
    """Make the packed values anew from the particles; no particle is rewritten."""
    for statement in statements("migrations", "versions", "0005_packed_summaries.sql"):
        op.execute(statement)
    connection = op.get_bind()
    rows = connection.execution_options(yield_per=10_000).exec_driver_sql(PARTICLES)
    for analysis_id, group in groupby(rows, itemgetter(0)):
        packed = np.array([_numbers(row) for row in group], dtype=PACKED).tobytes()
        connection.exec_driver_sql(
            "UPDATE analysis_summary SET packed = ? WHERE analysis_id = ?", (packed, analysis_id)
        )


def _numbers(row: Sequence[float | None]) -> tuple[float, ...]:
    """Without its analysis; an unknown number is NaN."""
    return tuple(float("nan") if value is None else value for value in row[1:])
