"""Finished rows, one JSON line each: a soak that was interrupted goes on where it was."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tests.soak.row import Result

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = ("analysis", "daemon", "schema", "tests", "requirements")


def tree_state(repository: Path = REPOSITORY) -> str:
    """A name of the code as it lies there: a result speaks of no other."""
    digest = hashlib.sha256()
    for part in CODE:
        files = (path for path in (repository / part).rglob("*") if path.is_file())
        for path in sorted(files):
            if "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(repository)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


class Notebook:
    """The results of one state of the code.

    Args:
        path: of the JSON lines; results of other states of the code stay in it.
        tree: from `tree_state`.
    """

    def __init__(self, path: Path, tree: str) -> None:
        self._path = path
        self._tree = tree

    def results(self) -> dict[str, Result]:
        """Row number → its last result."""
        if not self._path.exists():
            return {}
        lines = self._path.read_text(encoding="utf-8").splitlines()
        found = [Result(**json.loads(line)) for line in lines]
        return {result.number: result for result in found if result.tree == self._tree}

    def add(self, result: Result) -> None:
        """Write a finished row down at once."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(result)) + "\n")

    def begin_again(self) -> None:
        """Forget every result."""
        if self._path.exists():
            self._path.unlink()


def table(results: Iterable[Result]) -> str:
    """The rows for a decision page or an issue, in Markdown."""
    lines = ["| # | test | size | result | seconds |", "|---|---|---|---|---|"]
    for result in results:
        word = "passed" if result.passed else "**failed**"
        sentence = result.sentence.replace("|", "\\|")
        cells = (result.number, result.test, result.size, f"{word}: {sentence}")
        lines.append(f"| {' | '.join(cells)} | {result.seconds:.0f} |")
    return "\n".join(lines)
