"""How acquisition programs and copying tools bring a micrograph into a watched folder.

Each manner is a generator that yields wherever the real program may take its time: while nobody
asks for the next step, the writer stalls. They move bytes and know no format, but for the head of
a TIA series. The demonstration uses them, and the tests pause them wherever they can be paused.
"""

import fcntl
import os
import struct
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import FileIO
from itertools import pairwise
from pathlib import Path

FEWEST_PAUSES = 2

_HEAD_BYTES = 1024  # the longest head that is written last: that of an MRC file
_SOURCE_MTIME_NS = 1_600_000_000 * 10**9  # a copy has the time of its source
_SER_VALID_AT = 18
_SER_VERSION_OF_LONG_OFFSETS = 0x220


class Manner(StrEnum):
    """What a program does to the folder."""

    IN_ORDER = "in place, with pauses"
    HEADER_LAST = "in place, its header last"
    REOPENED = "in place, closed and opened again"
    PREALLOCATED = "given its full size, then filled"
    HELD_OPEN = "locked and held open when it is whole"
    RENAMED = "under another name, then renamed"
    MOVED_IN = "in a folder that is moved in"
    OVERWRITTEN = "over what had its name, block by block"
    ROBOCOPY = "over what had its name, cut to nothing and given its full size"
    SAVED_AGAIN = "over what had its name, cut to nothing"
    COMPANION_LATE = "the settings after the pixels"
    FRAME_BY_FRAME = "a series, counted frame by frame"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What lies in the folder in the end.

    `companion`: name and content of the file beside it, where there is one and the manner brings
    it. `earlier` had the name before, whole; where it is None, nothing had.
    """

    name: str
    content: bytes
    companion: tuple[str, bytes] | None = None
    earlier: bytes | None = None


Steps = Iterator[None]


def deliver(manner: Manner, folder: Path, delivery: Delivery, pauses: int) -> Steps:
    """Bring a micrograph into a folder; the generator yields exactly `pauses` times.

    Where something had the name before, the first pause is after that.

    Args:
        manner: how.
        folder: it exists.
        delivery: what.
        pauses: at least `FEWEST_PAUSES`.

    Raises:
        ValueError: too few pauses, or a companion or an earlier file this manner knows nothing of.
    """
    if pauses < FEWEST_PAUSES:
        raise ValueError(f"{pauses} pauses: at least {FEWEST_PAUSES} are needed")
    if delivery.companion is not None and manner not in _WITH_COMPANION:
        raise ValueError(f"no companion comes {manner}")
    if delivery.earlier is not None and manner not in _OVER_SOMETHING:
        raise ValueError(f"nothing had the name of a file that comes {manner}")
    return _STEPS[manner](folder, delivery, pauses)


def _in_order(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    with _new(folder / delivery.name) as file:
        yield from _fill(file, delivery.content, pauses)


def _header_last(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    with _new(folder / delivery.name) as file:
        yield from _fill_before_head(file, delivery.content, pauses)


def _reopened(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    for index, piece in enumerate(_pieces(delivery.content, pauses + 1)):
        if index:
            yield
        with (folder / delivery.name).open("ab") as file:
            file.write(piece)


def _preallocated(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    with _new(folder / delivery.name) as file:
        os.posix_fallocate(file.fileno(), 0, len(delivery.content))
        yield
        yield from _fill(file, delivery.content, pauses - 1)


def _held_open(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    """As Velox does it: HDF5 locks the file until it is closed, long after the last byte."""
    with _new(folder / delivery.name) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield from _fill_before_head(file, delivery.content, pauses - 1)
        yield


def _renamed(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    """As rsync does it."""
    unfinished = folder / f".{delivery.name}.Xa3k9Q"
    with _new(unfinished) as file:
        yield from _fill(file, delivery.content, pauses)
    _as_old_as_its_source(unfinished)
    unfinished.rename(folder / delivery.name)


def _moved_in(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    name = Path(delivery.name).stem
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as outside:
        made = Path(outside) / name
        made.mkdir()
        with _new(made / delivery.name) as file:
            yield from _fill(file, delivery.content, pauses)
        if delivery.companion is not None:
            companion, content = delivery.companion
            (made / companion).write_bytes(content)
        made.rename(folder / name)


def _overwritten(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    """As `rsync --inplace` does it: half-way it has something of both."""
    path = folder / delivery.name
    pauses = yield from _earlier(path, delivery, pauses)
    with FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+") as file:
        yield from _fill(file, delivery.content, pauses)
        file.truncate()
    _as_old_as_its_source(path)


def _robocopy(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    path = folder / delivery.name
    pauses = yield from _earlier(path, delivery, pauses)
    with _new(path) as file:
        file.truncate(len(delivery.content))
        yield from _fill(file, delivery.content, pauses)
    _as_old_as_its_source(path)


def _saved_again(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    """The same pixels with other settings, or other pixels under a name that is used again."""
    path = folder / delivery.name
    pauses = yield from _earlier(path, delivery, pauses)
    with _new(path) as file:
        yield from _fill(file, delivery.content, pauses)


def _companion_late(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    """The `.emi` of a `.ser`, the `.mdoc` of a stack."""
    if delivery.companion is None:
        raise ValueError(f"{delivery.name} has no companion that could be late")
    (folder / delivery.name).write_bytes(delivery.content)
    yield
    name, content = delivery.companion
    with _new(folder / name) as file:
        yield from _fill(file, content, pauses - 1)


def _frame_by_frame(folder: Path, delivery: Delivery, pauses: int) -> Steps:
    """As TIA does it: the head counts the frames that are there; a stopped series lacks some."""
    ends = _ends_of_frames(delivery.content)
    rest = delivery.content[_SER_VALID_AT + 4 :]
    uncounted = delivery.content[:_SER_VALID_AT] + bytes(4) + rest
    with _new(folder / delivery.name) as file:
        for _ in _fill(file, uncounted, pauses):
            _count_frames(file, ends)
            yield
        _count_frames(file, ends)


def _count_frames(file: FileIO, ends: list[int]) -> None:
    """Write into the head how many frames end before the place where the file is written."""
    written = file.tell()
    file.seek(_SER_VALID_AT)
    file.write(struct.pack("<I", sum(end <= written for end in ends)))
    file.seek(written)


def _ends_of_frames(series: bytes) -> list[int]:
    """Where each frame and its time stamp are complete; a later part of the file begins there."""
    version, total, valid = struct.unpack_from("<H8xII", series, 4)
    word = "Q" if version >= _SER_VERSION_OF_LONG_OFFSETS else "I"
    (table,) = struct.unpack_from(f"<{word}", series, _SER_VALID_AT + 4)
    offsets = struct.unpack_from(f"<{2 * total}{word}", series, table)
    parts = [(offsets[i], offsets[total + i]) for i in range(valid)]
    marks = sorted({offset for part in parts for offset in part} | {len(series)})
    return [max(marks[marks.index(offset) + 1] for offset in part) for part in parts]


_STEPS: Mapping[Manner, Callable[[Path, Delivery, int], Steps]] = {
    Manner.IN_ORDER: _in_order,
    Manner.HEADER_LAST: _header_last,
    Manner.REOPENED: _reopened,
    Manner.PREALLOCATED: _preallocated,
    Manner.HELD_OPEN: _held_open,
    Manner.RENAMED: _renamed,
    Manner.MOVED_IN: _moved_in,
    Manner.OVERWRITTEN: _overwritten,
    Manner.ROBOCOPY: _robocopy,
    Manner.SAVED_AGAIN: _saved_again,
    Manner.COMPANION_LATE: _companion_late,
    Manner.FRAME_BY_FRAME: _frame_by_frame,
}
_WITH_COMPANION = (Manner.COMPANION_LATE, Manner.MOVED_IN)
_OVER_SOMETHING = (Manner.OVERWRITTEN, Manner.ROBOCOPY, Manner.SAVED_AGAIN)


def _new(path: Path) -> FileIO:
    """Open for writing, without a buffer: what is written is what others see."""
    return FileIO(path, "w")


def _pieces(content: bytes, number: int) -> list[bytes]:
    """The content in that many parts of nearly the same length."""
    edges = [len(content) * index // number for index in range(number + 1)]
    return [content[start:end] for start, end in pairwise(edges)]


def _fill(file: FileIO, content: bytes, pauses: int) -> Steps:
    """Write in order, with that many pauses in between."""
    for index, piece in enumerate(_pieces(content, pauses + 1)):
        if index:
            yield
        file.write(piece)


def _fill_before_head(file: FileIO, content: bytes, pauses: int) -> Steps:
    """Write all but the head, with that many pauses; after the last of them the head."""
    file.write(bytes(min(_HEAD_BYTES, len(content))))
    yield from _fill(file, content[_HEAD_BYTES:], pauses - 1)
    yield
    file.seek(0)
    file.write(content[:_HEAD_BYTES])


def _earlier(path: Path, delivery: Delivery, pauses: int) -> Generator[None, None, int]:
    """Write what had the name before; how many pauses are left."""
    if delivery.earlier is None:
        return pauses
    path.write_bytes(delivery.earlier)
    yield
    return pauses - 1


def _as_old_as_its_source(path: Path) -> None:
    os.utime(path, ns=(_SOURCE_MTIME_NS, _SOURCE_MTIME_NS))
