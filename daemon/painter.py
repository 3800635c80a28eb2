"""The painter child: draws the overlay pictures of one raw file after the other.

A raw file is read here a second time, so what holds for the parser holds for it: only a copy in its
own folder is read, limits are set by the kernel, what it says is JSON, and whatever a file does to
it costs a picture and nothing else.
"""

import traceback
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from analysis.errors import AnalysisError
from analysis.micrograph import Micrograph
from analysis.readers import ReadLimits, read_micrographs
from daemon import untrusted
from daemon.untrusted import confine, encoded

LARGEST_PICTURE_BYTES = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class PainterLimits:
    """What the painter may use, and the largest file it reads."""

    decoded_bytes: int
    side_px: int
    frames: int
    memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class PictureOrder:
    """One picture: of which frame, with which masks, and the file it becomes, PNG or JPEG.

    `label`: of the particle to be cut out; None is the whole micrograph. `side_px`: of it, at most.
    """

    signal_index: int
    frame_index: int | None
    masks: Path
    picture: Path
    label: int | None = None
    side_px: int = 1024


@dataclass(frozen=True, kw_only=True)
class PaintRequest:
    """Draw pictures of this spooled file, each beside it."""

    primary: Path
    orders: tuple[PictureOrder, ...]


@dataclass(frozen=True, kw_only=True)
class PictureDone:
    """One order, by its place: drawn where there is no reason why not."""

    number: int
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class PaintEnd:
    """Nothing more comes of this file; `reason` says why of what was not reported.

    `passes`: it may go better another time.
    """

    reason: str | None = None
    passes: bool = False


Message = PictureDone | PaintEnd
_KINDS: Mapping[str, type[Message]] = {kind.__name__: kind for kind in (PictureDone, PaintEnd)}


def decoded(data: bytes) -> Message:
    """What the painter says.

    Raises:
        ValueError: it is no message.
    """
    message: Message = untrusted.decoded(data, _KINDS, "painter")
    return message


def painter_main(connection: Connection, limits: PainterLimits) -> None:
    """Serve requests until the pipe closes."""
    import cv2  # here, so that only this process pays for what draws

    cv2.setNumThreads(1)
    read = ReadLimits(
        decoded_bytes=limits.decoded_bytes, side_px=limits.side_px, frames=limits.frames
    )
    confine(limits.memory_bytes, LARGEST_PICTURE_BYTES)
    while True:
        request = connection.recv()
        try:
            for done in _drawn(request, read):
                connection.send_bytes(encoded(done))
            end = PaintEnd()
        except Exception as error:  # noqa: BLE001 - a bug must not end the service
            end = _failure(error)
        connection.send_bytes(encoded(end))


def _failure(error: Exception) -> PaintEnd:
    if isinstance(error, AnalysisError):
        return PaintEnd(reason=str(error))
    if isinstance(error, OSError | MemoryError):
        return PaintEnd(reason=f"{type(error).__name__}: {error}", passes=True)
    return PaintEnd(reason="".join(traceback.format_exception(error)))


def _drawn(request: PaintRequest, limits: ReadLimits) -> Iterator[PictureDone]:
    """Each order once, in the order of the frames; those at the end have no frame any more."""
    waiting: dict[tuple[int, int | None], list[int]] = defaultdict(list)
    for number, order in enumerate(request.orders):
        waiting[order.signal_index, order.frame_index].append(number)
    for micrograph in read_micrographs(request.primary, limits):
        source = micrograph.source
        for number in waiting.pop((source.signal_index, source.frame_index), ()):
            yield PictureDone(number=number, reason=_draw(micrograph, request.orders[number]))
        if not waiting:
            return
    for numbers in waiting.values():
        for number in numbers:
            yield PictureDone(number=number, reason="the raw file no longer holds this image")


def _draw(micrograph: Micrograph, order: PictureOrder) -> str | None:
    """Write the picture, or say why there is none."""
    from daemon.cutout import cutout
    from daemon.gallery import NoPicture, outlined
    from daemon.outlines import write_picture
    from daemon.overlay import overlay

    try:
        shown = outlined(micrograph, order.masks)
    except NoPicture as error:
        return str(error)
    what = (shown.image, shown.labels)
    if order.label is None:
        picture = overlay(*what, shown.classes, shown.pixel_size_nm, order.side_px)
    else:
        try:
            picture = cutout(*what, order.label, shown.classes, shown.pixel_size_nm, order.side_px)
        except LookupError as error:
            return str(error)
    write_picture(order.picture, picture)
    return None
