"""Row 12: the corpus of bad files, one to one among good micrographs, through the real daemon."""

import os
import time
from collections import Counter
from pathlib import Path

from analysis.errors import ErrorCode
from analysis.readers.pixels import pixel_sha256
from tests.acceptance.conftest import Bench
from tests.acceptance.corpus import Specimen, specimens
from tests.acceptance.processes import named
from tests.acceptance.small import disc, write_disc

FILE_SECONDS = 60.0
FILE_BYTES = 4 * 2**30
PATIENCE_SECONDS = 1200.0
STUB = "tests.acceptance.stub"
ENDED = ("done", "refused", "quarantined")


def corrupt_corpus(folder: Path, *, files: int, seed: int = 0, program: str = STUB) -> str:
    """The row: every good file done, every bad one named with a code that its kind may have.

    Args:
        folder: for all that is written.
        files: bad ones, of all kinds in turn; as many good ones stand among them.
        seed: of what is random in them.
        program: the command; `daemon` is the one with the network.

    Raises:
        AssertionError: one was lost, misjudged, or too expensive, or the daemon fell over it.
    """
    bench = Bench(
        folder=folder / "acquisition",
        state=folder / "state",
        config=folder / "fringewatch.toml",
        program=program,
    )
    bench.folder.mkdir()
    bench.configure(retry="[0.1]", extra=f"[limits]\nparser_seconds = {FILE_SECONDS}")
    bad = _laid_out(bench.folder, specimens(folder / "made", seed)[:files])
    process = bench.start("--plain", OMP_NUM_THREADS="1")
    try:
        peak_bytes = _worked_off(bench, 2 * len(bad), process.pid)
    finally:
        log = bench.stop(process)
    assert process.returncode == 0, log[-2000:]
    bench.assert_clean()
    assert peak_bytes < FILE_BYTES, f"the parser took {peak_bytes / 1e9:.1f} GB"
    deaths = bench.query("SELECT count(*), max(child_deaths) FROM source_file")
    assert deaths == [(2 * len(bad), 0)], f"processes died: {deaths}"
    table = _judged(bench, bad)
    (folder / "table.md").write_text(_written(table))
    ends = Counter(end for (_, end), count in table.items() for _ in range(count))
    return (
        f"{len(bad)} bad files of {len({kind for kind, _ in table})} kinds, as many good ones all "
        f"done; ends {dict(ends.most_common())}; parser at most {peak_bytes / 1e6:.0f} MB"
    )


def _laid_out(folder: Path, found: list[Specimen]) -> dict[bytes, Specimen]:
    """Each bad file by its path, a good one beside it."""
    bad: dict[bytes, Specimen] = {}
    for number, specimen in enumerate(found):
        stem = f"{number:04d}_b_000" if specimen.suffix == ".tvips" else f"{number:04d}_b"
        path = folder / f"{stem}{specimen.suffix}"
        path.write_bytes(specimen.content)
        bad[os.fsencode(path)] = specimen
        write_disc(folder / f"{number:04d}_good.tif", 1 + number)
    return bad


def _worked_off(bench: Bench, files: int, pid: int) -> int:
    """Wait until every file has its verdict; the largest memory of a parser meanwhile, in bytes."""
    ended = f"SELECT count(*) FROM source_file WHERE state IN {ENDED}"
    peak_bytes, deadline = 0, time.monotonic() + PATIENCE_SECONDS
    while bench.query(ended) != [(files,)]:
        assert time.monotonic() < deadline, f"{bench.query(ended)} of {files} files have an end"
        for parser in named(pid, "fw-parser"):
            peak_bytes = max(peak_bytes, _peak_bytes(parser))
        time.sleep(0.2)
    return peak_bytes


def _peak_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _judged(bench: Bench, bad: dict[bytes, Specimen]) -> Counter[tuple[str, str]]:
    """How many of each kind came to which end.

    Raises:
        AssertionError: an end that its kind does not have.
    """
    whole = pixel_sha256(disc(0))
    rows = bench.query(
        "SELECT path, state, error_code, max(i.pixel_sha256), max(i.suspect) FROM source_file f "
        "LEFT JOIN image i ON i.source_file_id = f.id GROUP BY f.id"
    )
    table: Counter[tuple[str, str]] = Counter()
    for path, state, code, pixels, suspect in rows:
        name = os.fsdecode(os.path.basename(path))
        specimen = bad.get(path)
        if specimen is None:
            assert state == "done", f"{name}: {state} {code}"
        elif state == "done":
            harmless = specimen.may_be_whole and (pixels == whole or suspect is not None)
            assert harmless, f"{name}, {specimen.kind}: done"
            table[specimen.kind, "done, flagged" if suspect else "done, nothing lost"] += 1
        else:
            assert ErrorCode(code) in specimen.codes, f"{name}, {specimen.kind}: {code}"
            table[specimen.kind, f"{state}: {code}"] += 1
    assert table.total() == len(bad)
    return table


def _written(table: Counter[tuple[str, str]]) -> str:
    """The table by kind and end, in Markdown."""
    lines = ["| kind | files | ends |", "|---|---|---|"]
    for kind in dict.fromkeys(kind for kind, _ in sorted(table)):
        ends = {end: count for (of, end), count in table.items() if of == kind}
        said = ", ".join(f"{end} {count}" for end, count in sorted(ends.items()))
        lines.append(f"| {kind} | {sum(ends.values())} | {said} |")
    return "\n".join(lines) + "\n"
