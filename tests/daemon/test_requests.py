"""A request reaches the daemon whole, and always gets an answer."""

import json
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon import requests
from daemon.errors import DaemonError, Misused
from daemon.requests import ask, folder_of, pending, serve, sweep
from tests.daemon.moments import wait_until


@pytest.fixture
def state_folder(tmp_path: Path) -> Path:
    folder_of(tmp_path).mkdir()
    return tmp_path


def echo(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"echo": dict(values)}


@contextmanager
def daemon(state_folder: Path, verb=echo) -> Iterator[list[str]]:
    """A daemon that serves every request until left; the kinds it was asked."""
    kinds: list[str] = []
    ending = threading.Event()

    def work() -> None:
        while not ending.wait(0.005):
            for request in pending(state_folder):
                kinds.append(request.kind)
                serve(request, verb)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield kinds
    finally:
        ending.set()
        thread.join()


def left_in(state_folder: Path) -> list[str]:
    return sorted(path.name for path in folder_of(state_folder).iterdir())


def leave(state_folder: Path, content: str | bytes, name: str = "a.json") -> Path:
    """A request file written by somebody else."""
    path = folder_of(state_folder) / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def answer_to(path: Path) -> Mapping[str, Any]:
    return json.loads(path.with_suffix(".answer").read_text())


def test_a_question_is_answered_and_nothing_stays_behind(state_folder):
    with daemon(state_folder) as kinds:
        assert ask(state_folder, "greet", {"a": [1, "é"]}) == {"echo": {"a": [1, "é"]}}
    assert kinds == ["greet"]
    assert left_in(state_folder) == []


def test_many_ask_at_once_and_each_gets_its_own_answer(state_folder):
    answers: dict[int, Any] = {}

    def work(number: int) -> None:
        answers[number] = ask(state_folder, "greet", {"number": number})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    with daemon(state_folder):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {number: {"echo": {"number": number}} for number in range(8)}


def test_bytes_of_a_path_survive(state_folder):
    path = os.fsdecode(b"/data/\xff\n.dm4")
    with daemon(state_folder):
        answer = ask(state_folder, "analyse", {"paths": [path]})
    assert os.fsencode(answer["echo"]["paths"][0]) == b"/data/\xff\n.dm4"


@pytest.mark.parametrize("error", [DaemonError("no session is open"), Misused("no such file")])
def test_a_refusal_reaches_whoever_asked(state_folder, error):
    def refuse(values: Mapping[str, Any]) -> Mapping[str, Any]:
        raise error

    with daemon(state_folder, refuse), pytest.raises(DaemonError, match=str(error)):
        ask(state_folder, "session_end", {})


@pytest.mark.parametrize(
    "error", [KeyError("name"), OSError(28, "No space left on device"), RuntimeError("a bug")]
)
def test_a_failure_is_an_answer_and_not_the_end_of_the_daemon(state_folder, error, caplog):
    def fail(values: Mapping[str, Any]) -> Mapping[str, Any]:
        raise error

    with daemon(state_folder, fail) as kinds:
        with pytest.raises(DaemonError, match="the request failed"):
            ask(state_folder, "one", {})
        with pytest.raises(DaemonError):
            ask(state_folder, "two", {})
    assert kinds == ["one", "two"]
    assert "could not be served" in caplog.text


def test_no_daemon_is_a_plain_error_and_the_request_is_withdrawn(state_folder):
    with pytest.raises(DaemonError, match="did not answer within 0 s"):
        ask(state_folder, "greet", {}, wait_seconds=0.1)
    assert left_in(state_folder) == []


def test_no_request_folder_is_a_plain_error(tmp_path):
    with pytest.raises(DaemonError, match="cannot write to"):
        ask(tmp_path / "nowhere", "greet", {}, wait_seconds=0.1)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        "",
        "{",
        "[]",
        "7",
        '{"kind": "greet"}',
        '{"kind": "greet", "values": 7}',
        "[" * 100_000,
        '"' + "x" * (requests.MAX_REQUEST_BYTES + 1) + '"',
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_request_that_cannot_be_read_is_answered_with_why(state_folder, content):
    path = leave(state_folder, content)
    assert list(pending(state_folder)) == []
    assert answer_to(path)["error"].startswith("the request cannot be read")
    assert not path.exists()


DAEMON, MEMBER, GROUP = 64_001, 64_002, 64_003


def become(user: int) -> None:
    """Give up root's rights, for good."""
    os.setgroups([GROUP])
    os.setgid(GROUP if user == DAEMON else user)
    os.setuid(user)
    os.umask(0o077)


