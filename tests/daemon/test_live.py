"""The live view, line by line."""

import io
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from daemon.layout import render
from daemon.live import LiveView
from daemon.snapshot import CurrentFile, MicrographLine, SessionLine, Snapshot
from daemon.svg import svg
from schema.distribution import Deciles, Estimate
from schema.fractions import Corrected
from schema.outlook import Outlook
from schema.records import FileState, LedgerCounts
from tests.daemon.snapshots import (
    BUSY,
    FIRST_SECOND,
    NOTHING_FOUND,
    OUTLOOK,
    POPULATION,
    with_figures,
)

# Exactly what a terminal of 80 by 24 cells shows, without the blanks at the ends of the lines.
BUSY_80_24 = """
━━ fringewatch 0.1.0 · session Au day 3 ━━━━━━━━ up 1 h 23 min · 14:03:22 UTC ━━
 sample Au-12 · run S-044 · operator M. Curie   /data/titan/2026-03-01 (events)
 model default 1.0 · balanced accuracy 0.65 on simulated particles          CPU
   seen = pending +  retry +   done + refused + quarantined + superseded
     48 =       3 +      1 +     41 +       2 +           1 +          0
 now   segmenting 20260301_Au_0043.dm4 3 s                queue 3 · 4.2 per min
 last  ✓ 20260301_Au_0042.dm4  12 particles, median 4.8 nm, 1.2 s       8 s ago
─ equivalent diameter · n 412 ──────┬─ classes · n 452 ─────────────────────────
 ▲ median 4.82 nm  95 % 4.70–4.95   │ F stacking fault        57  13 % █▏
 158 ┤      ███                     │ N no stacking fault     92  20 % █▉
     │      ███▁▁▁                  │ M misoriented          263  58 % █████▎
     │      ██████                  │ A agglomeration         31   7 % ▋
     │      ██████                  │ B background             9   2 % ▏
     │   ▂▂▂██████                  │ observable fraction 36 % [30–42] 149/412
     │   █████████▃▃▃               │ visible faults among observable particles
     │   ████████████               │   classified 38 % [29–48] 57/149
     │▂▂▂████████████▅▅▅▁▁▁▁▁▁      │   corrected  21 % [10–33] simulation-based
     └┬──┬──┬─▲┬──┬──┬──┬─────      │ median ±2 %      338 more, about 8 min
      2  3  4  5  6  7  8   nm      │ faults ±5 points 417 more, about 26 min
 truncated below 1 nm               │ drift            size down
─ left out · 79 of 531 found ───────┴───────────────────────────────────────────
 14 below the size limit · 63 touching the border · 2 outside the model's domain
 ! no new file in /data/titan/2026-03-01 for 12 min
 ! disk: 4 % free on /var/lib/fringewatch
"""

FIRST_SECOND_80_24 = """
━━ fringewatch 0.1.0 · no session ━━━━━━━━━━━━━━━━━━━━━ up 1 s · 14:03:22 UTC ━━
                                                /data/titan/2026-03-01 (events)
 model — not loaded yet
   seen = pending +  retry +   done + refused + quarantined + superseded
      0 =       0 +      0 +      0 +       0 +           0 +          0
 now   — waiting for a file                                 queue 0 · — per min
 last  — no micrograph yet
─ equivalent diameter · n 0 ────────┬─ classes · n 0 ───────────────────────────
 — no particle measured yet         │ F stacking fault         0   —
                                    │ N no stacking fault      0   —
                                    │ M misoriented            0   —
                                    │ A agglomeration          0   —
                                    │ B background             0   —
                                    │ fractions, with 95 % intervals
                                    │ observable fraction — none crystalline
                                    │ visible faults among observable particles
                                    │   classified — none observable yet
                                    │   corrected  — none observable yet
                                    │ still to be measured
                                    │ median ±2 %      — no particle yet
                                    │ faults ±5 points — no particle yet
                                    │ drift            — no particle yet
─ left out ─────────────────────────┴───────────────────────────────────────────
 — nothing analysed yet
"""


def lines(snapshot: Snapshot, width: int, height: int, unicode: bool = True) -> list[str]:
    """What a terminal without colour shows, each line with its blanks."""
    screen = io.StringIO()
    console = Console(file=screen, width=width, color_system=None)
    console.print(render(snapshot, width, height, unicode=unicode))
    return screen.getvalue().splitlines()


def shown(snapshot: Snapshot, width: int = 80, height: int = 24) -> str:
    return "\n".join(line.rstrip() for line in lines(snapshot, width, height)).strip("\n")


def test_a_busy_afternoon_at_a_glance() -> None:
    assert shown(BUSY) == BUSY_80_24.strip("\n")


