"""The particles and micrographs that a gallery shows: few, and chosen by a rule that can be told.

Only micrographs whose raw file was there when it was last looked for are chosen, so that a gallery
opens a dozen files however many there are. Every function only reads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from schema import standing
from schema.choice import Choice, Result
from schema.gathering import Gathered, columns_of, particles
from schema.pictures import Drawable, drawable
from schema.queries import MicrographRow, micrographs
from schema.records import CLASS_NAMES, ArrivalRecord
from schema.sample import Particles, is_counted
from schema.summaries import UNCLASSIFIED
from schema.tables import Image, SourceFile

Floats = NDArray[np.float64]

MOST_MICROGRAPHS = 12
MOST_WHOLE = 2
RICHEST = 2

_STATED = ("label", "mean_probability", *(f"p_{name}" for name in CLASS_NAMES))


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """A particle that stands for its class.

    `probability`: of its class by the forest; of being particle at all by the network, where it has
    no class. `is_typical`: taken for the median of that probability, not for a low one.
    `diameter_nm`: None without a pixel size.
    """

    micrograph_id: int
    label: int
    particle_class: str | None
    probability: float
    diameter_nm: float | None
    is_typical: bool


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A micrograph that was looked through: what is known of it, its result, and its raw file."""

    row: MicrographRow
    result: Drawable
    file: ArrivalRecord


@dataclass(frozen=True, kw_only=True)
class Exhibition:
    """What a gallery shows.

    `of_micrographs`: those that count; `there`: those of them whose raw file was there.
    `micrographs`: those that were looked through, in the order of time; `whole`: numbers of those
    that are shown entirely.
    """

    of_micrographs: int
    there: int
    micrographs: tuple[Exhibit, ...]
    whole: tuple[int, ...]
    specimens: tuple[Specimen, ...]


def exhibition(connection: Connection, found: Gathered, per_class: int) -> Exhibition:
    """What a gallery of these results shows.

    Args:
        connection: to read from.
        found: the results that count, and all their regions.
        per_class: how many particles of each class, half of them typical ones.
    """
    choice = found.choice
    there = _there(connection, choice.results)
    chosen = _looked_through(choice, found.particles, there, per_class)
    return Exhibition(
        of_micrographs=len(choice.results),
        there=len(there),
        micrographs=tuple(_exhibits(connection, chosen)),
        whole=tuple(chosen[place].micrograph_id for place in _evenly(len(chosen), MOST_WHOLE)),
        specimens=tuple(_specimens(connection, choice, chosen, per_class)),
    )


def _there(connection: Connection, results: Sequence[Result]) -> list[int]:
    """Places of the results whose raw file is there, in order of time."""
    query = select(Image.id).join(SourceFile, SourceFile.id == Image.source_file_id)
    present = set(connection.execute(query.where(SourceFile.present == 1)).scalars())
    places = [k for k, result in enumerate(results) if result.micrograph_id in present]
    return sorted(places, key=lambda k: (results[k].seen_at_utc, results[k].micrograph_id))


def _looked_through(
    choice: Choice, found: Particles, there: Sequence[int], per_class: int
) -> list[Result]:
    """Up to twelve, evenly over the course of time, and the richest in each class that lacks some.

    Those without a particle that counts are passed over.
    """
    counted = is_counted(found.table, choice.rules)
    codes, result = found.table["class_code"][counted], found.result[counted]
    numbers = {
        code: np.bincount(result[codes == code], minlength=len(choice.results))
        for code in np.unique(codes).tolist()
    }
    filled = [place for place in there if any(each[place] for each in numbers.values())]
    chosen = {filled[k] for k in _evenly(len(filled), MOST_MICROGRAPHS)}
    for each in numbers.values():
        if each[list(chosen)].sum() < per_class:
            richest = sorted(filled, key=lambda place: -each[place])
            chosen |= set(richest[:RICHEST])
    return [choice.results[place] for place in filled if place in chosen]


def _exhibits(connection: Connection, chosen: Sequence[Result]) -> Iterator[Exhibit]:
    """In their order."""
    query = select(Image.id, Image.source_file_id).where(
        Image.id.in_([result.micrograph_id for result in chosen])
    )
    file_of = {row.id: row.source_file_id for row in connection.execute(query)}
    files = {each: standing.entry(connection, each).arrival for each in set(file_of.values())}
    rows = {row.micrograph_id: row for row in micrographs(connection, list(files))}
    drawn = drawable(connection, source_file_ids=list(files))
    results = {(each.source_file_id, each.analysis_id): each for each in drawn}
    for result in chosen:
        file_id = file_of[result.micrograph_id]
        yield Exhibit(
            row=rows[result.micrograph_id],
            result=results[file_id, result.analysis_id],
            file=files[file_id],
        )


def _specimens(
    connection: Connection, choice: Choice, chosen: Sequence[Result], per_class: int
) -> Iterator[Specimen]:
    """Of each class in turn: the typical ones first, then those the forest was least sure of."""
    ids = [result.analysis_id for result in chosen]
    found = particles(connection, ids)
    stated = columns_of(connection, ids, _STATED)
    counted = is_counted(found.table, choice.rules)
    for code in (*range(len(CLASS_NAMES)), UNCLASSIFIED):
        places = np.flatnonzero(counted & (found.table["class_code"] == code))
        probability = stated[places, 2 + code if code != UNCLASSIFIED else 1]
        for pick, is_typical in _picked(probability, per_class):
            place = places[pick]
            diameter_nm = float(found.table["diameter_nm"][place])
            yield Specimen(
                micrograph_id=chosen[found.result[place]].micrograph_id,
                label=int(stated[place, 0]),
                particle_class=None if code == UNCLASSIFIED else CLASS_NAMES[code],
                probability=float(probability[pick]),
                diameter_nm=diameter_nm if np.isfinite(diameter_nm) else None,
                is_typical=is_typical,
            )


def _picked(probability: Floats, wanted: int) -> Iterator[tuple[int, bool]]:
    """Places, and whether each is typical: nearest to the median; the others are the lowest."""
    if probability.size == 0:
        return
    from_median = np.abs(probability - np.median(probability))
    typical = np.argsort(from_median, kind="stable")[: (wanted + 1) // 2]
    yield from ((int(place), True) for place in typical)
    lowest = [place for place in np.argsort(probability, kind="stable") if place not in typical]
    yield from ((int(place), False) for place in lowest[: wanted // 2])


def _evenly(count: int, most: int) -> list[int]:
    """Up to so many places out of so many, the first and the last among them."""
    return [round(float(place)) for place in np.linspace(0, count - 1, min(count, most))]
