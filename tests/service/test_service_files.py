"""The files an operator installs say what the program does."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from daemon import config
from daemon.alarms import AlarmKind
from schema.records import FileState

SERVICE = Path(__file__).resolve().parents[2] / "service"
TOML = SERVICE / "fringewatch.toml"
UNIT = SERVICE / "fringewatch.service"

SECTIONS = {
    "state": config.StateConfig,
    "watch": config.WatchConfig,
    "intake": config.IntakeConfig,
    "analysis": config.AnalysisConfig,
    "limits": config.LimitsConfig,
    "overlays": config.OverlaysConfig,
    "alerts": config.AlertsConfig,
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


@pytest.mark.parametrize("name", ["intake", "analysis", "limits", "overlays", "alerts", "log"])
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


def test_the_relay_of_alerts_is_one_that_systemd_takes(tmp_path: Path):
    systemd_analyze = shutil.which("systemd-analyze")
    if systemd_analyze is None:
        pytest.skip("systemd-analyze is not installed")
    page = (SERVICE / "OPERATING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```ini\n# /etc/systemd/system/(\S+)\n(.*?)```", page, flags=re.DOTALL)
    assert [name for name, _ in blocks] == [
        "fringewatch-alert.socket",
        "fringewatch-alert@.service",
    ]
    for name, text in blocks:
        (tmp_path / name).write_text(text.replace("/usr/bin/curl", "/bin/true"))
    verdict = subprocess.run(
        [systemd_analyze, "verify", "--man=no", tmp_path / "fringewatch-alert.socket"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    assert verdict.stderr == ""
    assert verdict.returncode == 0


def test_the_operator_is_told_what_every_alert_means():
    page = (SERVICE / "OPERATING.md").read_text(encoding="utf-8")
    table = page.split("| kind | key |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", table, flags=re.MULTILINE)
    assert [kind for kind, _ in rows] == [kind.value for kind in AlarmKind]
    limits = set(config.AlertsConfig.model_fields) - {"command", "every_seconds"}
    assert {key for _, key in rows} == limits


def test_the_unit_stops_for_a_person_and_waits_for_the_daemon():
    unit = UNIT.read_text().splitlines()
    assert "RestartPreventExitStatus=78" in unit
    assert "TimeoutStopSec=45" in unit


MOST_EXPOSED = 1.5  # on the scale of systemd-analyze from 0 to 10; a bare unit has 9.6


def test_the_unit_leaves_little_exposed():
    systemd_analyze = shutil.which("systemd-analyze")
    if systemd_analyze is None:
        pytest.skip("systemd-analyze is not installed")
    verdict = subprocess.run(
        [systemd_analyze, "security", "--offline=true", UNIT],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for fringewatch.service: ([0-9.]+)", verdict.stdout)
    assert found is not None, verdict.stdout + verdict.stderr
    assert float(found[1]) <= MOST_EXPOSED


def test_tensorflow_is_left_able_to_run():
    """It crashes where memory can never become executable, and finds no GPU without /proc."""
    keys = {line.split("=")[0] for line in UNIT.read_text().splitlines()}
    assert keys.isdisjoint({"MemoryDenyWriteExecute", "ProcSubset", "PrivateDevices"})


def install(root: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", SERVICE / "install.sh", "--files-only", "--root", root]
    command += ["--python", sys.executable]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_the_installer_puts_everything_in_its_place(tmp_path: Path):
    install(tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {
        "etc/fringewatch/fringewatch.toml",
        "etc/systemd/system/fringewatch.service",
        "etc/systemd/system/fringewatch.service.d/folders.conf",
        "usr/lib/sysusers.d/fringewatch.conf",
        "usr/lib/tmpfiles.d/fringewatch.conf",
    }


def test_an_environment_is_made_only_where_it_will_run(tmp_path: Path):
    command = ["sh", SERVICE / "install.sh", "--root", tmp_path, "--python", sys.executable]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "--files-only" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_an_upgrade_keeps_the_configuration_and_tells_systemd_of_its_folders(tmp_path: Path):
    install(tmp_path)
    written = tmp_path / "etc/fringewatch/fringewatch.toml"
    mine = '[[watch]]\nfolder = "/data/100% \\"Au\\""\n[[watch]]\nfolder = "../acq"\n[intake]\n'
    mine += '[overlays]\nfolder = "../seen 1"\n'
    written.write_text(mine)
    assert "is kept as it is" in install(tmp_path).stdout
    assert written.read_text() == mine
    assert (written.parent / "fringewatch.toml.shipped").read_text() == TOML.read_text()
    folders = tmp_path / "etc/systemd/system/fringewatch.service.d/folders.conf"
    lines = folders.read_text().splitlines()
    assert [line for line in lines if "=" in line] == [
        'ReadOnlyPaths="-/data/100%% \\"Au\\""',
        'ReadOnlyPaths="-/etc/acq"',
        'ReadWritePaths="-/etc/seen 1"',
    ]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A folder with the user of the service, as below `/`."""
    if shutil.which("systemd-sysusers") is None or os.geteuid() != 0:
        pytest.skip("systemd-sysusers is not installed, or this is not root")
    (tmp_path / "etc").mkdir()
    command = ["systemd-sysusers", f"--root={tmp_path}", SERVICE / "fringewatch.sysusers"]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path


def test_systemd_makes_the_user_and_its_group(image: Path):
    for name in ("passwd", "group"):
        assert "fringewatch:" in (image / "etc" / name).read_text()


def test_systemd_makes_the_state_folder_for_the_group_alone(image: Path):
    command = ["systemd-tmpfiles", "--create", f"--root={image}", SERVICE / "fringewatch.tmpfiles"]
    subprocess.run(command, check=True, capture_output=True)
    state = image / "var/lib/fringewatch"
    assert state.stat().st_mode & 0o777 == 0o750
    assert (state / "requests").stat().st_mode & 0o777 == 0o770


def test_the_operator_is_told_what_every_state_means():
    page = (SERVICE / "OPERATING.md").read_text(encoding="utf-8")
    table = page.split("## What each state means")[1].split("##")[0]
    firsts = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    told = {name.strip() for cell in firsts for name in cell.split(",")}
    assert told - {"state", "---"} == {state.value for state in FileState}
