"""A quick run with the bundle that ships, on fields of one disc, writes the whole report."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from analysis.bundle import default_folder, load
from analysis.training.evaluation.curves import FEW_VARIABLES
from analysis.training.evaluation.document import write_document, write_json
from analysis.training.evaluation.manifest import domain, metrics
from analysis.training.evaluation.methods import BundleMethod
from analysis.training.evaluation.run import Plan, evaluate
from analysis.training.evaluation.sets import Counts
from analysis.training.evaluation.views import write_overlays
from tests.analysis.training.evaluation.made import write_real, write_set
from tests.analysis.training.fields import disc_field

COUNTS = Counts(train=1, core=2, unseen=1, empty=1, forest_test=1, wide=0, curve=1)


def of(material):
    field = disc_field()
    return replace(field, particles=(replace(field.particles[0], material=material),))


def bare():
    field = disc_field()
    return replace(
        field,
        labels=np.zeros_like(field.labels),
        particles=(),
        exit_wave=np.ones_like(field.exit_wave),
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Sets, real patches and notes."""
    root = tmp_path_factory.mktemp("evaluation")
    write_set(root / "data", "train", of("Au"))
    write_set(root / "data", "core", of("Au"), of("CdSe-wz"))
    write_set(root / "data", "unseen", of("PbS"))
    write_set(root / "data", "empty", bare())
    write_set(root / "data", "forest_test", of("Au"))
    write_real(root / "real")
    (root / "notes.md").write_text("## summary\n\nA disc is a disc.\n\n## curves\n\nFlat.\n")
    return root


@pytest.fixture(scope="module")
def made(root):
    """The evaluation: the bundle that ships, and once more at another scale."""
    bundle = load(default_folder(), "cpu")
    plan = Plan(
        bundles=(
            BundleMethod(group="default", bundle=bundle),
            BundleMethod(group="default", bundle=bundle, scale_nm=0.05),
        ),
        data=root / "data",
        work=root / "work",
        real=root / "real",
        counts=COUNTS,
        variables=FEW_VARIABLES,
    )
    return evaluate(plan, "2026-11-22", "fringewatch evaluate DATA", lambda *_: None)


@pytest.fixture(scope="module")
def written(root, made):
    (root / "docs").mkdir()
    return write_document(made, root / "docs" / "evaluation.md", root / "notes.md")


def test_every_method_is_scored_on_every_set(made):
    names = [method.name for method in made.evaluation.methods]
    assert names[:3] == ["default", "default at 0.05 nm/px", "Otsu"]
    for method in made.evaluation.methods:
        assert method.core["all"].micrographs == 2
        assert method.empty.empty_micrographs == 1
        assert method.unseen["PbS"].micrographs == 1
        assert len(method.real.patches) == 2
    judged = made.evaluation.judged
    assert set(judged.curves) == {"dose", "defocus", "pixel size", "diameter"}
    assert judged.core["all"].dice.value > 0.5  # a disc of lattice on nothing


def test_the_report_has_its_sections_and_what_people_wrote(written):
    text = written[0].read_text(encoding="utf-8")
    for heading in (
        "Asked and reached",
        "Segmentation",
        "Diameters",
        "Real micrographs",
        "Where it holds",
        "Failures",
        "What was run",
    ):
        assert f"\n## {heading}" in text
    assert "A disc is a disc." in text and "Flat." in text
    assert "fringewatch evaluate DATA" in text
    assert "grown by 0.2 nm" in text
    assert "nan" not in text
    assert not re.search(r"/(tmp|home|root|work)/", text)


def test_every_table_has_as_many_cells_in_every_row(written):
    text = written[0].read_text(encoding="utf-8")
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_every_picture_of_the_report_is_there_and_small(root, written):
    text = written[0].read_text(encoding="utf-8")
    shown = {root / "docs" / path for path in re.findall(r"!\[.*?\]\((.*?)\)", text)}
    assert shown == set(written[1:])
    assert sum(path.stat().st_size for path in shown) < 1_500_000
    assert not any(path.suffix == ".svg" and b"nan" in path.read_bytes() for path in shown)


def test_the_same_results_give_the_same_files(root, made, written):
    before = {path: path.read_bytes() for path in written}
    again = write_document(made, root / "docs" / "evaluation.md", root / "notes.md")
    assert {path: path.read_bytes() for path in again} == before


def test_every_number_is_in_the_json_file(root, made):
    write_json(made.evaluation, root / "all.json")
    stored = json.loads((root / "all.json").read_text())  # refuses nothing: NaN became null
    assert stored["methods"][0]["core"]["all"]["micrographs"] == 2
    assert "NaN" not in (root / "all.json").read_text()


def test_overlays_are_colour_pictures_of_the_patches(root, made):
    cases = [source.make() for source in made.sources["real"]]
    paths = write_overlays(root / "overlays", cases, made.methods)
    assert [path.name for path in paths] == ["disc.png", "bare.png"]
    with Image.open(paths[0]) as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    assert (np.abs(pixels - (230, 159, 0)).sum(axis=2) < 20).any()  # the outline of the truth


def test_the_manifest_takes_figures_and_domain(made):
    judged = made.evaluation.judged
    figures = metrics(judged, made.evaluation.seed, made.evaluation.margin_nm)
    json.dumps(figures, allow_nan=False)
    assert figures["core"]["all"]["dice"][0] == pytest.approx(
        judged.core["all"].dice.value, abs=1e-4
    )
    assert set(figures["real_patches"]["each"]) == {"disc.tif", "bare.tif"}
    assert "smallest_diameter_nm" in domain(judged)