def test_the_first_second_has_no_figures_and_says_why() -> None:
    assert shown(FIRST_SECOND) == FIRST_SECOND_80_24.strip("\n")


def test_nothing_found_is_a_sentence_not_a_nan() -> None:
    text = shown(NOTHING_FOUND)
    assert "— no particle to measure" in text
    assert "— none observable yet" in text
    assert "nan" not in text.lower()


def test_figures_that_are_out_of_date_say_how_old_they_are() -> None:
    assert "diameter · n 412 · 42 s old" in shown(replace(BUSY, outlook_age_seconds=42.0))
    assert "old" not in shown(replace(BUSY, outlook_age_seconds=9.0))


def test_results_whose_figures_are_not_known_yet_are_being_reckoned_and_not_nought() -> None:
    text = shown(replace(BUSY, outlook=None, warnings=()))
    assert text.count("— being reckoned") == 8  # sizes, three fractions, three needs, left out
    assert "stacking fault         —" in text
    assert "none" not in text


def test_minutes_are_told_only_while_files_come() -> None:
    assert "338 more, about 8 min" in shown(BUSY)
    text = shown(replace(BUSY, rate_per_minute=None))
    assert "338 more" in text
    assert "about" not in text


def test_a_large_terminal_also_lists_the_latest_files() -> None:
    text = shown(BUSY, 120, 40)
    assert "─ latest files ─" in text
    assert "- 20260301_Au_0040_eels.dm3  refused, the file holds a spectrum, not an image" in text
    assert "○ 20260301_Au_0041_survey.emd  outside the model's domain: STEM imaging" in text


def test_the_ledger_shows_every_term_of_its_sum_on_any_width() -> None:
    for width in (30, 60, 80, 120):
        text = " ".join(shown(BUSY, width, 40).split())
        for term in ("pending", "retry", "done", "refused", "quarantined", "superseded"):
            assert term in text


def test_a_ledger_that_does_not_add_up_is_an_alarm() -> None:
    broken = replace(BUSY, ledger=LedgerCounts(seen=7, done=5))
    assert "7 seen, but its states do not add up" in shown(broken)


def test_the_fault_fraction_carries_its_wording_interval_and_what_the_classifier_makes_of_it() -> (
    None
):
    text = shown(BUSY)
    assert "visible faults among observable particles" in text
    assert "  classified 38 % [29–48] 57/149" in text
    assert "  corrected  21 % [10–33] simulation-based" in text
    assert "simulation-based · balanced accuracy 0.65" in shown(BUSY, 180, 40)


def test_a_fraction_without_an_interval_over_fields_has_that_of_wilson() -> None:
    fault = replace(POPULATION.stacking_fault_fraction, by_field=Estimate(value=57 / 149))
    population = replace(POPULATION, stacking_fault_fraction=fault)
    assert "  classified 38 % [31–46] 57/149" in shown(with_figures(population))


def test_a_fraction_that_may_not_be_corrected_says_why() -> None:
    withheld = Corrected(reason="the model was not measured on CuO")
    fault = replace(POPULATION.stacking_fault_fraction, corrected=withheld)
    population = replace(POPULATION, stacking_fault_fraction=fault)
    text = shown(with_figures(population), 120, 40)
    assert "  corrected  — the model was not measured on CuO" in text


def test_few_fields_of_view_have_a_median_without_interval() -> None:
    population = replace(
        POPULATION,
        diameter_nm=Deciles(d50=Estimate(value=4.8)),
        interval_method="fewer than 8 fields of view: no interval",
    )
    text = shown(with_figures(population))
    assert "▲ median 4.80 nm · fewer than 8 f" in text


def test_particles_without_a_class_are_counted_too() -> None:
    population = replace(POPULATION, unclassified=12)
    assert "12 more without a class" in shown(with_figures(population), 120, 40)


def test_every_particle_of_one_class_is_a_hundred_percent() -> None:
    only = dict.fromkeys(POPULATION.class_counts, 0) | {"misoriented": 3}
    text = shown(with_figures(replace(POPULATION, class_counts=only)))
    assert "M misoriented            3 100 % █" in text


@pytest.mark.parametrize(
    "hostile", ["[bold red]x[/]", "\x1b[2J\x1b[31m", "a\nb\rc", "\u202etxt.exe"]
)
def test_a_hostile_name_is_shown_not_obeyed(hostile: str) -> None:
    snapshot = replace(
        BUSY,
        current=CurrentFile(name=hostile, stage="segmenting"),
        recent=(MicrographLine(name=hostile, state=FileState.REFUSED, note=hostile),),
        session=SessionLine(name=hostile, sample=hostile, operator=hostile),
        warnings=(hostile,),
    )
    text = lines(snapshot, 80, 24)
    assert len(text) == 24
    assert all(line.isprintable() for line in text)
    assert not hostile.startswith("[") or any("[bold red]x[/]" in line for line in text)


