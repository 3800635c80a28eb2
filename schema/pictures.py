"""Which results can be drawn, and which file holds their pixels; only reads."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from schema.scope import EVERYTHING, Scope, in_scope
from schema.tables import Analysis, Image, SourceFile


@dataclass(frozen=True, kw_only=True)
class Drawable:
    """One result and one file that holds its pixels; copies of an image share a result."""

    analysis_id: int
    source_file_id: int
    mask_path: str
    signal_index: int
    frame_index: int | None


def drawable(
    connection: Connection,
    scope: Scope = EVERYTHING,
    *,
    after: int = 0,
    present_only: bool = False,
    source_file_ids: Collection[int] | None = None,
) -> tuple[Drawable, ...]:
    """The results that can be drawn, in the order in which they were made.

    Args:
        connection: open.
        scope: which micrographs.
        after: only results made after this one.
        present_only: only of files that are still where they were.
        source_file_ids: only of these few files.
    """
    query = in_scope(
        select(
            Analysis.id.label("analysis_id"),
            Image.source_file_id,
            Analysis.mask_path,
            Image.signal_index,
            Image.frame_index,
        ),
        scope,
    )
    query = query.where(Analysis.segmented == 1, Analysis.id > after)
    if present_only:
        query = query.where(SourceFile.present == 1)
    if source_file_ids is not None:
        query = query.where(SourceFile.id.in_(source_file_ids))
    rows = connection.execute(query.order_by(Analysis.id, Image.id))
    return tuple(Drawable(**row._mapping) for row in rows)
