"""Training and simulating from the command line: what is asked is checked before anything runs."""

import json

import pytest

from analysis.bundle import load, read_manifest
from analysis.simulation import dataset
from daemon import shelf
from daemon.errors import DaemonError
from daemon.simulating import need_simulator, simulate
from tests.analysis.training.test_gather import simulated
from tests.analysis.training.test_labelled import put
from tests.daemon.test_bundles import run

UNET = ("train", "unet")


@pytest.fixture
def mine(tmp_path):
    for name in "abc":
        put(tmp_path / "mine", name)
    return tmp_path / "mine"


def test_a_model_of_ones_own_from_images_to_the_shelf(tmp_path, mine, monkeypatch, capsys):
    """Two steps, then a third, then taken in; what has no mask is named."""
    (mine / "c_mask.png").unlink()
    output, state = tmp_path / "made", tmp_path / "state"
    options = ("--output", output, "--filters", 1, "--batch", 2, "--state", state)
    code, out, error = run(monkeypatch, capsys, *UNET, mine, "--steps", 2, *options)
    assert code == 0, error
    assert f"{output} holds the bundle made: 2 steps" in out
    assert "left out, for want of a mask: c.tif" in error
    assert "training: 2 of 2, loss" in error
    code, out, _ = run(monkeypatch, capsys, *UNET, mine, "--steps", 3, *options)
    assert (code, "made: 3 steps" in out) == (0, True)
    name, _ = shelf.take(state, output, None)
    assert load(shelf.found(state, name), "cpu").manifest.training["steps_done"] == 3
    tuned = ("--output", tmp_path / "tuned", "--steps", 1, "--batch", 2, "--state", state)
    code, out, error = run(monkeypatch, capsys, *UNET, mine, "--from", name, *tuned)
    assert code == 0, error
    assert read_manifest(tmp_path / "tuned").training["from"]["name"] == "made"


@pytest.mark.parametrize(
    ("code", "options", "sentence"),
    [
        (2, ("--recipe", "mine"), "no recipe is called 'mine'"),
        (2, ("--recipe", "published", "--steps", 5), "leave --steps out"),
        (2, ("--from", "default", "--filters", 5), "leave --filters out"),
        (1, ("--from", "nobody"), "no bundle is called 'nobody'"),
    ],
)
def test_what_does_not_go_together_is_said_at_once(
    tmp_path, mine, monkeypatch, capsys, code, options, sentence
):
    fixed = ("--output", tmp_path / "out", "--state", tmp_path / "state")
    ended, out, error = run(monkeypatch, capsys, *UNET, mine, *fixed, *options)
    assert (ended, out) == (code, "")
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_data_that_cannot_be_trained_on_are_one_sentence(tmp_path, mine, monkeypatch, capsys):
    fixed = ("--output", tmp_path / "out", "--state", tmp_path / "state")
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.tif").write_bytes(b"II*\0")
    (tmp_path / "broken" / "a_mask.png").write_bytes(b"")
    for data, sentence in [
        (tmp_path / "nowhere", "is not a folder"),
        (empty, "has a mask"),
        (tmp_path / "broken", "TIF"),
        (simulated(tmp_path / "old", format=1), "format 1"),
        (put(tmp_path / "alone"), "--validation"),
    ]:
        ended, out, error = run(monkeypatch, capsys, *UNET, data, *fixed)
        assert (ended, out) == (1, ""), error
        assert sentence in error
        assert error.count("\n") == 1, error


def test_ctrl_c_says_that_the_same_command_goes_on(tmp_path, mine, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("analysis.training.retrain.fit_unet", interrupted)
    fixed = ("--output", tmp_path / "out", "--state", tmp_path / "state", "--filters", 1)
    ended, _, error = run(monkeypatch, capsys, *UNET, mine, *fixed)
    assert ended == 1
    assert "the same command goes on" in error


def test_without_the_simulator_a_sentence_says_how_to_get_it(monkeypatch, mine, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DaemonError, match=r"abtem and ase: .*fringewatch\[simulate\]"):
        need_simulator("the simulation")
    with pytest.raises(DaemonError, match="the simulation needs"):
        simulate(tmp_path / "set", "train", None, None, 1)
    assert not (tmp_path / "set").exists()


def filled(folder, fields, seed, processes, plan, progress):
    """What the simulation leaves behind, in no time."""
    folder.mkdir(exist_ok=True)
    told = {"seed": seed, "processes": processes}
    (folder / "manifest.json").write_text(json.dumps(told))
    for number in range(fields):
        dataset.field_path(folder, number).write_bytes(bytes(1000))
        progress(number + 1, fields)


def test_a_set_is_made_by_its_recipe_and_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(dataset, "simulate", filled)
    options = ("--recipe", "validation", "--fields", 3, "--processes", 2)
    code, out, error = run(monkeypatch, capsys, "simulate", tmp_path / "set", *options)
    assert code == 0
    assert "holds 3 fields of recipe validation" in out
    assert "fields: 3 of 3" in error
    told = json.loads((tmp_path / "set" / "manifest.json").read_text())
    assert told["processes"] == 2
    options = ("--recipe", "validation", "--fields", 1, "--seed", 99)
    run(monkeypatch, capsys, "simulate", tmp_path / "other", *options)
    other = json.loads((tmp_path / "other" / "manifest.json").read_text())
    assert other["seed"] == 99 != told["seed"]


def test_a_set_that_was_interrupted_says_what_is_there(tmp_path, monkeypatch, capsys):
    def interrupted(folder, fields, *_, progress, **__):
        filled(folder, 2, 1, 1, None, progress)
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "simulate", interrupted)
    code, _, error = run(monkeypatch, capsys, "simulate", tmp_path / "set", "--fields", 5)
    assert code == 1
    assert "interrupted: 2 of 5 fields are there; the same command goes on" in error


def test_another_recipe_in_the_same_folder_and_an_unknown_one_are_misuse(
    tmp_path, monkeypatch, capsys
):
    def refused(*_, **__):
        raise ValueError("the folder holds fields of another seed or plan")

    monkeypatch.setattr(dataset, "simulate", refused)
    for options, sentence in [((), "another seed"), (("--recipe", "x"), "there are train")]:
        code, _, error = run(monkeypatch, capsys, "simulate", tmp_path / "set", *options)
        assert (code, sentence in error) == (2, True)
