"""One attempt at a file ends in one outcome, and the next file is not the worse for it.

Parser and worker are real processes; what they do stands in the file they are given.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.attempt import AttemptLimits, Attempts
from daemon.children import Child
from daemon.errors import ConfigError, DaemonCode, DaemonError
from daemon.outcomes import FileJob, Outcome, OutcomeKind
from daemon.parser import ParsedFrame, decoded
from daemon.pulse import Pulse
from daemon.runner import Runner
from daemon.walk import single
from schema.records import OriginRecord, ResultRecord
from tests.daemon.moments import wait_until
from tests.daemon.results import result_of
from tests.daemon.scripted_children import (
    FRAME_COUNT,
    scripted_parser,
    scripted_worker,
    sha_of,
)

LONG = 120.0


class Known:
    """Results that are there already, by hash of the pixels."""

    def __init__(self) -> None:
        self.results: dict[str, ResultRecord] = {}

    def find(self, frame: ParsedFrame, origin: OriginRecord, force: bool) -> ResultRecord | None:
        return self.results.get(frame.pixel_sha256)


class Bench:
    """A runner over a folder of scripts."""

    def __init__(self, folder: Path, state: Path, failing_start: str, seconds: float) -> None:
        self.folder = folder
        self.state = state
        self.started = state / "started"
        self.known = Known()
        self.pulse = Pulse()
        self.parser = Child("parser", scripted_parser, (), decoded)
        self.worker = Child("worker", scripted_worker, (self.started, failing_start))
        limits = AttemptLimits(file_bytes=2**20, parser_seconds=seconds, worker_seconds=seconds)
        self.attempts = Attempts(self.parser, self.worker, self.known, state, limits, self.pulse)  # type: ignore[arg-type]
        self.runner = Runner(self.attempts)
        self._last_id = 0

    def start(self) -> None:
        """The model is loaded, or an error says why not."""
        self.runner.start()
        wait_until(lambda: self.runner.is_ready or not self.runner._thread.is_alive(), LONG)
        self.runner.check()

    def job(self, script: str) -> FileJob:
        self._last_id += 1
        path = self.folder / f"{self._last_id}.tif"
        path.write_text(script)
        return FileJob(
            source_file_id=self._last_id,
            arrival=single(os.fsencode(path)),
            pixel_size_nm=None,
            force=False,
            session_uuid="a session",
        )

    def outcome(self) -> Outcome:
        (outcome,) = self.runner.outcomes(LONG)
        return outcome

    def attempt(self, script: str) -> Outcome:
        self.runner.submit(self.job(script))
        return self.outcome()

    @property
    def worker_starts(self) -> int:
        return len(self.started.read_text().splitlines())


@pytest.fixture
def bench(folder: Path, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes benches; their children are ended afterwards."""
    made: list[Bench] = []

    def make(failing_start: str = "", seconds: float = LONG) -> Bench:
        made.append(Bench(folder, tmp_path, failing_start, seconds))
        return made[-1]

    yield make
    for each in made:
        each.runner.stop(grace_seconds=0)


