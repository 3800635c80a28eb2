"""The files in the live view: session, ledger, what is in hand, what came last, warnings.

Each part takes values and a width and gives lines of text, never wider than that. A number
without data is `—` and says why.
"""

from collections.abc import Sequence

from rich.text import Text

from daemon.lines import DIM, GAP, STRONG, counted, duration, fitted, joined, styled, wrapped
from daemon.names import printable, shortened
from daemon.palette import GREEN, ORANGE, SKY_BLUE, STATE_MARKS, VERMILLION, hex_colour
from daemon.snapshot import MicrographLine, Snapshot
from schema.records import FileState, LedgerCounts

ALARM = f"bold {hex_colour(ORANGE)}"

_LEDGER = (
    ("pending", hex_colour(SKY_BLUE)),
    ("retry", hex_colour(ORANGE)),
    ("done", hex_colour(GREEN)),
    ("refused", ""),
    ("quarantined", hex_colour(VERMILLION)),
    ("superseded", ""),
)
_LEDGER_WIDTH = 72


def title(snapshot: Snapshot, width: int) -> Text:
    """Program, session and state of the watch."""
    name = snapshot.session.name if snapshot.session else None
    session = f"session {shortened(name, max(8, width // 4))}" if name else "no session"
    state = "finished" if snapshot.finished else _at_work(snapshot.uptime_seconds)
    head = styled("━━ ", DIM).append("fringewatch ", style=STRONG)
    head.append(f"{printable(snapshot.software_version)} · {session} ")
    tail = Text(f" {state} · {snapshot.now:%H:%M:%S} UTC ").append("━━", style=DIM)
    fill = "━" * max(0, width - head.cell_len - tail.cell_len)
    return fitted(head.append(fill, style=DIM) + tail, width)


def _at_work(uptime_seconds: float | None) -> str:
    return "looking on" if uptime_seconds is None else f"up {duration(uptime_seconds)}"


def context(snapshot: Snapshot, width: int) -> Text:
    """What is on the stage, and which folders are watched in which way."""
    session = snapshot.session
    facts = [
        f"{word} {shortened(value, 24)}"
        for word, value in (
            ("sample", session.sample if session else None),
            ("run", session.run if session else None),
            ("operator", session.operator if session else None),
            ("at", session.instrument if session else None),
        )
        if value
    ]
    if not snapshot.folders:
        watched = shortened(snapshot.state_folder, max(16, width // 3))
    elif len(snapshot.folders) == 1:
        folder = snapshot.folders[0]
        watched = f"{shortened(folder.path, max(16, width // 3))} ({folder.mode})"
    else:
        polled = sum(folder.mode == "polling" for folder in snapshot.folders)
        watched = f"{len(snapshot.folders)} folders" + (f", {polled} by polling" if polled else "")
    return joined(Text(" " + " · ".join(facts)), Text(f"{watched} "), width)


def model(snapshot: Snapshot, width: int) -> Text:
    """The model at work and what it runs on."""
    if snapshot.bundle is None:
        return fitted(styled(" model — not loaded yet", DIM), width)
    bundle = snapshot.bundle
    words = f" model {printable(bundle.name)} {printable(bundle.version)}"
    if bundle.classifier_note:
        words += f" · {printable(bundle.classifier_note)}"
    device = Text(f"{printable(snapshot.device)} " if snapshot.device else "")
    return joined(Text(words), device, width)


def ledger(counts: LedgerCounts, width: int) -> list[Text]:
    """Every file seen, and the states it adds up from."""
    if not counts.adds_up():
        words = f" ledger: {counts.seen} seen, but its states do not add up to that"
        return [fitted(styled(words, ALARM), width)]
    terms = [(name, getattr(counts, name), style) for name, style in _LEDGER]
    if width < _LEDGER_WIDTH:
        return _ledger_in_words(counts.seen, terms, width)
    names, numbers = styled(f" {'seen':>6}", DIM), styled(f" {counts.seen:>6}", STRONG)
    for index, (name, count, style) in enumerate(terms):
        sign = " + " if index else " = "
        cells = max(6, len(name))
        names.append(f"{sign}{name:>{cells}}", style=DIM)
        numbers.append(sign, style=DIM)
        numbers.append(f"{count:>{cells}}", style=f"{STRONG} {style}".strip() if count else DIM)
    return [fitted(names, width), fitted(numbers, width)]


def _ledger_in_words(seen: int, terms: Sequence[tuple[str, int, str]], width: int) -> list[Text]:
    parts = [styled(f"{seen} seen", STRONG)]
    for index, (name, count, style) in enumerate(terms):
        sign = "+" if index else "="
        parts.append(styled(f"{sign} {count} {name}", style if count else DIM))
    return wrapped(parts, width, separator=" ")


def activity(snapshot: Snapshot, width: int) -> list[Text]:
    """What is in hand, how much waits, and the last micrograph."""
    rate = "—" if snapshot.rate_per_minute is None else f"{snapshot.rate_per_minute:.1f}"
    pace = Text(f"queue {snapshot.queue_length} · {rate} per min ")
    now = styled(" now   ", DIM)
    if snapshot.current is None:
        now.append("— " + ("all is worked off" if snapshot.finished else "waiting for a file"))
    else:
        room = max(8, width - pace.cell_len - len(snapshot.current.stage) - 18)
        now.append(f"{snapshot.current.stage} {shortened(snapshot.current.name, room)}")
        if snapshot.current.seconds is not None:
            now.append(f" {duration(snapshot.current.seconds)}", style=DIM)
    return [joined(now, pace, width), _last(snapshot, width)]


def _last(snapshot: Snapshot, width: int) -> Text:
    line = styled(" last  ", DIM)
    if not snapshot.recent:
        return fitted(line.append("— no micrograph yet"), width)
    since = snapshot.seconds_since_last
    age = styled("" if since is None else f"{duration(since)} ago ", STRONG)
    room = width - line.cell_len - age.cell_len - len(GAP)
    return joined(line + micrograph(snapshot.recent[0], room), age, width)


def micrograph(line: MicrographLine, width: int) -> Text:
    """One file that has come to rest: sign, name, what was found or why nothing was."""
    mark = STATE_MARKS[line.state]
    outside = line.state is FileState.DONE and line.note
    sign = "○" if outside else mark.sign
    result = _result(line)
    name = shortened(line.name, max(8, min(44, width - result.cell_len - 4)))
    shown = styled(f"{sign} ", f"bold {hex_colour(mark.colour)}") + Text(name) + Text(GAP)
    return fitted(shown + result, width)


def _result(line: MicrographLine) -> Text:
    words = []
    if line.state is not FileState.DONE:
        words.append(STATE_MARKS[line.state].words)
    if line.note:
        words.append(printable(line.note))
    elif line.particles is not None:
        words.append(counted(line.particles, "particle"))
        if line.median_nm is not None:
            words.append(f"median {line.median_nm:.1f} nm")
    if line.seconds is not None:
        words.append(f"{line.seconds:.1f} s")
    return Text(", ".join(words))


def warnings(messages: Sequence[str], width: int, height: int) -> list[Text]:
    """The newest warnings, and how many more there are."""
    if len(messages) > height > 0:
        hidden = len(messages) - height + 1
        messages = [*messages[: height - 1], f"and {counted(hidden, 'more warning')}"]
    return [
        fitted(styled(" ! ", ALARM) + Text(printable(message)), width)
        for message in messages[:height]
    ]
