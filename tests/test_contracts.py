"""The rules that tools hold for us: each is broken once here, and must be noticed."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent
PACKAGES = ("analysis", "schema", "daemon")


def ruff_complaints(source: str) -> str:
    """What ruff says of a module of `analysis` with this text."""
    command = [
        TOOLS / "ruff",
        "check",
        "--output-format=concise",
        "--stdin-filename=analysis/x.py",
        "-",
    ]
    verdict = subprocess.run(
        command, input=source, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return verdict.stdout


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("import pickle", "TID251"),
        ("import joblib", "TID251"),
        ("import cloudpickle", "TID251"),
        ("import marshal", "TID251"),
        ("import pickle as numbers", "TID251"),
        ("from keras.models import load_model", "TID251"),
        ("import keras\n\nkeras.models.load_model('model.h5')", "TID251"),
        ("import keras\n\nkeras.saving.load_model('model.h5')", "TID251"),
        ("import yaml\n\nyaml.load('a: 1')", "S506"),
        ("eval('1 + 1')", "S307"),
        ("import builtins\n\nbuiltins.eval('1 + 1')", "TID251"),
        ("exec('x = 1')", "S102"),
        ("print('a number')", "T201"),
        ("from datetime import datetime\n\ndatetime.now()", "DTZ005"),
        ("import numpy as np\n\nnp.random.rand(3)", "NPY002"),
        ("from .errors import AnalysisError", "TID252"),
    ],
)
def test_the_linter_refuses(line: str, rule: str):
    assert rule in ruff_complaints(f'"""A module."""\n\n{line}\n')


@pytest.mark.parametrize(
    ("module", "forbidden", "contract"),
    [
        ("analysis/errors.py", "schema.records", "analysis knows physics and pictures"),
        ("analysis/errors.py", "daemon.config", "analysis knows physics and pictures"),
        ("analysis/preprocess.py", "analysis.pipeline", "inside analysis imports point down"),
        ("schema/errors.py", "analysis.errors", "schema knows rows and files of results"),
        ("schema/errors.py", "daemon.config", "schema knows rows and files of results"),
        ("schema/errors.py", "tensorflow", "schema knows rows and files of results"),
        ("schema/records.py", "schema.store", "inside schema imports point down"),
        ("schema/migrations/env.py", "schema.tables", "a migration carries its own frozen tables"),
        ("daemon/errors.py", "daemon.cli", "inside daemon no imports go round in circles"),
        ("daemon/live.py", "analysis.pipeline", "analysis and schema meet in daemon.record"),
        ("daemon/parser.py", "schema.store", "the children of daemon know no rows"),
    ],
)
def test_the_import_contracts_refuse(tmp_path: Path, module: str, forbidden: str, contract: str):
    for package in PACKAGES:
        shutil.copytree(
            REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a", encoding="utf-8") as source:
        source.write(f"\nimport {forbidden}\n")
    verdict = subprocess.run(
        [TOOLS / "lint-imports", "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{contract} BROKEN" in verdict.stdout
    assert verdict.returncode == 1


# What unpickles: between the daemon and its own children alone, and never what the parser says.
SPEAK_IN_PICKLES = {
    "daemon/children.py",
    "daemon/painter.py",
    "daemon/parser.py",
    "daemon/worker.py",
}
ALLOW_PICKLE_AT = 2  # among the arguments of `numpy.load`


def unpickling(source: str) -> list[str]:
    """The calls of a module that may run code from what they read, which no rule of ruff knows."""
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
        allowed = [word.value for word in call.keywords if word.arg == "allow_pickle"]
        if name == "load":
            allowed += call.args[ALLOW_PICKLE_AT:]
        is_safe = all(isinstance(value, ast.Constant) and value.value is False for value in allowed)
        if not is_safe or name == "recv":
            found.append(name)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "np.load(path, allow_pickle=True)",
        "np.load(path, None, True)",
        "np.load(path, allow_pickle=trusted)",
        "np.lib.format.read_array(stream, allow_pickle=1)",
        "connection.recv()",
    ],
)
def test_a_call_that_unpickles_is_seen(line: str):
    assert unpickling(line)


@pytest.mark.parametrize("line", ["np.load(path, allow_pickle=False)", "np.load(path, 'r')"])
def test_a_call_that_reads_numbers_is_not(line: str):
    assert not unpickling(line)


def test_nothing_unpickles_but_the_daemon_what_its_own_children_say():
    modules = [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]
    found = {
        str(path.relative_to(REPOSITORY)): set(calls)
        for path in modules
        if (calls := unpickling(path.read_text(encoding="utf-8")))
    }
    assert found == {module: {"recv"} for module in SPEAK_IN_PICKLES}
