"""Row 4: the power fails, and whatever was not synced is gone.

One run is traced with every byte it writes. From the trace comes what a disk would hold at any
moment if the power failed then: a disk that keeps only what was synced, or one that has kept the
names and lost the contents, as file systems with delayed allocation do. What the daemon had said
to be analysed must be there, and a restart must leave everything clean.
"""

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.clean import assert_all_done, assert_no_row_without_file
from tests.acceptance.conftest import Bench, bench_in
from tests.acceptance.small import write_disc
from tests.acceptance.traces import Call, calls, strace_command

_SAID = re.compile(rb"analysed (\S+): \d+ regions")


class Disk:
    """What processes see of a folder, and what the disk would keep of it.

    Stricter than Linux's file systems: a sync of a file makes its name no more durable.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = os.fsencode(folder)
        self._names: dict[bytes, _File | None] = {self._folder: None}  # None is a folder
        self._kept_names = dict(self._names)

    def take(self, call: Call) -> None:
        """One more call; those outside the folder, and in its spool, concern nobody."""
        if not call.path.startswith(self._folder) or b"/spool/" in call.path:
            return
        if call.name in ("fsync", "fdatasync"):
            self._sync(call.path)
        elif call.name == "mkdir":
            self._names[call.path] = None
        elif call.name in ("unlink", "rmdir"):
            self._names.pop(call.path, None)
        elif call.name == "rename":
            self._names[call.target] = self._names.pop(call.path)
        elif call.name == "openat":
            self._open(call)
        else:
            self._write(call)

    def after_power_loss(self, folder: Path, *, names_kept: bool) -> None:
        """Make a folder of what is left."""
        names = self._names if names_kept else self._kept_names
        for path, file in sorted(names.items()):
            parents = {path[: match.start()] for match in re.finditer(b"/", path)}
            inside = [parent for parent in parents if parent.startswith(self._folder)]
            if not all(parent in names for parent in inside):
                continue  # its folder is gone
            place = folder / os.fsdecode(os.path.relpath(path, self._folder))
            if file is None:
                place.mkdir(exist_ok=True)
            else:
                place.write_bytes(file.kept)

    def _sync(self, path: bytes) -> None:
        file = self._names.get(path)
        if file is not None:
            file.kept = bytes(file.content)
            return
        for name in {*self._names, *self._kept_names}:
            if os.path.dirname(name) == path:
                if name in self._names:
                    self._kept_names[name] = self._names[name]
                else:
                    self._kept_names.pop(name)

    def _open(self, call: Call) -> None:
        if "O_CREAT" in call.words and call.path not in self._names:
            self._names[call.path] = _File()
        elif "O_TRUNC" in call.words and (file := self._names.get(call.path)) is not None:
            file.content.clear()

    def _write(self, call: Call) -> None:
        file = self._names.get(call.path)
        if file is None:  # removed already; its writer does not know yet
            return
        if call.name == "ftruncate":
            del file.content[call.number :]
            file.content.extend(bytes(call.number - len(file.content)))
            return
        offset = call.number if call.name == "pwrite64" else len(file.content)
        file.content.extend(bytes(max(0, offset - len(file.content))))
        file.content[offset : offset + len(call.data)] = call.data


class _File:
    """What was written, and what of it was synced."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.kept = b""


def power_lost(folder: Path, *, losses: int, restarts: int, files: int = 4, seed: int = 0) -> str:
    """Row 4: the power fails at so many random moments of one run; after some, a restart.

    Args:
        folder: to work in.
        losses: so many moments; a third of them right after a result was said to be there.
        restarts: of them, with a whole run afterwards.
        files: micrographs of the run.
        seed: of the moments.
    """
    with bench_in(folder / "traced") as bench:
        for number in range(files):
            write_disc(bench.folder / f"{number}.tif", number)
        made = list(_traced(bench))
        assert assert_all_done(bench.state, bench.folder) == files
        moments = _moments(made, os.fsencode(bench.state), losses, random.Random(seed))
        every = max(1, losses // restarts) if restarts else losses + 1
        acknowledged = 0
        disk, at = Disk(bench.state.parent), 0  # the name of the state folder counts as well
        for number, moment in enumerate(moments):
            for call in made[at:moment]:
                disk.take(call)
            at = moment
            said = {name for call in made[:moment] for name in _SAID.findall(call.data)}
            acknowledged += len(said)
            left = folder / f"lost_{number}"
            left.mkdir()
            disk.after_power_loss(left, names_kept=number % 2 == 1)
            _assert_kept(left / bench.state.name, said)
            if number % every == every - 1:
                _assert_goes_on(bench, left / bench.state.name)
            shutil.rmtree(left)
    return (
        f"{len(moments)} losses of power in {len(made)} calls, {acknowledged} results acknowledged "
        f"before them, 0 lost; {losses // every} restarts clean"
    )


def _traced(bench: Bench) -> Iterator[Call]:
    trace = bench.state.parent / "trace"
    command = strace_command(trace, bench.command("watch", "--once", "--plain"))
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    yield from calls(trace)


def _moments(made: list[Call], state: bytes, losses: int, rng: random.Random) -> list[int]:
    """Numbers of calls, rising: a third of them right after a result was said to be there."""
    changes = [n for n, call in enumerate(made, 1) if call.path.startswith(state)]
    acknowledged = [n for n, call in enumerate(made, 1) if _SAID.search(call.data)]
    third = losses // 3
    return sorted([*rng.choices(acknowledged, k=third), *rng.choices(changes, k=losses - third)])


def _assert_kept(state: Path, said: set[bytes]) -> None:
    """What was said to be analysed has its row and its whole mask file."""
    results = assert_no_row_without_file(state)
    assert results >= len(said), f"{len(said)} acknowledged, {results} there"


def _assert_goes_on(bench: Bench, state: Path) -> None:
    again = Bench(
        folder=bench.folder, state=state, config=state.with_suffix(".toml"), program=bench.program
    )
    again.configure()
    ended = again.run("watch", "--once", "--plain")
    assert ended.returncode == 0, ended.stderr
    assert_all_done(state, again.folder)
