"""What stands in each column of the views: its unit, its kind, what it means and who says so.

The text is data, `dictionary.toml`. It goes beside every export, into Parquet and to Datasette.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

VIEWS = ("current_particle", "current_micrograph")
BOTH = "both"


class Kind(StrEnum):
    """How a value is stored; `path` is bytes, the two times are ISO 8601 text."""

    INTEGER = "integer"
    REAL = "real"
    FLAG = "flag"
    TEXT = "text"
    PATH = "path"
    UTC = "utc"
    LOCAL = "local"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One column; `unit` is 1 for a plain number and for what is no number."""

    unit: str
    kind: Kind
    definition: str
    source: str


@cache
def columns_of(view: str) -> Mapping[str, Entry]:
    """The entry of each column of a view, by its name.

    Raises:
        ValueError: there is no such view.
    """
    if view not in VIEWS:
        raise ValueError(f"no view {view!r}")
    text = files("schema").joinpath("dictionary.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    return {
        name: Entry(**values | {"kind": Kind(values["kind"])})
        for name, values in (tables[BOTH] | tables[view]).items()
    }
