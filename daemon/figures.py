"""The population in the live view: sizes, classes, the two fractions, what is left out.

Every figure stands beside the count it rests on and its 95 % interval; a figure without data is
`—` and says why.
"""

from collections.abc import Mapping, Sequence

from rich.text import Text

from daemon.histogram import Bars, histogram
from daemon.lines import DIM, STRONG, fitted, styled, wrapped
from daemon.palette import CLASS_MARKS, hex_colour
from daemon.snapshot import BundleLine
from schema.choice import LeftOut
from schema.fractions import Corrected, Fraction
from schema.population import Population
from schema.records import CLASS_NAMES
from schema.sample import OUTSIDE_SIZE_RANGE

_LABEL = 12
RECKONED = "being reckoned"
"""Why there are no figures though there are results."""

EXCLUSION_WORDS: Mapping[str, str] = {
    "below_size_limit": "below the size limit",
    "touches_border": "touching the border",
    OUTSIDE_SIZE_RANGE: "outside the sizes asked for",
    LeftOut.SUSPECT: "in suspect images",
    LeftOut.UNCALIBRATED: "without pixel size",
    LeftOut.OUT_OF_DOMAIN: "outside the model's domain",
    LeftOut.OTHER_PIPELINE: "of another pipeline",
    LeftOut.IDENTICAL_PIXELS: "in identical images",
    LeftOut.SAME_FIELD_OF_VIEW: "of a field counted already",
}


def sizes(
    population: Population | None, width: int, height: int, lacking: str = "no particle yet"
) -> list[Text]:
    """Size histogram with the median and its interval, in `height` lines.

    `lacking` says why there is no population.
    """
    if population is None or population.particles == 0:
        reason = lacking if population is None else "no particle to measure"
        return _block([styled(f"— {reason}", DIM)], width, height)
    bars = Bars(
        edges_nm=population.size_edges_nm,
        counts=population.size_histogram,
        median_nm=population.diameter_nm.d50.value,
        size_limit_nm=population.size_limit_nm,
    )
    head = [_median(population)]
    note = _limit(population)
    picture = histogram(bars, width, height - len(head) - len(note))
    return _block([*head, *picture, *note], width, height)


def _block(lines: Sequence[Text], width: int, height: int) -> list[Text]:
    filled = [*lines, *[Text()] * height][:height]
    return [fitted(line, width) for line in filled]


def _median(population: Population) -> Text:
    median = population.diameter_nm.d50
    line = Text("▲ median ") + styled(f"{median.value:.2f} nm", STRONG)
    if median.low is None or median.high is None:
        return line + styled(f" · {population.interval_method}", DIM)
    return line + Text(f"  95 % {median.low:.2f}–{median.high:.2f}")


def _limit(population: Population) -> list[Text]:
    if population.size_limit_nm is None:
        return []
    return [styled(f"truncated below {population.size_limit_nm:g} nm", DIM)]


def classes(population: Population | None, width: int, lacking: str = "") -> list[Text]:
    """One line per class: letter, words, count, share, bar; no count while it is reckoned."""
    counts = population.class_counts if population else {}
    total = sum(counts.values())
    known = population is not None or lacking != RECKONED
    return [
        _class_line(name, counts.get(name, 0) if known else None, total, width)
        for name in CLASS_NAMES
    ]


def _class_line(name: str, count: int | None, total: int, width: int) -> Text:
    mark = CLASS_MARKS[name]
    line = styled(f"{mark.sign} ", f"bold {hex_colour(mark.colour)}")
    line.append(f"{mark.words:<18}{'—' if count is None else count:>6} ")
    if count is None:
        return fitted(line, width)
    if total == 0:
        return fitted(line.append("  — ", style=DIM), width)
    line.append(f"{_percent(count / total):>3} % ")
    room = max(0, width - line.cell_len)
    line.append(_bar(count / total, room), style=hex_colour(mark.colour))
    return fitted(line, width)


def _bar(share: float, width: int) -> str:
    eighths = max(1, round(share * width * 8)) if share > 0 else 0
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def fractions(
    population: Population | None, bundle: BundleLine | None, width: int, lacking: str = ""
) -> list[Text]:
    """The two numbers of the paper with their intervals, and what the classifier makes of one."""
    waits = RECKONED if population is None and lacking == RECKONED else None
    observable = population.observable_fraction if population else None
    fault = population.stacking_fault_fraction if population else None
    accuracy = bundle.balanced_accuracy if bundle else None
    trust = "" if accuracy is None else f" · balanced accuracy {accuracy:.2f}"
    return [
        _proportion("observable fraction", observable, waits or "none crystalline", width),
        fitted(Text("visible faults among observable particles"), width),
        _proportion("  classified", fault, waits or "none observable yet", width),
        _corrected(fault.corrected if fault else Corrected(reason=waits), trust, width),
    ]


def interval_of(fraction: Fraction) -> tuple[float, float, str] | None:
    """The 95 % interval of a fraction and how it was made: over fields where there are enough."""
    for each, method in ((fraction.by_field, "over fields of view"), (fraction.wilson, "Wilson")):
        if each.low is not None and each.high is not None:
            return each.low, each.high, method
    return None


def _proportion(words: str, fraction: Fraction | None, reason: str, width: int) -> Text:
    line = Text(f"{words:<{_LABEL}} ")
    if fraction is None or fraction.wilson.value is None:
        return fitted(line + styled(f"— {reason}", DIM), width)
    line += styled(f"{_percent(fraction.wilson.value)} %", STRONG)
    if interval := interval_of(fraction):
        line += Text(f" [{_percent(interval[0])}–{_percent(interval[1])}]")
    of = styled(f" {fraction.wilson.count}/{fraction.wilson.total}", DIM)
    return fitted(line + of if line.cell_len + of.cell_len <= width else line, width)


def _corrected(corrected: Corrected, trust: str, width: int) -> Text:
    line = Text(f"{'  corrected':<{_LABEL}} ")
    if corrected.value is None:
        reason = corrected.reason or "none observable yet"
        return fitted(line + styled(f"— {reason}", DIM), width)
    line += styled(f"{_percent(corrected.value)} %", STRONG)
    if corrected.low is not None and corrected.high is not None:
        line += Text(f" [{_percent(corrected.low)}–{_percent(corrected.high)}]")
    line += styled(f" {corrected.source}", DIM)
    whole = line + styled(trust, DIM)
    return fitted(whole if whole.cell_len <= width else line, width)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"


def left_out_title(population: Population | None) -> str:
    """How many of the regions found are in no figure above."""
    if population is None:
        return "left out"
    return f"left out · {sum(population.excluded.values())} of {population.found} found"


def left_out(population: Population | None, width: int, lacking: str = "") -> list[Text]:
    """What is in no figure above, by reason; and what has no class."""
    if population is None:
        reason = RECKONED if lacking == RECKONED else "nothing analysed yet"
        return [fitted(styled(f" — {reason}", DIM), width)]
    parts = [
        Text(f"{count} {EXCLUSION_WORDS.get(reason, reason.replace('_', ' '))}")
        for reason, count in population.excluded.items()
        if count
    ]
    if population.unclassified:
        parts.append(Text(f"{population.unclassified} more without a class"))
    return wrapped(parts or [styled("nothing", DIM)], width, separator=" · ")
