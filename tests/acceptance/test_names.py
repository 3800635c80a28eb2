"""Row 21: whatever a file is called, it is analysed, found again, and shown without harm."""

import csv
import os
from pathlib import Path

import pytest

from tests.acceptance.conftest import Bench
from tests.acceptance.small import disc, write_disc

LONGEST_NAME = b"x" * 251 + b".tif"
PATH_BYTES = 4000
NAMES = (
    LONGEST_NAME,
    "é.tif".encode(),  # composed and decomposed: two files on Linux
    "e\u0301.tif".encode(),
    "🔬_Größe_試料.tif".encode(),
    b"two\nlines.tif",
    b"\r2026-03-01 ERROR forged.tif",
    b"-rf.tif",
    b"--help.tif",
    b"Au_\xff\xfe\x80.tif",
    b"%s%n%d {0} {name!r} $HOME.tif",
    b"a\x1b[2J\x1b]0;owned\x07\x9b31m.tif",
    "Au_\u202efit.mrc.tif".encode(),
    b"[bold red]x[bold]&amp;<b>.tif",
    b"'; DROP TABLE image; --\"`.tif",
    b"=cmd|' C'!A1.tif",
    b" *? .tif",
)


def deep_path(folder: bytes, length: int) -> bytes:
    """A file whose whole path has so many bytes; its folders are made."""
    name = b"deep.tif"
    while length - len(folder) - len(name) - 1 > 0:
        room = length - len(folder) - len(name) - 2
        step = min(200, room) if room - 200 > 1 or room <= 200 else room // 2
        folder = os.path.join(folder, b"d" * step)
        os.mkdir(folder)
    return os.path.join(folder, name)


@pytest.fixture
def named(quick: Bench, tmp_path: Path) -> list[bytes]:
    """A different micrograph under each name."""
    folder = os.fsencode(quick.folder)
    paths = [os.path.join(folder, name) for name in NAMES]
    paths.append(deep_path(folder, PATH_BYTES))
    assert len(paths[-1]) == PATH_BYTES
    for number, path in enumerate(paths):
        os.rename(write_disc(tmp_path / "written.tif", number), path)
    return paths


def assert_harmless(text: str, what: str) -> None:
    """Nothing but visible characters and line ends."""
    for line in text.split("\n"):
        assert line.isprintable(), f"{what}: {line!r}"


def test_any_name_is_analysed_kept_as_its_bytes_and_shown_escaped(
    quick: Bench, named: list[bytes], tmp_path: Path
):
    os.rename(write_disc(tmp_path / "cut.tif", 99), cut := named[4] + b".cut.tif")
    os.truncate(cut, 500)
    quick.configure(retry="[0.1]")
    process = quick.start("--plain", OMP_NUM_THREADS="1")
    ended = "SELECT count(*) FROM source_file WHERE state IN ('done', 'quarantined')"
    quick.until(lambda: quick.query(ended) == [(len(named) + 1,)], seconds=180)
    log = quick.stop(process)
    quick.assert_clean()
    rows = quick.query("SELECT path, state FROM source_file")
    assert dict(rows) == dict.fromkeys(named, "done") | {cut: "quarantined"}
    assert_harmless(log, "log")
    assert r"two\x0alines.tif" in log
    for mask in (quick.state / "masks").rglob("*.h5"):
        assert mask.name.isascii()
        assert len(mask.name) < 100
    assert_shown_without_harm(quick, len(named), tmp_path)


def assert_shown_without_harm(quick: Bench, count: int, folder: Path) -> None:
    """By every command that names files."""
    table = folder / "particles.csv"
    picture = folder / "report"
    commands = (
        ("status",),
        ("status", "--json"),
        ("summary",),
        ("export", table),
        ("doctor",),
        ("live", "--svg", picture.with_suffix(".svg")),
    )
    for words in commands:
        result = quick.run(*words)
        assert "Traceback" not in result.stderr, words
        assert_harmless(result.stdout + result.stderr, str(words[0]))
    with table.open(newline="", encoding="utf-8") as stream:
        paths = {row["path"] for row in csv.DictReader(stream)}
    assert len(paths) == count
    assert_harmless("\n".join(paths), "export")


def test_a_picture_of_each_name_is_another_one(quick: Bench):
    """So that no name above passes as the copy of another."""
    assert len({disc(number).tobytes() for number in range(len(NAMES) + 1)}) == len(NAMES) + 1