names = st.text(max_size=80) | st.binary(max_size=80).map(
    lambda raw: raw.decode(errors="surrogateescape")
)
counts = st.integers(0, 10**7)


@given(
    name=names,
    width=st.integers(20, 200),
    height=st.integers(5, 60),
    done=counts,
    pending=counts,
    messages=st.lists(names, max_size=8),
    outlook=st.sampled_from([None, OUTLOOK, NOTHING_FOUND.outlook]),
    unicode=st.booleans(),
)
def test_the_view_is_never_larger_than_its_terminal(
    name: str,
    width: int,
    height: int,
    done: int,
    pending: int,
    messages: list[str],
    outlook: Outlook | None,
    unicode: bool,
) -> None:
    snapshot = replace(
        BUSY,
        current=CurrentFile(name=name, stage="segmenting", seconds=1),
        recent=(MicrographLine(name=name, state=FileState.DONE, particles=done),) * 5,
        session=SessionLine(name=name, sample=name, run=name),
        ledger=LedgerCounts(seen=done + pending, done=done, pending=pending),
        outlook=outlook,
        warnings=tuple(messages),
    )
    text = lines(snapshot, width, height, unicode=unicode)
    assert len(text) == height
    assert all(cell_len(line) <= width for line in text)


def test_a_terminal_without_unicode_gets_ascii_of_the_same_shape() -> None:
    snapshot = replace(BUSY, warnings=("Größe 試料",))
    plain = lines(snapshot, 80, 24, unicode=False)
    assert all(line.isascii() for line in plain)
    assert [cell_len(line) for line in plain] == [
        cell_len(line) for line in lines(snapshot, 80, 24)
    ]


def test_the_picture_as_svg_refers_to_nothing_outside_itself() -> None:
    hostile = replace(BUSY, warnings=("<script>&",))
    text = svg(render(hostile, 80, 24), 80, 24)
    assert "&lt;script&gt;&amp;" in text
    assert "url(" not in text
    assert text.count("http") == 1  # the name of the SVG language itself


@pytest.fixture
def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, height=24, _environ={})


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_where_there_is_no_terminal_nothing_is_drawn() -> None:
    console = Console(file=io.StringIO(), _environ={})
    with LiveView(console) as view:
        view.update(BUSY)
    assert not view.is_drawn
    assert written(console) == ""


def test_the_last_picture_is_drawn_and_the_cursor_given_back(terminal: Console) -> None:
    with LiveView(terminal) as view:
        view.update(FIRST_SECOND)
        view.update(replace(BUSY, finished=True))
    assert "finished" in written(terminal)
    assert written(terminal).endswith("\x1b[?25h")


def test_a_log_line_stays_above_the_picture(terminal: Console) -> None:
    view = LiveView(terminal)
    with view:
        view.say(Text("WARNING disk: 4 % free [bold]"))
        view.update(BUSY)
    text = written(terminal)
    assert text.index("WARNING disk: 4 % free [bold]") < text.index("equivalent diameter")


class StoppedTerminal(io.StringIO):
    """A terminal that takes no more text, as after Ctrl-S."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = threading.Event()
        self.resumed = threading.Event()
        self.took_it = threading.Event()

    def write(self, text: str) -> int:
        if "fringewatch" in text:
            self.stopped.set()
            self.resumed.wait(timeout=30)
            self.took_it.set()
        return super().write(text)


def test_a_terminal_that_takes_no_text_never_holds_the_daemon() -> None:
    terminal = StoppedTerminal()
    with LiveView(Console(file=terminal, force_terminal=True, width=80, height=24)) as view:
        view.update(BUSY)
        assert terminal.stopped.wait(timeout=10)
        for _ in range(1000):
            view.update(BUSY)
            view.say(Text("analysed"))
    assert not terminal.took_it.is_set()
    terminal.resumed.set()


class GoneTerminal(io.StringIO):
    """A terminal whose line has dropped."""

    def write(self, text: str) -> int:
        if "fringewatch" in text:
            raise OSError(5, "Input/output error")
        return super().write(text)


def test_a_terminal_that_is_gone_ends_the_view_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with LiveView(Console(file=GoneTerminal(), force_terminal=True, width=80, height=24)) as view:
        view.update(BUSY)
    assert "the live view has ended" in caplog.text
