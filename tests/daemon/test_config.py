"""A configuration is read whole or refused with the key that is wrong."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from daemon import config
from daemon.config import Config, checked, load
from daemon.errors import ConfigError, Exit


@pytest.fixture
def written(tmp_path: Path):
    """Writes a configuration and gives its path."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "etc" / "fringewatch.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_an_empty_file_is_the_defaults(written):
    assert load(written("")) == Config()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[intake]\nquiet_secs = 2", "intake.quiet_secs"),
        ("[watching]\n", "watching"),
        ('[[watch]]\nfolder = "/a"\nrecursiv = true', "watch.0.recursiv"),
    ],
)
def test_an_unknown_key_is_named(written, text, key):
    with pytest.raises(ConfigError, match=f"unknown key '{key}'") as error:
        load(written(text))
    assert error.value.exit_code == Exit.NEEDS_A_PERSON


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[intake]\nquiet_seconds = 0", "intake.quiet_seconds"),
        ("[intake]\nwalk_seconds = -1", "intake.walk_seconds"),
        ("[intake]\nwalk_seconds = inf", "intake.walk_seconds"),
        ("[intake]\nwalk_seconds = nan", "intake.walk_seconds"),
        ("[intake]\nretry_seconds = [10, -1]", "intake.retry_seconds.1"),
        ("[intake]\nretry_seconds = [1e300]", "intake.retry_seconds.0"),
        ('[intake]\npoll = "sometimes"', "intake.poll"),
        ('[[watch]]\nfolder = "/a"\npixel_size_nm = 0', "watch.0.pixel_size_nm"),
        ('[[watch]]\nfolder = "/a"\npixel_size_nm = 1000', "watch.0.pixel_size_nm"),
        ("[[watch]]\nrecursive = true", "watch.0.folder"),
        ("[analysis]\nthreshold = 1.0", "analysis.threshold"),
        ('[analysis]\ndevice = "tpu"', "analysis.device"),
        ('[analysis]\npreprocess = "mine"', "analysis.preprocess"),
        ("[limits]\nfile_bytes = 0", "limits.file_bytes"),
        ("[alerts]\nno_file_seconds = 0", "alerts.no_file_seconds"),
        ("[alerts]\nfailures_per_hour = 0", "alerts.failures_per_hour"),
        ("[alerts]\nfree_fraction_below = 1", "alerts.free_fraction_below"),
        ("[alerts]\nfault_fraction_above = 1", "alerts.fault_fraction_above"),
        ("[alerts]\nfields_without_observable = 0", "alerts.fields_without_observable"),
        ("[alerts]\nevery_seconds = nan", "alerts.every_seconds"),
        ('[alerts]\ncommand = "/bin/true"', "alerts.command"),
        ('[log]\nlevel = "loud"', "log.level"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(written, text, key):
    with pytest.raises(ConfigError, match=rf"{key}: "):
        load(written(text))


@pytest.mark.parametrize("text", ["[intake", b"\xff", "a = 1\na = 2"])
def test_what_is_no_toml_is_said_so(written, text):
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load(written(text))


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match="No such file or directory"):
        load(tmp_path / "nowhere.toml")


def test_relative_folders_start_at_the_files_own_folder(written, tmp_path, monkeypatch):
    path = written(
        '[state]\nfolder = "state"\n[[watch]]\nfolder = "../acq"\n[analysis]\nbundle = "models/a"'
    )
    monkeypatch.chdir("/")
    loaded = load(path)
    assert loaded.state.folder == tmp_path / "etc" / "state"
    assert loaded.watch[0].folder.resolve() == tmp_path / "acq"
    assert loaded.analysis.bundle == str(tmp_path / "etc" / "models" / "a")


def test_a_tilde_is_the_users_home(written, monkeypatch):
    monkeypatch.setenv("HOME", "/users/anna")
    assert load(written('[state]\nfolder = "~/fw"')).state.folder == Path("/users/anna/fw")


@pytest.mark.parametrize("folder", ["~nobody_of_this_name/fw", "with\\u0000nul", "circle/a"])
def test_a_folder_that_cannot_be_is_said_so(written, folder):
    path = written(f'[state]\nfolder = "{folder}"')
    (path.parent / "circle").symlink_to("circle")
    if folder.startswith("circle") and not _circles_are_errors(path.parent / "circle"):
        pytest.skip("this Python resolves a circle of links")
    with pytest.raises(ConfigError, match="the folder"):
        load(path)


def _circles_are_errors(link: Path) -> bool:
    try:
        link.resolve()
    except (OSError, RuntimeError):
        return True
    return False


def config_of(state: Path, *folders: Path) -> Config:
    return Config.model_validate(
        {"state": {"folder": state}, "watch": [{"folder": folder} for folder in folders]}
    )


