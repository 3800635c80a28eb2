"""A child may crash, hang or be killed: whoever asked gets a plain word, and the next child works.

The children here are real processes.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import children
from daemon.children import Child, ChildDied, DeadlineMissed
from daemon.logs import TextLines
from tests.daemon.children_for_tests import obey
from tests.daemon.moments import wait_until

LONG = 60.0
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child("parser", obey, ("hello",))
    yield child
    child.stop(grace_seconds=0)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_child_that_could_not_be_started_has_nothing_to_end():
    child = Child("parser", obey, (lambda: None,))
    with pytest.raises(AttributeError, match="pickle"):
        child.start()
    assert not child.is_alive
    child.stop()


def test_a_child_answers_in_a_process_of_its_own(child):
    child.start()
    child.send("question")
    assert child.receive(LONG) == ("hello", child.pid, "question")
    assert child.pid != os.getpid()


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("exit", "exit code 7"),
        ("SIGKILL", "signal SIGKILL"),
        ("SIGSEGV", "signal SIGSEGV"),
        ("raise", "exit code 1"),
    ],
)
def test_a_crash_is_told_in_words_and_the_next_child_works(child, order, words):
    child.start()
    first = child.pid
    child.send(order)
    with pytest.raises(ChildDied, match=f"the parser process ended unexpectedly.*{words}"):
        child.receive(LONG)
    assert not child.is_alive
    child.start()
    child.send("again")
    assert child.receive(LONG) == ("hello", child.pid, "again")
    assert child.pid != first


def test_a_message_is_never_given_to_a_fresh_process(child):
    with pytest.raises(ChildDied):
        child.send("a request")
    child.start()
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: not child.is_alive)
    with pytest.raises(ChildDied):
        child.send("the next frame, please")
    assert not child.is_alive


def test_a_deadline_that_is_missed_kills_the_child(child):
    child.start()
    pid = child.pid
    child.send("hang")
    with pytest.raises(DeadlineMissed, match="did not answer within 0 s"):
        child.receive(0.3)
    assert not is_running(pid)


def test_the_answer_to_a_missed_question_is_not_the_answer_to_the_next(child):
    child.start()
    child.send("first")
    wait_until(lambda: child._connection.poll(0.1))  # the answer lies in the pipe
    child.kill()
    child.start()
    child.send("second")
    assert child.receive(LONG)[2] == "second"


def test_a_child_that_is_abandoned_dies_at_once(child):
    child.start()
    pid = child.pid
    child.send("hang")
    with pytest.raises(ChildDied):
        child.receive(LONG, abandon=lambda: True)
    assert not is_running(pid)


def test_half_a_message_holds_nobody_beyond_the_deadline(child):
    child.start()
    pid = child.pid
    child.send("half a message")
    with pytest.raises(DeadlineMissed):
        child.receive(1.0)
    assert not is_running(pid)


def test_half_a_message_can_be_abandoned(child):
    child.start()
    child.send("half a message")
    wait_until(lambda: child._connection.poll(0.1))  # so that its beginning is not waited for
    with pytest.raises(ChildDied):
        child.receive(LONG, abandon=lambda: True)


def test_a_child_that_dies_in_half_a_message_is_told_in_words(child):
    child.start()
    child.send("half a message and die")
    with pytest.raises(ChildDied, match="exit code 7"):
        child.receive(LONG)
    child.start()
    child.send("again")
    assert child.receive(LONG)[2] == "again"


def test_a_child_that_takes_no_message_holds_nobody(child, monkeypatch):
    monkeypatch.setattr(children, "SEND_SECONDS", 0.5)
    child.start()
    child.send("hang")
    with pytest.raises(ChildDied):
        child.send("x" * 2**22)  # more than the pipe holds


def test_what_a_child_prints_is_one_escaped_line_of_the_log(child, caplog, capfd):
    child.start()
    child.send("print")
    child.receive(LONG)
    wait_until(lambda: "so says Python" in caplog.text)
    (record,) = [r for r in caplog.records if "printed" in r.getMessage()]
    line = TextLines().format(record)
    assert line.isprintable()
    assert r"cannot read \x1b[2J forged \xff.tif and so says Python" in line
    assert capfd.readouterr() == ("", "")


def test_a_child_that_closes_its_pipe_and_stays_is_ended(child):
    child.start()
    pid = child.pid
    child.send("close")
    with pytest.raises(ChildDied):
        child.receive(LONG)
    assert not is_running(pid)


def test_stop_asks_the_child_to_leave(child):
    child.start()
    child.send("hello")
    child.receive(LONG)
    pid = child.pid
    child.stop(grace_seconds=LONG)
    assert not is_running(pid)
    assert child.pid is None


def test_ctrl_c_is_left_to_the_parent(child):
    child.start()
    child.send("hello")
    child.receive(LONG)
    os.kill(child.pid, signal.SIGINT)
    child.send("still there?")
    assert child.receive(LONG)[2] == "still there?"


def test_start_is_idempotent(child):
    child.start()
    pid = child.pid
    child.start()
    assert child.pid == pid


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path):
    written = tmp_path / "pid"
    script = (
        "from pathlib import Path\n"
        "from tests.daemon.children_for_tests import start_a_child_and_wait\n"
        f"start_a_child_and_wait(Path({str(written)!r}))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY) as parent:
        wait_until(written.exists, seconds=LONG)
        pid = int(written.read_text())
        assert is_running(pid)
        parent.kill()
    wait_until(lambda: not is_running(pid), seconds=5)


def test_a_child_survives_when_another_thread_of_the_parent_ends(child):
    child.start()
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    child.send("hello")
    assert child.receive(LONG)[2] == "hello"
