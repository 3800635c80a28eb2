"""Scores on disc, one JSON line each: an evaluation that was stopped goes on where it was.

A score is looked up by method, case and the code that made it, so a changed pipeline is judged
anew and nothing has to be deleted by hand.
"""

import ast
import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import analysis
from analysis.training.evaluation.cases import CaseSource
from analysis.training.evaluation.methods import Method
from analysis.training.evaluation.scores import CaseScore, as_json, from_json, score

CODE = (
    "*.py",
    "simulation/*.py",
    "training/fit_forest.py",
    "training/micrographs.py",
    "training/evaluation/carbon.py",
    "training/evaluation/cases.py",
    "training/evaluation/methods.py",
    "training/evaluation/scores.py",
)
Progress = Callable[[str, int, int], None]


class Records:
    """What is known of each method, in a folder: one file a method, lines only ever added."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._known: dict[str, dict[str, dict[str, Any]]] = {}

    def find(self, identity: str, key: str) -> dict[str, Any] | None:
        """What was kept under this key, or None."""
        return self._of(identity).get(key)

    def keep(self, identity: str, key: str, value: dict[str, Any]) -> None:
        """Keep a value; it is on disc when this returns."""
        line = json.dumps({"key": key, "value": value}, separators=(",", ":"))
        with self._path(identity).open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        self._of(identity)[key] = value

    def _of(self, identity: str) -> dict[str, dict[str, Any]]:
        if identity not in self._known:
            self._known[identity] = self._read(identity)
        return self._known[identity]

    def _read(self, identity: str) -> dict[str, dict[str, Any]]:
        """Every whole line; one that was cut short, by a stop in its middle, is done again."""
        path = self._path(identity)
        known: dict[str, dict[str, Any]] = {}
        if not path.exists():
            return known
        text = path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):
            text = text[: text.rfind("\n") + 1]
            path.write_text(text, encoding="utf-8")
        for line in text.splitlines():
            entry = json.loads(line)
            known[entry["key"]] = entry["value"]
        return known

    def _path(self, identity: str) -> Path:
        return self._folder / f"{identity}.jsonl"


def scored(
    records: Records,
    sources: Sequence[CaseSource],
    methods: Sequence[Method],
    progress: Progress,
    stage: str,
    margin_nm: float | None = None,
) -> dict[str, list[CaseScore]]:
    """Scores of each method, by its name, on every case; a case is made once for all methods.

    Args:
        records: what is known already is not done again.
        sources: of the cases.
        methods: with names of their own.
        progress: called with (stage, cases done, cases in all).
        stage: for people.
        margin_nm: as in `scores.score`.
    """
    found: dict[str, list[CaseScore]] = {method.name: [] for method in methods}
    for number, source in enumerate(sources, start=1):
        case = None
        key = f"{source.key}/{margin_nm}/{code_digest()}"
        for method in methods:
            kept = records.find(method.identity, key)
            if kept is None:
                case = source.make() if case is None else case
                kept = as_json(score(source.key, case, method.find(case), margin_nm))
                records.keep(method.identity, key, kept)
            found[method.name].append(from_json(kept))
        progress(stage, number, len(sources))
    return found


@cache
def code_digest() -> str:
    """Of the code that decides a score, comments and layout aside."""
    root = Path(analysis.__file__).parent
    paths = sorted({path for pattern in CODE for path in root.glob(pattern)})
    digest = hashlib.sha256()
    for path in paths:
        digest.update(ast.dump(ast.parse(path.read_text(encoding="utf-8"))).encode())
    return digest.hexdigest()[:16]
