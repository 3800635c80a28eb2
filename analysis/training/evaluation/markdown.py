"""Words and tables of the report."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.training.evaluation.intervals import Estimate

ABSENT = "–"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as GitHub reads it: the first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return ABSENT if value is None or not math.isfinite(value) else _signed(f"{value:.{digits}f}")


def percent(value: float | None, digits: int = 1) -> str:
    """A share in per cent."""
    return (
        ABSENT if value is None or not math.isfinite(value) else f"{number(100 * value, digits)} %"
    )


def interval(estimate: Estimate, digits: int = 3) -> str:
    """A value with its interval, where it has one."""
    value = number(estimate.value, digits)
    if not math.isfinite(estimate.low):
        return value
    return f"{value} [{number(estimate.low, digits)}, {number(estimate.high, digits)}]"


def percent_interval(estimate: Estimate, digits: int = 1) -> str:
    """A share in per cent with its interval, where it has one."""
    value = percent(estimate.value, digits)
    if not math.isfinite(estimate.low):
        return value
    return f"{value} [{number(100 * estimate.low, digits)}, {number(100 * estimate.high, digits)}]"


def picture(path: Path, report: Path, words: str) -> str:
    """A picture beside the report, with words for those who do not see it."""
    return f"![{words}]({path.relative_to(report.parent).as_posix()})"


def notes(path: Path | None) -> Mapping[str, str]:
    """What people wrote to go into the report: paragraphs by the `## key` above them.

    Raises:
        OSError: there is such a file, and it cannot be read.
    """
    if path is None or not path.exists():
        return {}
    parts = re.split(r"^## +(.+?) *$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {key.strip(): text.strip() for key, text in zip(parts[1::2], parts[2::2], strict=True)}


def _signed(text: str) -> str:
    """With a minus sign that is one; −0.00 has none."""
    if not text.startswith("-"):
        return text
    return text[1:] if float(text) == 0 else f"−{text[1:]}"
