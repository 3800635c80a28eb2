"""Size histogram in character cells: bars, an axis in nm, the median and the lower size limit.

Each bin takes the same number of columns, so the axis is as linear or logarithmic as the bins.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.text import Text

from daemon.lines import DIM, STRONG, styled
from daemon.palette import GREEN, hex_colour

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_BAR_STYLE = hex_colour(GREEN)
_ROUND = (1, 2, 5, 3, 4, 6, 8, 7, 9)
_LESS_ROUND = (1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 1.2, 1.4, 1.6, 1.8, 1.1, 1.3, 2.2, 2.4, 2.6, 2.8)
_DECADES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
_ENOUGH_TICKS = 3
_LEAST_HEIGHT = 3
_UNIT = "nm"
_WELL_FILLED = 0.6  # of the columns


@dataclass(frozen=True, kw_only=True)
class Bars:
    """What to draw: counts between ascending edges, in nm, and two marks on the axis."""

    edges_nm: tuple[float, ...]
    counts: tuple[int, ...]
    median_nm: float | None = None
    size_limit_nm: float | None = None


def histogram(bars: Bars, width: int, height: int) -> list[Text]:
    """The picture: `height` lines of at most `width` cells, the last two the axis and its numbers.

    `▲` on the axis is the median; `░` covers what lies below the lower size limit, where nothing
    is counted. Nothing counted at all gives no lines.
    """
    total = sum(bars.counts)
    if total == 0 or height < _LEAST_HEIGHT:
        return []
    room = width - len(str(total)) - 2
    shown = _merged(_trimmed(bars), room, most=max(8, round(3 * total ** (1 / 3))))
    peak = max(shown.counts)
    margin = len(str(peak)) + 2
    cells = max(1, (width - margin) // len(shown.counts))
    columns = [count for count in shown.counts for _ in range(cells)]
    limit = _column(shown, shown.size_limit_nm, cells)
    rows = height - 2
    lines = [_bar_row(columns, peak, rows, row, limit) for row in range(rows)]
    heads = [f"{peak:>{margin - 2}} ┤", *[" " * (margin - 1) + "│"] * (rows - 1)]
    picture = [styled(head, DIM) + line for head, line in zip(heads, lines, strict=True)]
    median = _column(shown, shown.median_nm, cells)
    ticks = _ticks(shown, cells)
    picture.append(_axis(margin, len(columns), median, [column for column, _ in ticks]))
    picture.append(_numbers(margin, len(columns), ticks))
    return picture


def _trimmed(bars: Bars) -> Bars:
    """The occupied bins with an empty one on each side; from the size limit on, if it is near."""
    occupied = [index for index, count in enumerate(bars.counts) if count]
    first, last = max(0, occupied[0] - 1), min(len(bars.counts), occupied[-1] + 2)
    if bars.size_limit_nm is not None:
        at_limit = max(0, bisect_right(bars.edges_nm, bars.size_limit_nm) - 2)
        if at_limit >= first - (last - first) // 2:
            first = min(first, at_limit)
    return replace(bars, edges_nm=bars.edges_nm[first : last + 1], counts=bars.counts[first:last])


def _merged(bars: Bars, columns: int, most: int) -> Bars:
    """Neighbouring bins joined to at most `most`; one step more where columns stay unused."""
    bins = len(bars.counts)
    step = max(1, -(-bins // max(1, min(columns, most))))
    joined = -(-bins // step)
    if columns // joined * joined < _WELL_FILLED * columns:
        step += 1
    starts = range(0, len(bars.counts), step)
    edges = tuple(bars.edges_nm[start] for start in starts) + bars.edges_nm[-1:]
    counts = tuple(sum(bars.counts[start : start + step]) for start in starts)
    return replace(bars, edges_nm=edges, counts=counts)


def _column(bars: Bars, size_nm: float | None, cells: int) -> int | None:
    """The column a size falls in; None where it lies outside the picture."""
    if size_nm is None or not bars.edges_nm[0] <= size_nm < bars.edges_nm[-1]:
        return None
    index = bisect_right(bars.edges_nm, size_nm) - 1
    low, high = bars.edges_nm[index], bars.edges_nm[index + 1]
    return int((index + (size_nm - low) / (high - low)) * cells)


def _bar_row(columns: Sequence[int], peak: int, rows: int, row: int, limit: int | None) -> Text:
    """One line of bars, counted from the top; an occupied bin shows at least an eighth."""
    line = Text()
    for index, count in enumerate(columns):
        eighths = max(1, round(count / peak * rows * 8)) if count else 0
        level = min(8, max(0, eighths - 8 * (rows - 1 - row)))
        if level == 0 and limit is not None and index < limit:
            line.append("░", style=DIM)
        else:
            line.append(_EIGHTHS[level], style=_BAR_STYLE)
    return line


def _axis(margin: int, width: int, median: int | None, ticks: Sequence[int]) -> Text:
    cells = ["┬" if column in ticks else "─" for column in range(width)]
    line = styled(" " * (margin - 1) + "└" + "".join(cells), DIM)
    if median is None:
        return line
    start = margin + median
    return line[:start] + styled("▲", STRONG) + line[start + 1 :]


def _ticks(bars: Bars, cells: int) -> list[tuple[int, str]]:
    """Columns and words of the numbers below the axis, none touching another."""
    width = len(bars.counts) * cells
    free = [True] * (width - len(_UNIT))
    ticks: list[tuple[int, str]] = []
    for digits in (_ROUND, _LESS_ROUND):
        for digit in digits if len(ticks) < _ENOUGH_TICKS else ():
            for decade in _DECADES:
                size_nm = round(digit * decade, 6)
                column = _column(bars, size_nm, cells)
                words = f"{size_nm:g}"
                start = -1 if column is None else column - len(words) // 2
                end = start + len(words)
                if column is None or start < 0 or end >= len(free):
                    continue
                if all(free[max(0, start - 2) : end + 2]):
                    free[start:end] = [False] * len(words)
                    ticks.append((column, words))
    return sorted(ticks)


def _numbers(margin: int, width: int, ticks: Sequence[tuple[int, str]]) -> Text:
    cells = [" "] * width
    for column, words in ticks:
        start = column - len(words) // 2
        cells[start : start + len(words)] = words
    cells[-len(_UNIT) :] = _UNIT
    return styled(" " * margin + "".join(cells), DIM)
