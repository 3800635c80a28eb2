"""The gallery of a report: particles cut out of their micrographs, and a few whole micrographs.

They are drawn by a child from private copies of the raw files, one file after the other; what it
wrote goes into the page as it is.
"""

import base64
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.config import LimitsConfig
from daemon.errors import DaemonError
from daemon.names import printable
from daemon.palette import CLASS_MARKS, Mark
from daemon.report.numbers import counted
from daemon.sketching import CannotDraw, Sketch, Sketcher
from schema.exhibits import Exhibit, Exhibition, Specimen
from schema.queries import MicrographRow
from schema.records import CLASS_NAMES
from schema.state import StateFolder

PARTICLE_PX = 320
WHOLE_PX = 512  # half a page wide, its letters can still be read
LARGEST_BYTES = 2**20  # of one picture: a page is to be sent by mail
MOST_NAMES = 3

RULE = (
    "Of each class first the typical particles, whose probability is nearest to the median of "
    "their class in these micrographs, then those the classifier was least sure of. The outline is "
    "where a particle was found, thicker for the one that is shown; bars are to scale."
)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture inside the page; `alt` says what is seen, `caption` in lines what is known."""

    uri: str
    alt: str
    caption: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Pictures by class, whole micrographs, and sentences about what is shown and what is not."""

    notes: tuple[str, ...]
    classes: tuple[tuple[Mark, tuple[Shown, ...]], ...]
    whole: tuple[Shown, ...]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A picture of the gallery; without a specimen it is one of the whole micrograph."""

    exhibit: Exhibit
    specimen: Specimen | None

    @property
    def sketch(self) -> Sketch:
        label = None if self.specimen is None else self.specimen.label
        side_px = WHOLE_PX if label is None else PARTICLE_PX
        result = self.exhibit.result
        return Sketch(result=result, label=label, side_px=side_px, suffix=".jpg")


def gallery(
    state: StateFolder, exhibition: Exhibition, limits: LimitsConfig, beside: Path
) -> Gallery:
    """The pictures of what was chosen; those whose raw file is gone or changed are left out.

    Args:
        state: whose micrographs they are.
        exhibition: what was chosen.
        limits: what a file may cost.
        beside: a folder, in which copies of raw files lie meanwhile.

    Raises:
        DaemonError: that folder cannot be written.
    """
    shown: dict[tuple[int | None, Specimen | None], Shown] = {}
    missing: dict[str, list[str]] = defaultdict(list)
    with _scratch(beside) as scratch:
        sketcher = Sketcher(state, scratch, limits)
        try:
            for exhibit in exhibition.micrographs:
                wanted = _wanted(exhibition, exhibit)
                for each, picture in _pictures(sketcher, exhibit, wanted, missing):
                    shown[exhibit.row.micrograph_id, each.specimen] = picture
        finally:
            sketcher.rest()
    return Gallery(
        notes=(*_notes(exhibition), *_missing(exhibition, missing)),
        classes=tuple(_by_class(exhibition, shown)),
        whole=tuple(shown[each, None] for each in exhibition.whole if (each, None) in shown),
    )


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    try:
        made = tempfile.TemporaryDirectory(prefix=".report-", dir=beside)
    except OSError as error:
        raise DaemonError(f"cannot write into {beside}: {error.strerror or error}") from error
    with made as folder:
        yield Path(folder)


def _wanted(exhibition: Exhibition, exhibit: Exhibit) -> list[_Wanted]:
    number = exhibit.row.micrograph_id
    here = [each for each in exhibition.specimens if each.micrograph_id == number]
    specimens = [*here, *([None] if number in exhibition.whole else [])]
    return [_Wanted(exhibit=exhibit, specimen=specimen) for specimen in specimens]


def _pictures(
    sketcher: Sketcher,
    exhibit: Exhibit,
    wanted: Sequence[_Wanted],
    missing: Mapping[str, list[str]],
) -> Iterator[tuple[_Wanted, Shown]]:
    """Those that there are; the reasons of the others go into `missing`, each file once."""
    reasons: set[str] = set()
    try:
        for sketched in sketcher.sketch(exhibit.file, [each.sketch for each in wanted]):
            content = sketched.content
            if content is not None and len(content) <= LARGEST_BYTES:
                yield wanted[sketched.number], _shown(wanted[sketched.number], content)
            else:
                reasons.add(sketched.reason or "the picture is too large for a page")
    except CannotDraw as error:
        reasons.add(str(error))
    for reason in sorted(reasons):
        *_, last_line = reason.splitlines() or [""]
        missing[last_line].append(_name(exhibit.row))


def _by_class(
    exhibition: Exhibition, shown: Mapping[tuple[int | None, Specimen | None], Shown]
) -> Iterator[tuple[Mark, tuple[Shown, ...]]]:
    for name in (*CLASS_NAMES, None):
        there = (each for each in exhibition.specimens if each.particle_class == name)
        found = (shown.get((each.micrograph_id, each)) for each in there)
        pictures = tuple(each for each in found if each is not None)
        if pictures:
            yield CLASS_MARKS[name], pictures


def _notes(exhibition: Exhibition) -> Iterator[str]:
    if not exhibition.micrographs:
        return
    shown, those = len(exhibition.micrographs), exhibition.of_micrographs
    yield f"Chosen from {shown} of {those} micrographs, spread over the course of time. {RULE}"


def _missing(exhibition: Exhibition, missing: Mapping[str, list[str]]) -> Iterator[str]:
    gone = exhibition.of_micrographs - exhibition.there
    if gone:
        files = "raw file" if gone == 1 else "raw files"
        yield f"Of {counted(gone, 'micrograph')} the {files} had gone when last looked for."
    for reason, names in missing.items():
        more = len(names) - MOST_NAMES
        listed = ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
        yield f"There is no picture of {listed}: {printable(reason).rstrip('.')}."


def _shown(wanted: _Wanted, content: bytes) -> Shown:
    row, specimen = wanted.exhibit.row, wanted.specimen
    uri = f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"
    scale = "without a scale" if row.pixel_size_nm is None else "with a scale bar"
    if specimen is None:
        size = "" if row.pixel_size_nm is None else f", {row.pixel_size_nm:.4g} nm per pixel"
        return Shown(
            uri=uri,
            alt=f"{_name(row)}, its particles outlined and lettered by class, {scale}.",
            caption=(f"{_name(row)}, {row.width_px} × {row.height_px} px{size}",),
        )
    what = CLASS_MARKS[specimen.particle_class].words
    size = "no size" if specimen.diameter_nm is None else f"{specimen.diameter_nm:.2f} nm"
    sure = "typical" if specimen.is_typical else "least sure"
    return Shown(
        uri=uri,
        alt=f"Particle {specimen.label} of {_name(row)}, outlined, {scale}: {what}.",
        caption=(
            f"{size}, p {specimen.probability:.2f}, {sure}",
            f"{_name(row)}, no.\N{NO-BREAK SPACE}{specimen.label}",
        ),
    )


def _name(row: MicrographRow) -> str:
    frame = "" if row.frame_index is None else f" [{row.frame_index}]"
    return printable(os.path.basename(row.path)) + frame
