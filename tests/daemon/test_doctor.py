"""The doctor sees what is wrong, and changes nothing."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.clock import SYSTEM_CLOCK, Clock
from daemon.config import (
    AlertsConfig,
    AnalysisConfig,
    Config,
    LimitsConfig,
    OverlaysConfig,
    StateConfig,
    WatchConfig,
)
from daemon.doctor import examine
from daemon.findings import Finding, Health
from daemon.owning import own_state
from daemon.roots import Root
from schema import store, watched
from schema.records import WatchedFolderRecord
from schema.state import StateFolder
from tests.daemon.moments import NOW
from tests.daemon.results import result_of, seen
from tests.schema.examples import leave_masks, origin


class Patient:
    """A state folder with one result, and what the doctor says of it."""

    def __init__(self, state: StateFolder, folder: Path) -> None:
        self.state = state
        self.config = Config(
            state=StateConfig(folder=state.path),
            watch=(WatchConfig(folder=folder),),
            limits=LimitsConfig(min_free_fraction=0.0),
        )
        self.clock = SYSTEM_CLOCK
        record = result_of("1" * 64)
        with own_state(state.path, SYSTEM_CLOCK) as owned:
            leave_masks(state, record, origin())
            file_id = seen(owned.engine, b"/data/a.tif")
            with owned.engine.begin() as connection:
                store.commit_results(connection, file_id, "a" * 64, [record], NOW)
        self.masks = state.path / record.analysis.mask_path

    def findings(self, *, thorough: bool = False) -> dict[str, Finding]:
        found = examine(self.config, self.clock, thorough=thorough)
        return {finding.about: finding for finding in found}

    def health(self, about: str, *, thorough: bool = False) -> Health:
        return self.findings(thorough=thorough)[about].health


@pytest.fixture
def patient(state: StateFolder, folder: Path) -> Patient:
    return Patient(state, folder)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_who_is_well_is_told_so_and_nothing_changes(patient):
    before = contents(patient.state.path)
    found = patient.findings(thorough=True)
    assert [finding for finding in found.values() if finding.health is Health.BAD] == []
    assert {"SQLite", "database", "results", "mask files", "inotify", "GPU"} <= set(found)
    assert contents(patient.state.path) == before


def lose_masks(patient: Patient) -> None:
    patient.masks.unlink()


def damage_masks(patient: Patient) -> None:
    patient.masks.write_bytes(patient.masks.read_bytes()[:3000])


def damage_database(patient: Patient) -> None:
    size = patient.state.database.stat().st_size
    with patient.state.database.open("r+b") as stream:
        stream.seek(size // 2)
        stream.write(os.urandom(size // 4))


def lose_database(patient: Patient) -> None:
    patient.state.database.unlink()


def lose_folder(patient: Patient) -> None:
    patient.config.watch[0].folder.rmdir()


def ask_for_another_model(patient: Patient) -> None:
    analysis = AnalysisConfig(bundle="nowhere")
    patient.config = patient.config.model_copy(update={"analysis": analysis})


def ask_for_more_room(patient: Patient) -> None:
    limits = LimitsConfig(min_free_fraction=0.999)
    patient.config = patient.config.model_copy(update={"limits": limits})


def insist_on_a_gpu(patient: Patient) -> None:
    if any(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("there is one here")
    analysis = AnalysisConfig(device="gpu")
    patient.config = patient.config.model_copy(update={"analysis": analysis})


def draw_into_nowhere(patient: Patient) -> None:
    overlays = OverlaysConfig(folder=patient.state.path.parent / "nowhere")
    patient.config = patient.config.model_copy(update={"overlays": overlays})


def tell_through_nothing(patient: Patient) -> None:
    alerts = AlertsConfig(no_file_seconds=60.0, command=("/nowhere/tell",))
    patient.config = patient.config.model_copy(update={"alerts": alerts})


@pytest.mark.parametrize(
    ("harm", "about"),
    [
        (lose_masks, "results without masks"),
        (damage_masks, "mask files"),
        (damage_database, "database"),
        (lose_database, "database"),
        (lose_folder, "folder "),
        (ask_for_another_model, "model nowhere"),
        (ask_for_more_room, "free space"),
        (insist_on_a_gpu, "GPU"),
        (draw_into_nowhere, "overlays"),
        (tell_through_nothing, "alerts"),
    ],
)
def test_what_is_wrong_is_seen(patient, harm: Callable[[Patient], None], about: str):
    harm(patient)
    found = patient.findings(thorough=True)
    bad = [name for name, finding in found.items() if finding.health is Health.BAD]
    assert len(bad) == 1, found
    assert bad[0].startswith(about)


def test_pictures_and_alerts_are_looked_at_where_they_are_asked_for(patient):
    assert {"overlays", "alerts"}.isdisjoint(patient.findings())
    pictures = patient.state.path.parent / "pictures"
    pictures.mkdir()
    update = {
        "overlays": OverlaysConfig(folder=pictures),
        "alerts": AlertsConfig(no_file_seconds=60.0, command=("/bin/sh",)),
    }
    patient.config = patient.config.model_copy(update=update)
    found = patient.findings()
    assert (found["overlays"].health, found["alerts"].health) == (Health.WELL, Health.WELL)
    assert list(pictures.iterdir()) == []


def mount_point(patient: Patient) -> WatchedFolderRecord:
    """The daemon saw a share mounted over the folder, which it is not now."""
    folder = os.fsencode(patient.config.watch[0].folder)
    source = b"cifs //scope/data"
    return WatchedFolderRecord(
        configured=folder, path=folder, mount_point=folder, mount_source=source
    )


def on_a_disk(patient: Patient) -> WatchedFolderRecord:
    """The daemon saw the folder on a disk that is still there."""
    return Root.of(patient.config.watch[0]).record


def remember(patient: Patient, record: WatchedFolderRecord) -> None:
    with own_state(patient.state.path, SYSTEM_CLOCK) as owned, owned.engine.begin() as connection:
        watched.remember(connection, record, NOW)


def test_the_bare_mount_point_of_a_share_is_not_well(patient, folder):
    remember(patient, mount_point(patient))
    found = patient.findings()[f"folder {folder}"]
    assert found.health is Health.BAD
    assert found.words == f"nothing is mounted at {folder}"


def test_a_folder_as_the_daemon_saw_it_is_well_and_one_that_is_gone_is_not(patient, folder):
    remember(patient, on_a_disk(patient))
    assert patient.health(f"folder {folder}") is Health.WELL
    folder.rmdir()
    found = patient.findings()[f"folder {folder}"]
    assert found.health is Health.BAD
    assert "No such file" in found.words


def test_a_share_that_does_not_answer_holds_up_nobody(patient, folder, monkeypatch):
    goes_on = threading.Event()
    monkeypatch.setattr("daemon.doctor.RESOLVE_SECONDS", 0.1)
    monkeypatch.setattr("daemon.doctor.look", lambda _: goes_on.wait(60))
    found = patient.findings()
    goes_on.set()
    assert found[f"folder {folder}"].health is Health.BAD
    assert "no answer" in found[f"folder {folder}"].words


def test_leftovers_are_noted(patient):
    (patient.masks.parent / "other.h5").touch()
    (patient.masks.parent / ".unfinished-1-a.h5").touch()
    found = patient.findings()
    assert found["masks without results"].health is Health.NOTE
    assert "other.h5" in found["masks without results"].words
    assert "1 more" not in found["unfinished files"].words


def test_a_clock_ahead_of_ours_is_noted(patient, folder):
    (folder / "a.dm4").touch()
    behind = Clock(
        utc=lambda: SYSTEM_CLOCK.utc() - timedelta(hours=1), monotonic=SYSTEM_CLOCK.monotonic
    )
    assert f"folder {folder}" in patient.findings()
    assert "ahead" not in patient.findings()[f"folder {folder}"].words
    patient.clock = behind
    assert "3600 s ahead" in patient.findings()[f"folder {folder}"].words


def test_a_state_folder_that_is_not_there_yet_is_no_fault(tmp_path):
    config = Config(state=StateConfig(folder=tmp_path / "none"))
    (finding,) = (f for f in examine(config, SYSTEM_CLOCK, thorough=True) if "state" in f.about)
    assert finding.health is Health.NOTE
    assert not (tmp_path / "none").exists()
