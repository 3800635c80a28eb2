"""The options of a selection, as a command takes them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from daemon.errors import Misused
from daemon.selection import Selection, moment, selecting
from schema.choice import DEFAULT_RULES, SIZE_CLASSES, Rules
from schema.scope import Scope
from tests.daemon.results import session

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def chosen(*words: str) -> Selection:
    """What a command takes from these words."""
    taken: list[tuple[str, Selection]] = []
    app = typer.Typer()

    @app.command()
    @selecting
    def command(name: Annotated[str, typer.Argument()] = "", *, selection: Selection) -> None:
        taken.append((name, selection))

    ended = CliRunner().invoke(app, ["first", *words])
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert ended.exit_code == 0, ended.output
    ((name, selection),) = taken
    assert name == "first"
    return selection


def test_without_options_everything_counts_by_the_default_rules():
    assert chosen() == Selection()
    assert chosen().rules == DEFAULT_RULES
    assert chosen().classes is None


def test_every_option_reaches_the_selection():
    found = chosen(
        *("--session", "morning", "--sample", "Au", "--run", "7", "--since", "2026-11-27T14:00"),
        *("--min-nm", "4", "--max-nm", "6", "--class", "stacking_fault"),
        *("--every-frame", "--no-border-weights", "--out-of-domain", "--suspect"),
    )
    assert (found.session, found.sample, found.run) == ("morning", "Au", "7")
    assert found.since == datetime(2026, 11, 27, 14, 0, tzinfo=UTC)
    rules = found.rules
    assert (rules.min_nm, rules.max_nm, rules.size_classes) == (4.0, 6.0, ("stacking_fault",))
    assert found.classes == ("stacking_fault",)
    assert rules.every_frame and rules.out_of_domain and rules.suspect
    assert not rules.border_weights and not rules.uncalibrated
    assert chosen("--uncalibrated").rules == Rules(uncalibrated=True)


def test_classes_stand_in_their_own_order_however_they_were_named():
    assert chosen("--class", "agglomeration", "--class", "misoriented").rules.size_classes == (
        "misoriented",
        "agglomeration",
    )
    assert chosen().rules.size_classes == SIZE_CLASSES


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--class", "twin"), "there is no class 'twin'; there are stacking_fault, no_stack"),
        (("--min-nm", "-1"), "--min-nm is a diameter in nm, not -1"),
        (("--max-nm", "inf"), "--max-nm is a diameter in nm, not inf"),
        (("--max-nm", "nan"), "--max-nm is a diameter in nm, not nan"),
        (("--uncalibrated", "--max-nm", "6"), "--uncalibrated goes with no range of sizes"),
        (("--uncalibrated", "--min-nm", "0"), "--uncalibrated goes with no range of sizes"),
        (("--min-nm", "6", "--max-nm", "6"), "no particle has 6 nm or more and less than 6 nm"),
        (("--since", "tomorrow"), "'tomorrow' is no time such as"),
        (("--since", "9999999999d"), "is no time such as"),
        (("--run", "a\udcff"), r"a\xff is no text that a database could hold"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(words, sentence):
    with pytest.raises(Misused) as caught:
        chosen(*words)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("30min", NOW - timedelta(minutes=30)),
        ("1.5 d", NOW - timedelta(days=1.5)),
        ("2026-11-27", datetime(2026, 11, 27, tzinfo=UTC)),
        ("2026-11-27T14:00+02:00", datetime(2026, 11, 27, 12, 0, tzinfo=UTC)),
    ],
)
def test_a_time_is_utc_an_offset_or_so_long_ago(text, when):
    assert moment(text, NOW) == when


@given(st.text(max_size=20))
def test_any_text_is_a_time_or_a_sentence(text):
    try:
        found = moment(text, NOW)
    except Misused:
        return
    assert found.tzinfo is not None


def test_a_session_is_found_by_name_or_uuid_and_never_guessed(owner):
    session(owner, "morning", 1)
    session(owner, "evening", 2)
    with owner.begin() as connection:
        uuid = "0b8e1a4e-6f0f-4f6e-9d2c-000000000001"
        assert Selection(session="morning").scope(connection).session_uuid == uuid
        assert Selection(session=uuid).scope(connection).session_uuid == uuid
        with pytest.raises(Misused, match="there is no session 'noon'"):
            Selection(session="noon").scope(connection)


def test_every_criterion_of_files_reaches_the_database(owner):
    session(owner, "morning", 1, sample="Au", run="7")
    found = Selection(sample="Au", run="7", since=NOW)
    with owner.begin() as connection:
        assert found.scope(connection) == Scope(sample="Au", run="7", since=NOW)


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(run="9"), "there is no run '9'; there are 7, 8"),
        (Selection(sample="Pt"), "there is no sample 'Pt'; there are Au"),
        (Selection(sample="a\nb", run="7"), r"there is no sample 'a\\x0ab'"),
    ],
)
def test_a_run_or_sample_that_nothing_bears_is_no_empty_table(owner, selection, words):
    session(owner, "morning", 1, sample="Au", run="7")
    session(owner, "evening", 2, run="8")
    with owner.begin() as connection, pytest.raises(Misused) as caught:
        selection.scope(connection)
    assert words in str(caught.value)


def test_of_many_runs_the_last_are_named_and_without_any_that_is_said(owner):
    with owner.begin() as connection, pytest.raises(Misused, match="no session states its run"):
        Selection(run="9").scope(connection)
    for number in range(12):
        session(owner, f"day {number}", number, run=f"R{number}")
    with owner.begin() as connection, pytest.raises(Misused, match=r"are R4, .* R11 and others"):
        Selection(run="9").scope(connection)


def test_words_say_what_was_chosen():
    assert Selection().words == "everything"
    assert Selection(run="7", since=NOW).words == "run 7, first seen since 2026-11-27 12:00 UTC"
