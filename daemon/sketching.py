"""Pictures of the results of one raw file, drawn by a child from a private copy of it.

What a raw file does to the child costs its pictures and nothing else.
"""

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from daemon import confinement
from daemon.bounded import DoesNotAnswer, within
from daemon.children import Child, ChildDied, DeadlineMissed
from daemon.config import LimitsConfig
from daemon.painter import (
    LARGEST_PICTURE_BYTES,
    PaintEnd,
    PainterLimits,
    PaintRequest,
    PictureDone,
    PictureOrder,
    decoded,
    painter_main,
)
from daemon.spool import CannotSpool, ChangedWhileCopied, DoesNotFit, spool_arrival
from schema.pictures import Drawable
from schema.records import ArrivalRecord
from schema.state import StateFolder

COPY_SECONDS = 60.0
SLOWEST_BYTES_PER_S = 500_000.0  # a share below that is as good as gone
FIRST_TO_GO = "1000"  # of oom_score_adj: the kernel ends it before anything else


class CannotDraw(Exception):
    """No picture of this file, or of some of its frames; `passes`: perhaps another time."""

    def __init__(self, reason: str, *, passes: bool) -> None:
        super().__init__(reason)
        self.passes = passes


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """A picture that is wanted: of a whole micrograph, or of the particle with this label.

    `side_px`: of it, at most. `suffix` is its format, `.png` or `.jpg`.
    """

    result: Drawable
    label: int | None = None
    side_px: int = 1024
    suffix: str = ".png"


@dataclass(frozen=True, kw_only=True)
class Sketched:
    """What became of the sketch with this number: the bytes of its file, or the reason why not.

    The child wrote them: whoever looks at a picture judges for himself whether it is one.
    """

    number: int
    content: bytes | None
    reason: str | None


class Sketcher:
    """Draws, one file at a time; from one thread, with which its child dies.

    Args:
        state: whose results they are.
        scratch: an empty folder that exists, for copies of raw files; the child reaches it and
            the masks.
        limits: what a file may cost.
        abandoned: looked at while it waits; true ends the file in hand.
    """

    def __init__(
        self,
        state: StateFolder,
        scratch: Path,
        limits: LimitsConfig,
        abandoned: Callable[[], bool] = lambda: False,
    ) -> None:
        self._state = state
        self._scratch = scratch
        self._limits = limits
        self._abandoned = abandoned
        self._count = itertools.count()
        most = PainterLimits(
            decoded_bytes=limits.decoded_bytes,
            side_px=limits.side_px,
            frames=limits.frames,
            memory_bytes=limits.parser_memory_bytes,
        )
        reach = confinement.to_folder(scratch)
        self._child = Child(
            "painter",
            painter_main,
            (most,),
            decoded,
            replace(reach, readable=(*reach.readable, state.masks)),
        )

    def sketch(
        self, arrival: ArrivalRecord, wanted: Sequence[Sketch]
    ) -> Generator[Sketched, None, None]:
        """Draw pictures of this file, and say of each what became of it.

        Raises:
            CannotDraw: of those that were not reported, there is no picture.
        """
        place = self._scratch / str(next(self._count))
        try:
            yield from self._from_copy(arrival, wanted, place)
        except (ChildDied, DeadlineMissed) as error:
            raise CannotDraw(str(error), passes=True) from error
        except ChangedWhileCopied as error:
            raise CannotDraw("the raw file has changed since", passes=False) from error
        except CannotSpool as error:
            raise CannotDraw(str(error), passes=False) from error
        except (DoesNotFit, DoesNotAnswer) as error:
            raise CannotDraw(str(error), passes=True) from error
        except OSError as error:
            reason = f"the raw file cannot be read: {error.strerror or error}"
            raise CannotDraw(reason, passes=True) from error
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def rest(self) -> None:
        """End the child; it is there again with the next file."""
        self._child.stop(grace_seconds=0)

    def _from_copy(
        self, arrival: ArrivalRecord, wanted: Sequence[Sketch], place: Path
    ) -> Iterator[Sketched]:
        seconds = COPY_SECONDS + arrival.size_bytes / SLOWEST_BYTES_PER_S
        spooled = within(
            seconds,
            lambda: spool_arrival(arrival, place, self._limits.file_bytes),
            self._abandoned,
        )
        orders = tuple(
            PictureOrder(
                signal_index=each.result.signal_index,
                frame_index=each.result.frame_index,
                masks=self._state.path / each.result.mask_path,
                picture=place / f".picture-{number:06d}{each.suffix}",
                label=each.label,
                side_px=each.side_px,
            )
            for number, each in enumerate(wanted)
        )
        self._start_child()
        self._child.send(PaintRequest(primary=spooled.primary, orders=orders))
        try:
            yield from self._reported(orders)
        except BaseException:
            self._child.stop(grace_seconds=0)  # it would go on with this file
            raise

    def _reported(self, orders: Sequence[PictureOrder]) -> Iterator[Sketched]:
        while isinstance(message := self._next_message(), PictureDone):
            number = message.number
            if not 0 <= number < len(orders):
                raise CannotDraw("the painter names a picture nobody asked for", passes=False)
            content = None if message.reason is not None else _taken(orders[number].picture)
            yield Sketched(number=number, content=content, reason=message.reason)
        if message.reason is not None:
            raise CannotDraw(message.reason, passes=message.passes)

    def _next_message(self) -> PictureDone | PaintEnd:
        message: PictureDone | PaintEnd = self._child.receive(
            2 * self._limits.parser_seconds, self._abandoned
        )
        return message

    def _start_child(self) -> None:
        if self._child.is_alive:
            return
        self._child.start()
        with contextlib.suppress(OSError):  # not everybody may, and it is no matter
            Path(f"/proc/{self._child.pid}/oom_score_adj").write_text(FIRST_TO_GO)


def _taken(path: Path) -> bytes:
    """What the child wrote, and no more than it may write."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(LARGEST_PICTURE_BYTES)
    path.unlink()
    return content
