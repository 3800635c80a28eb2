"""Overlay pictures of the results of a state folder, one PNG each, drawn by a child.

A picture is named like the masks it shows, whose name holds a hash of the result: another result of
the same micrograph has another picture, and nothing in the folder is ever removed.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from daemon.bounded import within
from daemon.config import LimitsConfig
from daemon.sketching import CannotDraw as CannotDraw
from daemon.sketching import Sketch, Sketcher
from schema.pictures import Drawable
from schema.records import ArrivalRecord
from schema.state import StateFolder

LOOK_SECONDS = 60.0
WRITE_SECONDS = 60.0


class FolderFailed(Exception):
    """Nothing can be written into the folder of the pictures now."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One result that was dealt with: drawn where there is no reason why not."""

    picture: Path
    reason: str | None = None


class Easel(Sketcher):
    """Draws into a folder, one file at a time; from one thread, with which its child dies.

    Args:
        state: whose results they are.
        folder: takes the pictures.
        scratch: an empty folder that exists, for copies of raw files; the child reaches it and
            the masks.
        limits: what a file may cost.
        abandoned: looked at while it waits; true ends the file in hand.
    """

    def __init__(
        self,
        state: StateFolder,
        folder: Path,
        scratch: Path,
        limits: LimitsConfig,
        abandoned: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(state, scratch, limits, abandoned)
        self.folder = folder

    def missing(self, results: Sequence[Drawable]) -> list[Drawable]:
        """Those without a picture, or with one that is older than their masks.

        Raises:
            FolderFailed: the folder cannot be looked into.
        """
        try:
            return within(
                LOOK_SECONDS,
                lambda: [result for result in results if self._is_missing(result)],
                self._abandoned,
            )
        except OSError as error:
            raise FolderFailed(error.strerror or str(error)) from error

    def draw(self, arrival: ArrivalRecord, results: Sequence[Drawable]) -> Iterator[Drawn]:
        """Draw these results of one file, and say of each what became of it.

        Raises:
            CannotDraw: of those that were not reported, there is no picture.
            FolderFailed: a picture cannot be written where it belongs.
        """
        wanted = [Sketch(result=result) for result in results]
        with closing(self.sketch(arrival, wanted)) as sketches:
            for sketched in sketches:
                result = results[sketched.number]
                picture = self.picture_of(result)
                if sketched.content is not None:
                    self._put_in_place(sketched.content, result, picture)
                yield Drawn(picture=picture, reason=sketched.reason)

    def picture_of(self, result: Drawable) -> Path:
        """Where the picture of a result lies."""
        return self.folder / f"{Path(result.mask_path).stem}.png"

    def _is_missing(self, result: Drawable) -> bool:
        """False too where the masks are gone: there is nothing to draw."""
        try:
            masks_ns = _moment_ns(self._state.path / result.mask_path)
        except FileNotFoundError:
            return False
        try:
            return self.picture_of(result).stat().st_mtime_ns < masks_ns
        except FileNotFoundError:
            return True

    def _put_in_place(self, content: bytes, result: Drawable, picture: Path) -> None:
        """The picture appears whole or not at all, and dated as its masks.

        As they are, since the disk of the folder may have a clock of its own.
        """
        moment_ns = _moment_ns(self._state.path / result.mask_path)
        partial = picture.with_name(f".{picture.name}.part")

        def put() -> None:
            partial.write_bytes(content)
            os.utime(partial, ns=(moment_ns, moment_ns))
            partial.replace(picture)

        try:
            within(WRITE_SECONDS, put, self._abandoned)
        except OSError as error:
            raise FolderFailed(error.strerror or str(error)) from error


def _moment_ns(path: Path) -> int:
    """When a file was written, to two seconds, as some shares keep it."""
    return int(path.stat().st_mtime // 2) * 2 * 10**9
