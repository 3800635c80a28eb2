"""`fringewatch evaluate`: which bundles at which scale, and one sentence where that is no sense."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from daemon import evaluating, simulating
from daemon.cli import main
from daemon.errors import DaemonError, Misused
from tests.analysis.training.evaluation.made import write_real, write_set
from tests.analysis.training.fields import disc_field

QUICK_SETS = ("train", "core", "unseen", "forest_test", "wide")


def asked(folder, *bundles, **more):
    values = {
        "data": folder / "data",
        "bundles": bundles or ("default",),
        "real": None,
        "report": folder / "evaluation.md",
        "notes": folder / "evaluation_notes.md",
        "json": None,
        "overlays": None,
        "work": folder / "work",
        "margin_nm": 0.2,
        "seed": 3,
        "processes": 1,
        "quick": True,
    }
    return evaluating.Asked(**{**values, **more})


@pytest.fixture
def plans(monkeypatch):
    """The plans that would be run."""
    kept = []

    class Stopped(Exception):
        """The evaluation begins here."""

    def run(plan, *_):
        kept.append(plan)
        raise Stopped

    monkeypatch.setattr(evaluating, "run", run)

    def of(folder, *bundles, **more):
        with pytest.raises(Stopped):
            evaluating.evaluate(folder / "state", asked(folder, *bundles, **more))
        return kept[-1]

    return of


def test_a_bundle_may_have_a_label_and_scales(plans, tmp_path):
    plan = plans(tmp_path, "default", "other=default@0.02,0.04")
    assert [(each.group, each.scale_nm) for each in plan.bundles] == [
        ("default", None),
        ("other", 0.02),
        ("other", 0.04),
    ]


def test_a_bundle_may_be_a_folder(plans, tmp_path):
    from analysis.bundle import default_folder

    plan = plans(tmp_path, f"mine={default_folder()}", str(default_folder()))
    assert [each.group for each in plan.bundles] == ["mine", "default"]


def test_a_quick_run_looks_at_few_fields(plans, tmp_path):
    quick, full = plans(tmp_path), plans(tmp_path, quick=False)
    assert quick.counts.core < 5 < full.counts.core
    assert len(quick.variables["dose"].values) < len(full.variables["dose"].values)


@pytest.mark.parametrize(
    ("bundles", "said"),
    [
        (("default", "default"), "two bundles are called 'default'"),
        (("default@0.02",), "judged"),
        (("default", "default@0.5"), "up to 0.2 nm"),
        (("default", "default@1.2.3"), "no list"),
    ],
)
def test_bundles_that_make_no_sense_are_refused(plans, tmp_path, bundles, said):
    with pytest.raises(Misused, match=said):
        evaluating.evaluate(tmp_path / "state", asked(tmp_path, *bundles))


def test_a_bundle_that_is_not_there_is_named(plans, tmp_path):
    with pytest.raises(DaemonError, match="nowhere"):
        evaluating.evaluate(tmp_path / "state", asked(tmp_path, "nowhere"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"overlays": Path("overlays")}, "--real"),
        ({"real": Path("nowhere")}, r"manifest\.csv"),
        ({"report": Path("nowhere/evaluation.md")}, "nowhere is not a folder"),
    ],
)
def test_options_that_make_no_sense_are_refused(plans, tmp_path, more, said):
    with pytest.raises(Misused, match=said):
        evaluating.evaluate(tmp_path / "state", asked(tmp_path, **more))


def test_the_report_names_no_folder_of_this_computer(tmp_path):
    said = evaluating.command(
        asked(
            tmp_path,
            "default",
            f"published recipe={tmp_path}/recipe",
            "theirs@0.02,0.03",
            real=tmp_path / "real",
        )
    )
    assert said == (
        "fringewatch evaluate DATA --bundle default --bundle 'published recipe=recipe' "
        "--bundle theirs@0.02,0.03 --real REAL --margin-nm 0.2 --seed 3 --quick"
    )


def test_without_the_simulator_one_sentence_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(simulating, "SIMULATOR", ("no_such_simulator",))
    monkeypatch.setattr(sys, "argv", ["fringewatch", "evaluate", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "an evaluation needs no_such_simulator" in capsys.readouterr().err


def test_the_command_writes_the_report(tmp_path, monkeypatch, capsys):
    field = disc_field()
    bare = replace(field, labels=np.zeros_like(field.labels), particles=())
    for name in QUICK_SETS:
        write_set(tmp_path / "data", name, field)
    write_set(tmp_path / "data", "empty", bare)
    write_real(tmp_path / "real")
    arguments = ["--quick", "--real", tmp_path / "real", "--report", tmp_path / "evaluation.md"]
    arguments += ["--json", tmp_path / "all.json", "--overlays", tmp_path / "overlays"]
    arguments += ["--state", tmp_path / "state"]
    monkeypatch.setattr(
        sys, "argv", ["fringewatch", "evaluate", str(tmp_path / "data"), *map(str, arguments)]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert ended.value.code == 0
    assert "mean Dice, core set" in out and "core: 1 of 1" in err
    text = (tmp_path / "evaluation.md").read_text(encoding="utf-8")
    assert "--quick" in text and str(tmp_path) not in text
    assert json.loads((tmp_path / "all.json").read_text())["methods"][0]["name"] == "default"
    assert len(list((tmp_path / "overlays").iterdir())) == 2
    assert (tmp_path / "data" / "evaluation").is_dir()
