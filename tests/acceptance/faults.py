"""Row 2: a call to the kernel that fails, or that the process does not survive.

strace counts the calls of each process by itself and makes the k-th one fail, once or from then
on, so that with k = 1, 2, 3, ... every write, sync, rename, removal and truncation is hit. It needs
no rights. After each fault a run without one must leave everything clean.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tests.acceptance.clean import assert_all_done, assert_no_row_without_file
from tests.acceptance.conftest import PATIENCE_SECONDS, Bench, bench_in
from tests.acceptance.small import write_disc

CALLS = ("write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "ftruncate")
KINDS = ("SIGKILL", "EIO", "EIO+", "ENOSPC", "ENOSPC+")  # +: from the k-th call on
HONEST_CODES = (1, 78)
RUN_SECONDS = 120.0  # a disk that fails for good: the run is killed then, as a person would
FILES = 3


@dataclass(frozen=True)
class Fault:
    """The k-th call of this name, in each process, ends like this."""

    call: str
    kind: str
    k: int

    @property
    def options(self) -> list[str]:
        """For strace."""
        what = self.kind.removesuffix("+")
        how = "signal=SIGKILL" if what == "SIGKILL" else f"error={what}"
        when = f"{self.k}+" if self.kind.endswith("+") else str(self.k)
        return ["-e", f"trace={self.call}", "-e", f"inject={self.call}:{how}:when={when}"]


@dataclass(frozen=True)
class Ran:
    """A run under a fault: its exit code, and whether the fault came to pass."""

    code: int
    hit: bool
    said: str


def is_traceable() -> bool:
    """Whether strace is there and may trace."""
    strace = shutil.which("strace")
    probe = ["strace", "-qq", "-e", "trace=none", "true"]
    return strace is not None and subprocess.run(probe, check=False).returncode == 0


def faults_at_every_call(
    folder: Path,
    *,
    calls: tuple[str, ...] = CALLS,
    kinds: tuple[str, ...] = KINDS,
    dense: int = 12,
    growth: float = 1.5,
    most: int = 1000,
    at_once: int = 1,
) -> str:
    """Row 2: each fault on a fresh state folder, until a run is not hit any more.

    Args:
        folder: to work in.
        calls: names of system calls.
        kinds: what becomes of them.
        dense: up to this call every one is hit; after it the steps grow.
        growth: of the steps.
        most: the last call that is tried.
        at_once: kinds and calls that are worked through beside each other; many runs only wait.
    """

    def until_not_hit(kind: str, call: str) -> tuple[int, int]:
        interrupted = ended_well = 0
        for k in _steps(dense, growth, most):
            ran = _one(folder / f"{kind}_{call}_{k}", Fault(call, kind, k))
            interrupted += ran.code != 0
            ended_well += ran.code == 0 and ran.hit
            if not ran.hit:
                break
        return interrupted, ended_well

    with ThreadPoolExecutor(at_once) as pool:
        counts = list(pool.map(until_not_hit, *zip(*product(kinds, calls), strict=True)))
    interrupted, ended_well = map(sum, zip(*counts, strict=True))
    return (
        f"{interrupted} runs interrupted, {ended_well} ended well in spite of the fault; "
        "all clean after a restart"
    )


def faults_on_faults(folder: Path, faults: tuple[Fault, ...]) -> str:
    """Row 2, small: each run is hit by the next fault, and recovers from the one before."""
    hits = 0
    with bench_in(folder) as bench:
        for number, fault in enumerate(faults):
            write_disc(bench.folder / f"{number}.tif", number)
            ran = run_under(bench, fault, PATIENCE_SECONDS)
            assert ran.hit, f"{fault} hit nothing"
            hits += 1
            _assert_honest(bench, fault, ran)
        _assert_clean_after_restart(bench, f"{faults}")
    return f"{hits} faults, one upon the other; clean after a restart"


def run_under(bench: Bench, fault: Fault, seconds: float = RUN_SECONDS) -> Ran:
    """`watch --once` with the fault, killed as a whole where it does not come to an end."""
    trace = bench.state.parent / "trace"
    strace = ["strace", "-f", "-qq", "-e", "signal=none", "-o", str(trace), *fault.options]
    process = subprocess.Popen(
        [*strace, *bench.command("watch", "--once", "--plain")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        _, said = process.communicate()
    lines = trace.read_text(errors="replace").splitlines()
    hit = any(line.endswith(("(INJECTED)", "= ?")) for line in lines)
    return Ran(code=process.returncode, hit=hit, said=said)


def _steps(dense: int, growth: float, most: int) -> Iterator[int]:
    k = 1
    while k <= most:
        yield k
        k = k + 1 if k < dense else int(k * growth)


def _one(place: Path, fault: Fault) -> Ran:
    with bench_in(place) as bench:
        for number in range(FILES):
            write_disc(bench.folder / f"{number}.tif", number)
        ran = run_under(bench, fault)
        _assert_honest(bench, fault, ran)
        _assert_clean_after_restart(bench, f"{fault}")
    shutil.rmtree(place)
    return ran


def _assert_honest(bench: Bench, fault: Fault, ran: Ran) -> None:
    """No row without its file; all files have a verdict, or the run says that it failed."""
    assert_no_row_without_file(bench.state)
    if ran.code == 0:
        left = set(bench.states().values()) - {"done", "quarantined"}
        assert not left, f"{fault}: ended with 0, and left {left}: {ran.said}"
    else:
        assert ran.code in (*HONEST_CODES, -signal.SIGKILL), f"{fault}: {ran.code} {ran.said}"
    if fault.call != "write":  # which hits the log itself, and what processes say to each other
        assert "\nTraceback" not in ran.said, f"{fault}: {ran.said}"


def _assert_clean_after_restart(bench: Bench, words: str) -> None:
    """Three processes may have died with one file: then somebody asks for it again."""
    again = bench.run("watch", "--once", "--plain")
    assert again.returncode == 0, f"{words}: {again.stderr}"
    poison = [name for name, state in bench.states().items() if state == "quarantined"]
    if poison:
        codes = bench.query("SELECT DISTINCT error_code FROM source_file WHERE error_code NOTNULL")
        assert set(codes) <= {("worker_died",), ("parser_died",)}, f"{words}: {codes}"
        asked = bench.run("retry", *(bench.folder / name for name in poison))
        assert asked.returncode == 0, f"{words}: {asked.stderr}"
        assert bench.run("watch", "--once", "--plain").returncode == 0
    assert_all_done(bench.state, bench.folder)