def in_a_child(user: int, work: Callable[[], bool]) -> int:
    """The process id of somebody else who does this; exit status 0 where it is True."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            become(user)
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return pid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_one_of_the_group_asks_and_reads_the_answer():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chown(folder, DAEMON, GROUP)
        folder.chmod(0o750)

        def serve_one() -> bool:
            requests.open_folder(folder)
            (folder / "requests" / "open").touch()
            wait_until(lambda: any(serve(found, echo) is None for found in pending(folder)))
            return True

        def ask_one() -> bool:
            wait_until((folder / "requests" / "open").exists)
            return ask(folder, "session_start", {"x": 7}) == {"echo": {"x": 7}}

        children = [in_a_child(DAEMON, serve_one), in_a_child(MEMBER, ask_one)]
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
        assert left_in(folder) == ["open"]


def test_half_a_request_is_never_read(state_folder):
    leave(state_folder, '{"kind": "gre', name=".a.json.tmp")
    assert list(pending(state_folder)) == []
    assert left_in(state_folder) == [".a.json.tmp"]


def test_requests_come_in_their_order(state_folder):
    for age, name in enumerate(("c", "a", "b")):
        path = leave(state_folder, json.dumps({"kind": name, "values": {}}), f"{name}.json")
        os.utime(path, ns=(age, age))
    assert [request.kind for request in pending(state_folder)] == ["c", "a", "b"]


def test_a_request_withdrawn_while_others_are_served_is_passed_over(state_folder):
    for name in ("a", "b"):
        leave(state_folder, json.dumps({"kind": name, "values": {}}), f"{name}.json")
    served = []
    for request in pending(state_folder):
        served.append(request.kind)
        for path in folder_of(state_folder).glob("*.json"):
            path.unlink()
    assert len(served) == 1
    assert left_in(state_folder) == []


def test_what_is_no_file_is_let_lie(state_folder):
    (folder_of(state_folder) / "folder.json").mkdir()
    os.mkfifo(folder_of(state_folder) / "pipe.json")
    (folder_of(state_folder) / "link.json").symlink_to("/etc/hostname")
    assert list(pending(state_folder)) == []
    assert left_in(state_folder) == ["folder.json", "link.json", "pipe.json"]


def test_an_answer_that_cannot_be_written_does_not_end_the_daemon(state_folder, caplog):
    path = leave(state_folder, '{"kind": "greet", "values": {}}')
    path.with_suffix(".answer").mkdir()
    (request,) = pending(state_folder)
    serve(request, echo)
    assert "could not be answered" in caplog.text
    assert not path.exists()


def test_answers_nobody_fetched_are_swept(state_folder):
    old, young = (folder_of(state_folder) / name for name in ("old.answer", "young.answer"))
    for path, age in ((old, 3601), (young, 3599)):
        path.write_text("{}")
        os.utime(path, (10_000 - age, 10_000 - age))
    sweep(state_folder, now=10_000)
    assert left_in(state_folder) == ["young.answer"]


def test_a_state_folder_without_requests_has_none(tmp_path):
    assert list(pending(tmp_path)) == []
    sweep(tmp_path, now=0)


def test_waiting_for_an_answer_ends_with_it(state_folder):
    done = threading.Event()

    def work() -> None:
        ask(state_folder, "greet", {}, wait_seconds=60)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: bool(list(folder_of(state_folder).glob("*.json"))))
    assert not done.is_set()
    for request in pending(state_folder):
        serve(request, echo)
    thread.join(30)
    assert done.is_set()


def lay_link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def lay_hard_link(path: Path, target: Path) -> None:
    path.hardlink_to(target)


@pytest.mark.parametrize("lay", [lay_link, lay_hard_link])
@pytest.mark.parametrize("name", ["a.answer", ".a.answer.tmp", "a.tmp"])
def test_an_answer_is_written_through_no_link_that_lies_ready(state_folder, name, lay):
    """Who may only ask would else write over the database."""
    database = state_folder / "fringewatch.sqlite"
    database.write_bytes(b"the rows")
    before = database.stat()
    lay(folder_of(state_folder) / name, database)
    path = leave(state_folder, '{"kind": "greet", "values": {}}')
    for request in pending(state_folder):
        serve(request, echo)
    assert answer_to(path) == {"echo": {}}
    assert database.read_bytes() == b"the rows"
    assert (database.stat().st_mode, database.stat().st_gid) == (before.st_mode, before.st_gid)


def test_a_request_exchanged_for_a_pipe_or_a_link_holds_nobody(state_folder, monkeypatch):
    """Between the look and the reading: a pipe would never end, a link leads elsewhere."""
    outside = state_folder / "other.json"
    outside.write_text('{"kind": "greet", "values": {}}')
    requests_folder = folder_of(state_folder)
    os.mkfifo(requests_folder / "pipe.json")
    (requests_folder / "link.json").symlink_to(outside)
    names = [requests_folder / "pipe.json", requests_folder / "link.json"]
    monkeypatch.setattr(requests, "_waiting", lambda _: names)
    assert list(pending(state_folder)) == []
    for path in names:
        assert answer_to(path)["error"].startswith("the request cannot be read")


def test_an_answer_that_is_none_is_a_plain_error(state_folder, monkeypatch):
    monkeypatch.setattr(requests.uuid, "uuid4", lambda: uuid.UUID(int=1))
    os.mkfifo(folder_of(state_folder) / f"{uuid.UUID(int=1).hex}.answer")
    with pytest.raises(DaemonError, match="the answer cannot be read"):
        ask(state_folder, "greet", {})


def test_a_sweep_passes_over_what_cannot_be_removed(state_folder):
    requests_folder = folder_of(state_folder)
    (requests_folder / "dangling.answer").symlink_to("nowhere")
    (requests_folder / "folder.answer").mkdir()
    stale = leave(state_folder, "{}", "stale.answer")
    cut_short = leave(state_folder, "{", ".1234.tmp")
    sweep(state_folder, time.time() + 2 * requests.STALE_ANSWER_SECONDS)
    assert not stale.exists()
    assert not cut_short.exists()
    assert left_in(state_folder) == ["folder.answer"]
