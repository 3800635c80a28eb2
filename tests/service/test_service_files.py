"""The files an operator installs say what the program does."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from daemon import config

SERVICE = Path(__file__).resolve().parents[2] / "service"
TOML = SERVICE / "fringewatch.toml"
UNIT = SERVICE / "fringewatch.service"

SECTIONS = {
    "state": config.StateConfig,
    "watch": config.WatchConfig,
    "intake": config.IntakeConfig,
    "analysis": config.AnalysisConfig,
    "limits": config.LimitsConfig,
    "log": config.LogConfig,
}


def sections_as_written(text: str) -> dict[str, dict[str, object]]:
    """Every table of the file, the keys that stand behind a `#` included."""
    shown = [line.removeprefix("# ") if " = " in line else line for line in text.splitlines()]
    document = tomllib.loads("\n".join(shown))
    return {name: table[0] if name == "watch" else table for name, table in document.items()}


def test_the_shipped_configuration_is_accepted():
    loaded = config.load(TOML)
    assert loaded.state.folder == Path("/var/lib/fringewatch")
    assert len(loaded.watch) == 1


def test_the_shipped_configuration_has_every_section():
    assert set(config.Config.model_fields) == set(SECTIONS)
    assert set(sections_as_written(TOML.read_text())) == set(SECTIONS)


@pytest.mark.parametrize(("name", "section"), SECTIONS.items())
def test_every_key_is_shown_and_no_other(name: str, section: type[BaseModel]):
    assert set(sections_as_written(TOML.read_text())[name]) == set(section.model_fields)


@pytest.mark.parametrize("name", ["intake", "analysis", "limits", "log"])
def test_what_is_shown_is_the_default(name: str):
    assert getattr(config.load(TOML), name) == SECTIONS[name]()


def test_the_watched_folder_has_the_defaults_too():
    (watch,) = config.load(TOML).watch
    assert watch == config.WatchConfig(folder=watch.folder)


def test_every_key_has_its_reason_above_it():
    lines = TOML.read_text().splitlines()
    keys = [i for i, line in enumerate(lines) if " = " in line]
    bare = [lines[i] for i in keys if not lines[i - 1].startswith("# ")]
    assert bare == ['folder = "/data/microscope"']  # explained above its table


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path):
    systemd_analyze = shutil.which("systemd-analyze")
    if systemd_analyze is None:
        pytest.skip("systemd-analyze is not installed")
    # The program lies elsewhere here, and the user need not exist.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/fringewatch/bin/fringewatch", "/bin/true"))
    verdict = subprocess.run(
        [systemd_analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert verdict.stderr == ""
    assert verdict.returncode == 0


def test_the_unit_stops_for_a_person_and_waits_for_the_daemon():
    unit = UNIT.read_text().splitlines()
    assert "RestartPreventExitStatus=78" in unit
    assert "TimeoutStopSec=45" in unit
