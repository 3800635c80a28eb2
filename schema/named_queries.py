"""Questions that are asked again and again, each with a name, in plain SQL.

The text is data, `named_queries.toml`: the command line and Datasette ask the very same.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, kw_only=True)
class NamedQuery:
    """One question; `parameters` says what each means, an empty one leaves it open.

    `numbers`: least and greatest value of those that are no text.
    """

    title: str
    description: str
    parameters: Mapping[str, str]
    numbers: Mapping[str, tuple[float, float]]
    sql: str


@cache
def named_queries() -> Mapping[str, NamedQuery]:
    """All of them by their names, in the order of the file."""
    text = files("schema").joinpath("named_queries.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    return {
        name: NamedQuery(
            title=values["title"],
            description=values["description"],
            parameters=values.get("parameters", {}),
            numbers={each: (low, high) for each, (low, high) in values.get("numbers", {}).items()},
            sql=_statement(document["beginnings"], values),
        )
        for name, values in document["queries"].items()
    }


def _statement(beginnings: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """The whole statement: the tables it begins with, its own, and what it selects from them."""
    steps = [beginnings[values["begins"]]] if "begins" in values else []
    steps += [values["steps"]] if "steps" in values else []
    with_steps = "WITH " + ",\n".join(step.strip() for step in steps) + "\n" if steps else ""
    return with_steps + str(values["sql"]).strip()
