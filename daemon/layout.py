"""How a snapshot is laid out on a terminal: pure, the same values always give the same lines."""

from dataclasses import replace

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from daemon.figures import RECKONED, classes, fractions, left_out, left_out_title, sizes
from daemon.lines import DIM, duration, fitted, rule, styled
from daemon.panels import activity, context, ledger, micrograph, model, title, warnings
from daemon.prospects import prospects
from daemon.snapshot import Snapshot

LEAST_WIDTH = 20
LEAST_HEIGHT = 5

_TWO_COLUMNS = 76
_RIGHT_COLUMN = 42
_FIGURE_LINES = 9
_MOST_FIGURE_LINES = 20
_SUBTITLE_LINES = 2
_OLD_SECONDS = 10.0
_MOST_RECENT = 10
_MOST_WARNINGS = 4
_PLAIN = str.maketrans(
    "━─│┤└┬┴▲░█▁▂▃▄▅▆▇▏▎▍▌▋▊▉·—–…✓✗○»",
    "=-|++++^:#__..==#..-=###|--~+xo>",
)


def render(snapshot: Snapshot, width: int, height: int, unicode: bool = True) -> Group:
    """The view, in exactly `height` lines of at most `width` cells (at least 20 by 5).

    `unicode` off draws with ASCII alone; a character of a name that is none becomes `?`.
    """
    return Group(*rows(snapshot, width, height, unicode))


def rows(snapshot: Snapshot, width: int, height: int, unicode: bool = True) -> list[Text]:
    """The lines of `render`."""
    width, height = max(width, LEAST_WIDTH), max(height, LEAST_HEIGHT)
    wide = width >= _TWO_COLUMNS
    lines = _wide(snapshot, width, height) if wide else _narrow(snapshot, width, height)
    shown = [line if unicode else in_ascii(line) for line in [*lines, *[Text()] * height][:height]]
    for line in shown:
        line.no_wrap, line.overflow = True, "crop"
    return shown


