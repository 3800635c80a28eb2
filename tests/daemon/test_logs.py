"""What a log line says, and how often."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.text import Text

from daemon.logs import JsonLines, RepeatLimit, TextLines, file_log, set_up


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """The logger of a room; afterwards logging is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield logging.getLogger("daemon.test")
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)


def record(
    message: str, *args: object, level: int = logging.WARNING, created: float = 0.0, **extra: object
) -> logging.LogRecord:
    made = logging.getLogger("daemon.test").makeRecord(
        "daemon.test", level, __file__, 1, message, args, None, extra=extra
    )
    made.created = created
    return made


def test_a_line_about_a_file_carries_its_ids(tmp_path: Path, log: logging.Logger) -> None:
    set_up(file=tmp_path / "log.jsonl")
    about = file_log(log, source_file_id=12)
    about.info("settled %s", "a.tif", extra={"state": "ready", "attempt": 1})
    about.about(analysis_id=7).info("analysed %s", "a.tif")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["message"] for line in lines] == ["settled a.tif", "analysed a.tif"]
    assert [line["source_file_id"] for line in lines] == [12, 12]
    assert [line["analysis_id"] for line in lines] == [None, 7]
    assert (lines[0]["state"], lines[0]["attempt"]) == ("ready", 1)


def test_json_time_is_utc_and_says_so() -> None:
    assert json.loads(JsonLines().format(record("x", created=0.5)))["time"] == (
        "1970-01-01T00:00:00.500+00:00"
    )


def test_a_name_with_a_line_break_stays_on_one_line() -> None:
    hostile = record(
        "cannot read %s", "a\n2026 ERROR forged\x1b[2J.tif", source_file_id=3, code="unreadable"
    )
    text = TextLines().format(hostile)
    assert len(text.splitlines()) == 1
    assert text.endswith(r"cannot read a\x0a2026 ERROR forged\x1b[2J.tif [file 3, unreadable]")
    assert len(JsonLines().format(hostile).splitlines()) == 1


def test_bytes_that_are_no_text_do_not_stop_a_line() -> None:
    line = JsonLines().format(
        record("cannot read %s", b"\xff.tif".decode(errors="surrogateescape"))
    )
    assert line.isascii()


def test_a_traceback_stays_with_its_line() -> None:
    try:
        raise ValueError("pixel size -1 nm")
    except ValueError as error:
        made = record("a bug")
        made.exc_info = (ValueError, error, error.__traceback__)
    assert "ValueError: pixel size -1 nm" in TextLines().format(made)
    assert json.loads(JsonLines().format(made))["traceback"].endswith("pixel size -1 nm")


def test_a_repeated_warning_is_held_and_counted() -> None:
    limit = RepeatLimit(burst=2, period_seconds=60)
    seen = [limit.filter(record("cannot read %s", n, created=n)) for n in range(10)]
    assert seen == [True, True] + 8 * [False]
    later = record("cannot read %s", 11, created=61)
    assert limit.filter(later)
    assert TextLines().format(later).endswith("cannot read 11 (and 8 more like it before)")


def test_different_warnings_do_not_hold_each_other() -> None:
    limit = RepeatLimit(burst=1)
    assert limit.filter(record("refused %s", "a", code="spectrum"))
    assert limit.filter(record("refused %s", "a", code="colour"))
    assert not limit.filter(record("refused %s", "b", code="colour"))


def test_one_line_per_micrograph_is_never_held() -> None:
    limit = RepeatLimit(burst=1)
    assert all(limit.filter(record("analysed %s", n, level=logging.INFO)) for n in range(100))


def test_beside_a_live_view_only_warnings_are_shown(tmp_path: Path, log: logging.Logger) -> None:
    shown: list[Text] = []
    set_up(say=shown.append, file=tmp_path / "log.jsonl")
    log.info("analysed a.tif")
    log.warning("no new file for [bold]600 s[/bold]")
    assert [line.plain.partition("test: ")[2] for line in shown] == [
        "no new file for [bold]600 s[/bold]"
    ]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_without_a_terminal_every_line_goes_to_stderr(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(style="json")
    log.info("analysed a.tif")
    assert json.loads(capsys.readouterr().err)["message"] == "analysed a.tif"


def test_other_libraries_are_heard_from_warning_on(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up()
    logging.getLogger("rsciio").info("chatter")
    logging.getLogger("rsciio").warning("a strange tag")
    assert capsys.readouterr().err.endswith("rsciio: a strange tag\n")


def test_setting_up_twice_says_everything_once(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up()
    set_up()
    log.info("analysed a.tif")
    assert capsys.readouterr().err.count("analysed") == 1
