"""What the bundle commands say: the same to people and to programs, and one sentence when not."""

import json
import sys

import pytest

from analysis import published, unet
from analysis.bundle import default_folder, read_manifest, write
from daemon import bundles
from daemon.cli import main
from daemon.config import Config, StateConfig


@pytest.fixture
def config(tmp_path):
    return Config(state=StateConfig(folder=tmp_path / "state"))


@pytest.fixture
def unlicensed(tmp_path, config):
    """A model taken in, whose licence nobody knows."""
    weights = unet.build("published", published.FILTERS).get_weights()
    write(tmp_path / "made", published.manifest("unlicensed", "x.h5", "0" * 64), weights)
    bundles.take(config, tmp_path / "made", None)


def run(monkeypatch, capsys, *arguments):
    """Exit code, output and errors of a command."""
    monkeypatch.setattr(sys, "argv", ["fringewatch", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def test_the_list_names_each_and_marks_the_one_configured(unlicensed, config, capsys):
    capsys.readouterr()
    bundles.list_all(config, as_json=True)
    first, second = json.loads(capsys.readouterr().out)
    assert (first["name"], first["built_in"], first["configured"]) == ("default", True, True)
    assert (second["name"], second["built_in"], second["configured"]) == (
        "unlicensed",
        False,
        False,
    )
    assert (first["classifies"], second["classifies"]) == (True, False)
    bundles.list_all(config, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert "* " in lines[1] and "default (built in)" in lines[1]
    assert "unlicensed" in lines[-1] and "unknown" in lines[-1] and "*" not in lines[-1]


def test_a_damaged_model_is_listed_as_that(unlicensed, config, capsys):
    folder = config.state.folder / "bundles" / "unlicensed"
    (folder / "manifest.json").write_text("{}")
    folder.rename(folder.with_name("red\x1b[31m"))
    capsys.readouterr()
    bundles.list_all(config, as_json=True)
    assert "manifest" in json.loads(capsys.readouterr().out)[1]["problem"]
    bundles.list_all(config, as_json=False)
    said = capsys.readouterr().out
    assert "default" in said and "\x1b" not in said


def test_a_model_is_shown_with_what_it_was_made_from(config, capsys):
    bundles.show(config, "default", as_json=True)
    shown = json.loads(capsys.readouterr().out)
    manifest = read_manifest(default_folder())
    assert shown["sha256"] == manifest.sha256
    assert shown["training"] == manifest.training
    bundles.show(config, "default", as_json=False)
    said = capsys.readouterr().out
    for word in ("training", "metrics", "domain", "licence", manifest.licence, "code_version"):
        assert word in said


def test_who_hands_on_a_model_of_unknown_licence_is_warned(unlicensed, config, tmp_path, capsys):
    capsys.readouterr()
    bundles.give(config, "unlicensed", tmp_path / "unlicensed.zip")
    assert "licence is unknown" in capsys.readouterr().err
    bundles.give(config, "default", tmp_path / "default.zip")
    assert capsys.readouterr().err == ""


def test_errors_of_the_command_are_one_sentence_and_a_code(tmp_path, monkeypatch, capsys):
    state = ("--state", tmp_path / "state")
    (tmp_path / "bad.zip").write_bytes(b"PK")
    (tmp_path / "bad.h5").write_bytes(b"x")
    for code, arguments in [
        (1, ("bundle", "import", tmp_path / "bad.zip")),
        (1, ("bundle", "import-published", tmp_path / "bad.h5")),
        (2, ("bundle", "import", tmp_path / "nowhere")),
        (1, ("bundle", "show", "nobody")),
        (1, ("bundle", "export", "nobody", tmp_path / "x.zip")),
        (1, ("bundle", "export", "default", tmp_path / "no" / "x.zip")),
    ]:
        ended, out, error = run(monkeypatch, capsys, *arguments, *state)
        assert (ended, out) == (code, ""), (arguments, error)
        assert error.startswith("fringewatch: ")
        assert error.count("\n") == 1