def _wide(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    """Files on top, sizes beside classes in the middle, what is left out and warnings below."""
    top = _files(snapshot, width)
    bottom = _bottom(snapshot, width)
    spare = max(0, height - len(top) - len(bottom) - 1 - _FIGURE_LINES)
    recent = _recent(snapshot, width, spare - spare // 3 - _SUBTITLE_LINES)
    if not recent:
        bottom[0] = _closing(left_out_title(snapshot.population), width)
    figure_lines = min(_MOST_FIGURE_LINES, _FIGURE_LINES + spare - len(recent))
    return [*top, *_figures(snapshot, width, figure_lines), *recent, *bottom]


def _narrow(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    """The same, one below the other; what does not fit is cut from the end."""
    inner = width - 1
    top = _files(snapshot, width)
    figures = [
        rule(_classes_title(snapshot), width),
        *_indented(classes(snapshot.population, inner, _lacking(snapshot))),
        *_indented(fractions(snapshot.population, snapshot.bundle, inner, _lacking(snapshot))),
        *_indented(_prospects(snapshot, inner)),
    ]
    messages = warnings(snapshot.warnings, width, _MOST_WARNINGS)
    spare = height - len(top) - len(figures) - len(messages) - 1
    if spare >= _FIGURE_LINES // 2 + 1:
        picture = sizes(snapshot.population, inner, min(spare, _FIGURE_LINES), _lacking(snapshot))
        figures = [rule(_sizes_title(snapshot), width), *_indented(picture), *figures]
    return [*top, *messages, *figures]


def _files(snapshot: Snapshot, width: int) -> list[Text]:
    return [
        title(snapshot, width),
        context(snapshot, width),
        model(snapshot, width),
        *ledger(snapshot.ledger, width),
        *activity(snapshot, width),
    ]


def _figures(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    left_width = _left_column(width) - 2
    right_width = width - left_width - 4
    left = sizes(snapshot.population, left_width, height, _lacking(snapshot))
    right = _classes_and_fractions(snapshot, right_width, height)
    heading = rule(_sizes_title(snapshot), left_width + 2) + styled("┬", DIM)
    heading += rule(_classes_title(snapshot), width - heading.cell_len)
    bar = styled(" │ ", DIM)
    body = [
        fitted(Text(" ") + fitted(first, left_width) + bar + second, width)
        for first, second in zip(left, right, strict=True)
    ]
    return [heading, *body]


def _classes_and_fractions(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    """Classes on top, at the foot fractions and, where there is room, what is still to be done."""
    lacking = _lacking(snapshot)
    top = classes(snapshot.population, width, lacking)
    shares = fractions(snapshot.population, snapshot.bundle, width, lacking)
    parts = [
        ("fractions, with 95 % intervals", shares),
        ("still to be measured", _prospects(snapshot, width)),
    ]
    spare = height - len(top) - len(parts[0][1])
    if spare < len(parts[1][1]):
        del parts[1]
    else:
        spare -= len(parts[1][1])
    bottom: list[Text] = []
    for subtitle, lines in parts:
        heading = [fitted(styled(subtitle, DIM), width)] if spare >= len(parts) else []
        bottom += [*heading, *lines]
    return [*top, *[Text()] * (height - len(top) - len(bottom)), *bottom]


def _left_column(width: int) -> int:
    """Cells left of the line between sizes and classes."""
    return width - max(_RIGHT_COLUMN, round(0.4 * width)) - 2


def _closing(title: str, width: int) -> Text:
    """The rule below the two columns."""
    line = rule(title, _left_column(width)) + styled("┴", DIM)
    return line + rule("", width - line.cell_len)


def _bottom(snapshot: Snapshot, width: int) -> list[Text]:
    out = left_out(snapshot.population, width, _lacking(snapshot))
    messages = warnings(snapshot.warnings, width, _MOST_WARNINGS)
    return [rule(left_out_title(snapshot.population), width), *out[:2], *messages]


def _recent(snapshot: Snapshot, width: int, room: int) -> list[Text]:
    """A heading and the newest files, in the room there is."""
    count = min(len(snapshot.recent), _MOST_RECENT, room - 1)
    if count < 2:  # the newest alone stands above already
        return []
    lines = [_indent(micrograph(line, width - 1)) for line in snapshot.recent[:count]]
    return [_closing("latest files", width), *lines]


def _sizes_title(snapshot: Snapshot) -> str:
    count = snapshot.population.particles if snapshot.population else 0
    age_seconds = snapshot.outlook_age_seconds or 0.0
    if age_seconds < _OLD_SECONDS:
        return f"equivalent diameter · n {count}"
    return f"diameter · n {count} · {duration(age_seconds)} old"


def _prospects(snapshot: Snapshot, width: int) -> list[Text]:
    """Minutes only while files come, however old the figures are."""
    outlook = snapshot.outlook
    if outlook is not None and snapshot.rate_per_minute is None:
        outlook = replace(outlook, per_minute=None)
    return prospects(outlook, width, RECKONED if snapshot.ledger.done else "no particle yet")


def _lacking(snapshot: Snapshot) -> str:
    """Why there are no figures."""
    return RECKONED if snapshot.ledger.done else "no particle measured yet"


def _classes_title(snapshot: Snapshot) -> str:
    counts = snapshot.population.class_counts if snapshot.population else {}
    return f"classes · n {sum(counts.values())}"


def _indented(lines: list[Text]) -> list[Text]:
    return [_indent(line) for line in lines]


def _indent(line: Text) -> Text:
    return Text(" ") + line


def in_ascii(line: Text) -> Text:
    """The line in as many cells of ASCII; a character of a name that is none becomes `?`."""
    plain = line.plain.translate(_PLAIN)
    cells = [mark if mark.isascii() else "?" * cell_len(mark) for mark in plain]
    if all(len(cell) == 1 for cell in cells):
        line = line.copy()
        line.plain = "".join(cells)
        return line
    return Text("".join(cells))
