"""The page on security names nothing that is not there."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "security.md"
ANCHOR = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")


def is_there(file: str, name: str) -> bool:
    """Whether a module defines a function or class of this name, or is there at all."""
    path = REPOSITORY / file
    if not path.is_file():
        return False
    return not name or re.search(rf"^\s*(def|class) {name}\b", path.read_text(), re.M) is not None


def test_everything_the_page_names_is_there():
    anchors = ANCHOR.findall(PAGE.read_text(encoding="utf-8"))
    assert len(anchors) > len(PAGE.read_text(encoding="utf-8").splitlines()) / 2
    assert [anchor for anchor in anchors if not is_there(*anchor)] == []


def test_every_line_of_the_table_names_a_test():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert [row for row in rows[2:] if "`tests/" not in row.rpartition(" | ")[2]] == []