def test_folders_side_by_side_live_together(tmp_path):
    folders = (tmp_path / "a", tmp_path / "ab")
    assert checked(config_of(tmp_path / "state", *folders)).watch[1].folder == tmp_path / "ab"


@pytest.mark.parametrize("state", [".", "state", "deep/er/state"])
def test_results_are_never_watched(tmp_path, state):
    with pytest.raises(ConfigError, match="lies inside the watched folder"):
        checked(config_of(tmp_path / "acq" / state, tmp_path / "acq"))


@pytest.mark.parametrize("watched", ["spool", "masks/2026-03-01"])
def test_nothing_inside_the_state_folder_is_watched(tmp_path, watched):
    with pytest.raises(ConfigError, match="lies inside the state folder"):
        checked(config_of(tmp_path / "state", tmp_path / "state" / watched))


def test_the_log_is_not_written_into_a_watched_folder(tmp_path):
    config = config_of(tmp_path / "state", tmp_path / "acq")
    log = config.log.model_copy(update={"file": tmp_path / "acq" / "logs" / "fringewatch.log"})
    with pytest.raises(ConfigError, match="lies inside the watched folder"):
        checked(config.model_copy(update={"log": log}))


def with_overlays(plain: Config, folder: Path) -> Config:
    return plain.model_copy(update={"overlays": config.OverlaysConfig(folder=folder)})


@pytest.mark.parametrize("overlays", ["acq", "acq/overlays", "link/overlays", ".", "state"])
def test_overlays_are_never_drawn_where_they_are_watched_or_above_raw_files(tmp_path, overlays):
    (tmp_path / "acq").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "acq")
    plain = config_of(tmp_path / "state", tmp_path / "acq")
    with pytest.raises(ConfigError, match=r"lies? inside the"):
        checked(with_overlays(plain, tmp_path / overlays))


def test_overlays_do_not_lie_above_a_watched_folder(tmp_path):
    plain = config_of(tmp_path / "state", tmp_path / "data" / "acq")
    with pytest.raises(ConfigError, match=r"the watched folder .* lies inside the overlays"):
        checked(with_overlays(plain, tmp_path / "data"))


@pytest.mark.parametrize("own", ["masks", "masks/2026-03-01", "spool/x", "requests"])
def test_overlays_are_kept_apart_from_what_the_state_folder_has_of_its_own(tmp_path, own):
    plain = config_of(tmp_path / "state", tmp_path / "acq")
    with pytest.raises(ConfigError, match="has its own files"):
        checked(with_overlays(plain, tmp_path / "state" / own))


@pytest.mark.parametrize("overlays", ["overlays", "acq_overlays", "state/overlays"])
def test_overlays_may_lie_elsewhere(tmp_path, overlays):
    plain = config_of(tmp_path / "state", tmp_path / "acq")
    assert checked(with_overlays(plain, tmp_path / overlays)).overlays.folder is not None


def test_a_relative_folder_of_overlays_starts_at_the_files_own_folder(written, tmp_path):
    loaded = load(written('[overlays]\nfolder = "../overlays"'))
    assert loaded.overlays.folder.resolve() == tmp_path / "overlays"


@pytest.mark.parametrize(
    ("alerts", "message"),
    [
        ("failures_per_hour = 5", "has no command"),
        ('command = ["/bin/true"]', "has no limit"),
        ('command = ["tell"]\nfailures_per_hour = 5', "the whole path"),
        ('command = [""]\nfailures_per_hour = 5', "the whole path"),
        ('command = ["/bin/true", "a\\u0000b"]\nfailures_per_hour = 5', "NUL"),
    ],
)
def test_alerts_that_would_never_be_told_are_refused(written, alerts, message):
    with pytest.raises(ConfigError, match=message):
        load(written(f"[alerts]\n{alerts}"))


def test_alerts_are_asked_for_where_a_limit_is_set(written):
    assert not Config().alerts.is_asked_for
    loaded = load(written('[alerts]\ncommand = ["/bin/true"]\nfree_fraction_below = 0.1'))
    assert loaded.alerts.is_asked_for


@pytest.mark.parametrize("second", ["a", "a/b", ".", "link"])
def test_no_folder_is_watched_twice(tmp_path, second):
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(ConfigError, match="overlap"):
        checked(config_of(tmp_path.parent / "state", tmp_path / "a", tmp_path / second))


def test_the_state_folder_follows_the_xdg_specification(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    assert config.default_state_folder() == Path("/xdg/fringewatch")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/users/anna")
    assert config.default_state_folder() == Path("/users/anna/.local/state/fringewatch")


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValidationError):
        Config().intake.quiet_seconds = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(("variable", "journal"), [("8:1234", True), (None, False)])
def test_a_journal_announces_itself(monkeypatch, variable, journal):
    if variable is None:
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    else:
        monkeypatch.setenv("JOURNAL_STREAM", variable)
    assert ("JOURNAL_STREAM" in os.environ) == journal
    assert config.under_service_manager() == journal
