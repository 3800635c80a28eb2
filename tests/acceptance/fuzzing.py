"""Row 13: every reader is given mutated files, in a process with 4 GiB of addresses."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.acceptance.fuzz_child import HANG_SECONDS, MEMORY_BYTES
from tests.analysis.readers.samples import counts, write_dm3, write_emi, write_every_family

START_PX = (40, 48)


@dataclass(frozen=True, kw_only=True)
class Target:
    """The name of the file that is mutated, what to begin with, and what it is a companion of."""

    name: str
    seeds: tuple[bytes, ...]
    primary: tuple[str, bytes] | None = None


@dataclass(frozen=True, kw_only=True)
class Fuzzed:
    """What came of one target."""

    name: str
    inputs: int
    peak_bytes: int


def targets(folder: Path) -> tuple[Target, ...]:
    """One target for every kind of file that is read, companions included."""
    folder.mkdir()
    image = counts(*START_PX)
    content = {path.name: path.read_bytes() for path in write_every_family(folder, image)}
    write_dm3(folder / "a.dm4", image, version=4)
    write_emi(folder / "a.emi", "TEM uP SA Zoom Image")
    ser = content["a.ser"]
    mdoc = b"PixelSpacing = 0.213\nImageFile = a.mrc\n\n[ZValue = 0]\nMagnification = 50000\n"
    own = (
        ("a.tif", content["a.tif"], content["compressed.tif"]),
        ("a.mrc", content["a.mrc"]),
        ("a.emd", content["a.emd"], content["velox.emd"]),
        ("a.h5", content["chunked.h5"]),
        ("a.ser", ser),
        ("a.png", content["a.png"]),
        ("a.dm3", content["a.dm3"]),
        ("a.dm4", (folder / "a.dm4").read_bytes()),
        ("a_000.tvips", content["a_000.tvips"]),
    )
    alone = tuple(Target(name=name, seeds=tuple(seeds)) for name, *seeds in own)
    return (
        *alone,
        Target(name="a.emi", seeds=((folder / "a.emi").read_bytes(),), primary=("a_1.ser", ser)),
        Target(name="a.mrc.mdoc", seeds=(mdoc,), primary=("a.mrc", content["a.mrc"])),
    )


def fuzz_readers(folder: Path, *, seconds_per_reader: float, seed: int = 0) -> str:
    """The row: no reader lets an undeclared error out, hangs, or takes more than 4 GiB.

    Raises:
        AssertionError: one did; the file that did it is kept in `folder`.
    """
    found = [
        fuzzed(target, folder / target.name.replace(".", "_"), seconds_per_reader, seed)
        for target in targets(folder / "originals")
    ]
    how = "guided by coverage" if find_spec("atheris") else "mutated blindly"
    inputs = sum(one.inputs for one in found)
    peak_mb = max(one.peak_bytes for one in found) / 1e6
    return (
        f"{len(found)} readers x {seconds_per_reader:.0f} s, {inputs} files {how}: "
        f"no undeclared error, none above {HANG_SECONDS} s, largest process {peak_mb:.0f} MB"
    )


def fuzzed(target: Target, folder: Path, seconds: float, seed: int) -> Fuzzed:
    """One reader fuzzed in a process of its own.

    Raises:
        AssertionError: what it read last ended it.
    """
    seeds, place = folder / "seeds", folder / "read"
    for made in (folder, seeds, place):
        made.mkdir()
    for number, content in enumerate(target.seeds):
        (seeds / f"{number}").write_bytes(content)
    mutated = primary = place / target.name
    if target.primary is not None:
        primary = place / target.primary[0]
        primary.write_bytes(target.primary[1])
    words = (mutated, primary, seeds, seconds, seed)
    log = folder / "log"
    with log.open("wb") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.fuzz_child", *map(str, words)],
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    end = log.read_bytes()[-2000:].decode(errors="replace")
    assert child.returncode != -signal.SIGALRM, f"{mutated}: read for more than {HANG_SECONDS} s"
    assert child.returncode == 0, f"{mutated}: ended with {child.returncode}: {end}"
    peak_bytes = usage.ru_maxrss * 1024
    assert peak_bytes < MEMORY_BYTES, f"{mutated}: {peak_bytes / 1e9:.1f} GB"
    counted = place.with_suffix(".count")
    return Fuzzed(
        name=target.name,
        inputs=int(counted.read_text()) if counted.exists() else 0,
        peak_bytes=peak_bytes,
    )