@pytest.fixture
def own(bench: Callable[..., Bench]) -> Bench:
    """A running bench that the test may stop."""
    made = bench()
    made.start()
    return made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One runner for many files, as in the daemon: none may be the worse for another."""
    made = Bench(tmp_path_factory.mktemp("folder"), tmp_path_factory.mktemp("state"), "", LONG)
    made.start()
    yield made
    made.runner.stop(grace_seconds=0)


def assert_good(outcome: Outcome) -> None:
    assert (outcome.kind, outcome.code) == (OutcomeKind.DONE, "")
    assert len(outcome.results) == 1


def test_a_file_whose_end_was_never_written_is_suspect_whatever_its_pixels_look_like(running):
    job = running.job("frame")
    path = Path(os.fsdecode(job.arrival.path))
    os.truncate(path, 100_000)
    job = replace(job, arrival=single(job.arrival.path))
    running.runner.submit(job)
    assert running.outcome().kind is OutcomeKind.SUSPECT
    running.runner.submit(replace(job, accepts_suspect=True))
    assert_good(running.outcome())


def test_a_share_that_does_not_answer_costs_its_file_an_attempt(running, monkeypatch):
    goes_on = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr("daemon.attempt.COPY_SECONDS", 0.2)
        patch.setattr("daemon.attempt.spool_arrival", lambda *_: goes_on.wait(60))
        outcome = running.attempt("frame")
    assert (outcome.kind, outcome.code) == (OutcomeKind.IO_FAILED, "io_error")
    assert "no answer" in outcome.message
    assert running.attempt("frame").kind is OutcomeKind.DONE
    goes_on.set()


def test_a_stop_does_not_wait_for_a_share_that_does_not_answer(own, monkeypatch):
    goes_on = threading.Event()
    monkeypatch.setattr("daemon.attempt.spool_arrival", lambda *_: goes_on.wait(60))
    own.runner.submit(own.job("frame"))
    before = time.monotonic()
    own.runner.stop(grace_seconds=0.5)
    assert time.monotonic() - before < LONG
    assert own.outcome().kind is OutcomeKind.ABANDONED
    goes_on.set()


def test_a_good_file_is_done_and_leaves_the_spool_empty(running):
    job = running.job("good")
    running.runner.submit(job)
    assert running.runner.current is job
    outcome = running.outcome()
    assert_good(outcome)
    assert outcome.job is job
    assert len(outcome.file_sha256) == 64
    assert running.runner.current is None
    assert running.runner.device == "cpu"
    assert list((running.state / "spool").iterdir()) == []


def test_every_frame_of_a_series_is_one_result(running):
    outcome = running.attempt("series")
    assert outcome.kind is OutcomeKind.DONE
    assert [result.image.frame_index for result in outcome.results] == list(range(FRAME_COUNT))


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        ("refused", OutcomeKind.REFUSED, "a_code"),
        ("unreadable", OutcomeKind.UNREADABLE, "a_code"),
        ("io", OutcomeKind.IO_FAILED, DaemonCode.IO_ERROR),
        ("bug", OutcomeKind.BUG, "a_code"),
        ("die", OutcomeKind.CHILD_DIED, DaemonCode.PARSER_DIED),
        ("nonsense", OutcomeKind.CHILD_DIED, DaemonCode.PARSER_DIED),
        ("elsewhere", OutcomeKind.BUG, DaemonCode.INTERNAL_ERROR),
        ("series, die in the middle", OutcomeKind.CHILD_DIED, DaemonCode.PARSER_DIED),
        ("series, worker dies", OutcomeKind.CHILD_DIED, DaemonCode.WORKER_DIED),
        ("series, worker fails: bug", OutcomeKind.BUG, DaemonCode.INTERNAL_ERROR),
        ("good, worker fails: io", OutcomeKind.IO_FAILED, DaemonCode.IO_ERROR),
        ("good, worker mixes up", OutcomeKind.BUG, DaemonCode.INTERNAL_ERROR),
    ],
)
def test_a_failure_is_named_and_the_next_files_work(running, script, kind, code):
    outcome = running.attempt(script)
    assert (outcome.kind, outcome.code, outcome.results) == (kind, code, ())
    assert outcome.message
    for name in ("one", "two"):
        after = running.attempt(f"good {name}")
        assert_good(after)
        assert after.results[0].image.pixel_sha256 == sha_of(f"good {name}")
    assert list((running.state / "spool").iterdir()) == []


def test_a_child_that_hangs_is_killed_at_its_deadline(bench):
    made = bench(seconds=2.0)
    made.start()
    for script in ("good, worker hangs", "hang"):
        outcome = made.attempt(script)
        assert (outcome.kind, outcome.code) == (OutcomeKind.CHILD_DIED, DaemonCode.DEADLINE)


def test_a_worker_killed_between_two_files_is_replaced_and_nobody_is_blamed(running):
    assert_good(running.attempt("good one"))
    starts = running.worker_starts
    os.kill(running.worker.pid, signal.SIGKILL)
    wait_until(lambda: not running.worker.is_alive)
    for script in ("good two", "good three"):
        outcome = running.attempt(script)
        assert_good(outcome)
        assert outcome.results[0].image.pixel_sha256 == sha_of(script)
    assert running.worker_starts == starts + 1


def test_a_parser_killed_between_two_files_is_replaced(running):
    assert_good(running.attempt("good one"))
    os.kill(running.parser.pid, signal.SIGKILL)
    wait_until(lambda: not running.parser.is_alive)
    assert_good(running.attempt("good two"))


def test_a_worker_that_cannot_load_again_blames_no_file(bench):
    made = bench(failing_start="dies the second time")
    made.start()
    assert made.attempt("good, worker dies").kind is OutcomeKind.CHILD_DIED
    outcome = made.attempt("good")
    assert (outcome.kind, outcome.code) == (OutcomeKind.NO_WORKER, DaemonCode.WORKER_DIED)


def test_a_model_damaged_later_on_blames_no_file_either(bench):
    made = bench(failing_start="failed the second time")
    made.start()
    assert made.attempt("good, worker dies").kind is OutcomeKind.CHILD_DIED
    outcome = made.attempt("good")
    assert (outcome.kind, outcome.message) == (OutcomeKind.BAD_MODEL, "the bundle is damaged")


def test_pixels_that_look_unwritten_are_analysed_only_where_they_are_accepted(running):
    job = running.job("good, suspect, worker mixes up")
    running.runner.submit(job)
    outcome = running.outcome()
    assert (outcome.kind, outcome.code) == (OutcomeKind.SUSPECT, DaemonCode.SUSPECT)
    assert outcome.message == "its end looks unwritten"
    running.runner.submit(replace(running.job("good, suspect"), accepts_suspect=True))
    assert_good(running.outcome())


@pytest.mark.parametrize("script", ["good", "io", "good, worker fails: io"])
def test_our_own_disk_is_not_blamed_on_a_file(running, monkeypatch, script):
    monkeypatch.setattr("daemon.space.fault", lambda _: "No space left on device")
    outcome = running.attempt(script)
    if script == "good":
        assert_good(outcome)
        return
    assert (outcome.kind, outcome.code) == (OutcomeKind.NO_ROOM, DaemonCode.NO_ROOM)
    assert "the state folder cannot be written" in outcome.message


@pytest.mark.parametrize("script", ["io", "good, worker fails: io"])
def test_a_file_that_fills_our_disk_by_itself_is_the_one_that_waits(running, monkeypatch, script):
    """The disk is full for as long as the copy is there."""

    def fault(spool: Path) -> str | None:
        return "No space left on device" if any(spool.iterdir()) else None

    monkeypatch.setattr("daemon.space.fault", fault)
    outcome = running.attempt(script)
    assert (outcome.kind, outcome.code) == (OutcomeKind.IO_FAILED, DaemonCode.IO_ERROR)


def test_a_file_larger_than_what_is_free_waits_alone(running, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("daemon.space.free_bytes", lambda _: 3)
        outcome = running.attempt("good")
    assert (outcome.kind, outcome.code) == (OutcomeKind.IO_FAILED, DaemonCode.DOES_NOT_FIT)
    assert "needs 4 bytes" in outcome.message
    assert "3 bytes are free" in outcome.message
    assert_good(running.attempt("good"))


def test_a_disk_that_is_full_for_everybody_blames_no_file_that_does_not_fit(running, monkeypatch):
    monkeypatch.setattr("daemon.space.free_bytes", lambda _: 0)
    monkeypatch.setattr("daemon.space.fault", lambda _: "No space left on device")
    outcome = running.attempt("good")
    assert (outcome.kind, outcome.code) == (OutcomeKind.NO_ROOM, DaemonCode.NO_ROOM)


def test_a_damaged_bundle_is_said_before_the_first_file(bench):
    with pytest.raises(ConfigError, match="the bundle is damaged"):
        bench(failing_start="failed").start()


def test_a_worker_that_does_not_come_up_is_said_before_the_first_file(bench):
    with pytest.raises(DaemonError, match=r"the model could not be loaded.*exit code 5"):
        bench(failing_start="dies").start()


def test_the_loading_of_the_model_can_be_abandoned(bench):
    made = bench(failing_start="hangs")
    made.runner.start()
    wait_until(made.started.exists, LONG)
    made.runner.check()
    assert not made.runner.is_ready
    made.runner.stop(grace_seconds=LONG)
    with pytest.raises(DaemonError, match="the model could not be loaded"):
        made.runner.check()
    assert not made.worker.is_alive


def test_a_thread_that_has_ended_is_noticed(own, monkeypatch):
    """A bug there must not look like a file that takes long."""

    def end(job: FileJob) -> Outcome:
        raise SystemExit

    monkeypatch.setattr(own.attempts, "work_off", end)
    own.runner.check()
    own.runner.submit(own.job("good"))
    wait_until(lambda: not own.runner._thread.is_alive(), LONG)
    with pytest.raises(DaemonError, match="has ended: SystemExit"):
        own.runner.check()


def test_a_step_that_takes_too_long_is_late(own, monkeypatch):
    reached, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(own.known, "find", lambda *_: (reached.set(), go_on.wait(LONG))[0])
    own.runner.submit(own.job("good"))
    assert reached.wait(LONG)
    now = time.monotonic()
    assert own.pulse.late(now + LONG) == ()
    assert own.pulse.late(now + LONG + 300) == ("the file in hand",)
    go_on.set()
    own.outcome()
    assert own.pulse.late(now + 1e9) == ()


def test_what_is_known_is_not_analysed_again(running):
    script = "good, worker dies: known"
    running.known.results[sha_of(script)] = result_of(sha_of(script))
    assert_good(running.attempt(script))


def test_a_file_that_changed_since_it_settled_is_not_parsed(running):
    job = running.job("die")
    Path(os.fsdecode(job.arrival.path)).write_text("longer now")
    running.runner.submit(job)
    outcome = running.outcome()
    assert (outcome.kind, outcome.code) == (OutcomeKind.CHANGED, DaemonCode.STILL_WRITTEN)


def test_a_file_that_is_gone_is_an_error_of_the_disk(running):
    job = running.job("die")
    os.unlink(job.arrival.path)
    running.runner.submit(job)
    outcome = running.outcome()
    assert (outcome.kind, outcome.code) == (OutcomeKind.IO_FAILED, DaemonCode.IO_ERROR)
    assert "No such file or directory" in outcome.message


def test_a_file_beyond_the_limit_is_refused(running):
    outcome = running.attempt("x" * (2**20 + 1))
    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, DaemonCode.FILE_TOO_LARGE)


def test_stop_lets_the_file_in_hand_finish(own):
    own.runner.submit(own.job("series"))
    own.runner.stop(grace_seconds=LONG)
    assert own.outcome().kind is OutcomeKind.DONE
    assert not own.worker.is_alive
    assert not own.parser.is_alive


def test_stop_abandons_what_does_not_finish_and_blames_nobody(own):
    own.runner.submit(own.job("good, worker hangs"))
    wait_until(lambda: own.runner.stage in ("reading", "analysing"))
    own.runner.stop(grace_seconds=0.1)
    assert own.outcome().kind is OutcomeKind.ABANDONED
    assert not own.worker.is_alive
    assert not own.parser.is_alive


def test_stop_never_waits_for_a_thread_that_hangs_twice_over(own, monkeypatch):
    """As it does in a read from a server that is gone."""
    monkeypatch.setattr("daemon.runner.THREAD_SECONDS", 0.1)
    looking, server_is_back = threading.Event(), threading.Event()

    def hang(frame: ParsedFrame, origin: OriginRecord, force: bool) -> None:
        looking.set()
        server_is_back.wait()

    monkeypatch.setattr(own.known, "find", hang)
    own.runner.submit(own.job("good"))
    assert looking.wait(LONG)
    stopping = threading.Thread(
        target=lambda: [own.runner.stop(grace_seconds=0.1) for _ in range(2)], daemon=True
    )
    stopping.start()
    stopping.join(30)
    assert not stopping.is_alive()
    server_is_back.set()
    assert own.outcome().kind is OutcomeKind.ABANDONED


def test_a_runner_that_never_started_can_be_stopped(bench):
    bench().runner.stop(grace_seconds=LONG)
