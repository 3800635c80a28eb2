"""Folders are taken for what they are, and a manifest says no more than was trained on."""

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.simulation.dataset import FORMAT, save_field
from analysis.training.checkpoint import TrainingError
from analysis.training.gather import (
    gathered,
    gathered_pictures,
    is_simulated,
    pixel_sizes_nm,
    smallest_diameter_nm,
)
from analysis.training.labelled import labelled_images
from analysis.training.published_recipe import PublishedRecipe
from analysis.training.samples import USUAL
from analysis.training.sources import LabelledImages, SimulatedFields
from tests.analysis.training.fields import disc_field
from tests.analysis.training.test_labelled import SIZE_NM, put


def simulated(folder, fields=1, **stated):
    folder.mkdir()
    for number in range(fields):
        save_field(folder / f"field_{number:06d}.npz", disc_field())
    manifest = {"format": FORMAT, "field_px": 512, **stated}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def mine(tmp_path):
    for name in "abc":
        put(tmp_path / "mine", name)
    return tmp_path / "mine"


def test_a_simulated_set_and_labelled_images_are_told_apart(tmp_path, mine):
    sets = simulated(tmp_path / "simulated", fields=2)
    found = gathered([sets, mine])
    assert [type(source) for source in found.sources] == [SimulatedFields, LabelledImages]
    assert [len(source) for source in found.sources] == [2, 3]
    assert found.simulated
    assert not gathered([mine]).simulated
    assert is_simulated(sets)
    assert not is_simulated(mine)


def test_one_material_takes_its_polytypes_and_bare_fields_and_a_part_of_it_stays_within(tmp_path):
    sets = simulated(tmp_path / "set")
    fields = [disc_field(material=name) for name in ("CdSe-wz", "Au", "CdSe-zb", "CdSe-wz")]
    fields.append(replace(disc_field(), particles=()))
    for number, field in enumerate(fields):
        save_field(sets / f"field_{number:06d}.npz", field)
    (source,) = gathered([sets], material="CdSe").sources
    assert source.numbers == (0, 2, 3, 4)
    assert source.described()["material"] == "CdSe"
    kept, held = source.parted(np.random.default_rng(1))
    assert sorted(kept.numbers + held.numbers) == [0, 2, 3, 4]
    with pytest.raises(TrainingError, match="there are Au, CdSe"):
        gathered([sets], material="Pt")


def test_a_manifest_of_somebody_else_is_no_simulated_set(mine):
    for content in ("{}", "[]", "{", '{"name": "x"}'):
        (mine / "manifest.json").write_text(content)
        assert not is_simulated(mine)


def test_fields_of_another_format_and_none_at_all_are_two_sentences(tmp_path):
    old = simulated(tmp_path / "old", format=1)
    with pytest.raises(TrainingError, match="format 1"):
        gathered([old])
    with pytest.raises(TrainingError, match="no finished field"):
        gathered([simulated(tmp_path / "begun", fields=0)])
    with pytest.raises(TrainingError, match="is not a folder"):
        gathered([tmp_path / "nowhere"])


def test_images_without_a_mask_are_named(mine):
    (mine / "c_mask.png").unlink()
    assert [path.name for path in gathered([mine]).without_mask] == ["c.tif"]


def test_the_pixel_range_is_that_of_the_data_a_quarter_further(tmp_path, mine):
    images = LabelledImages(name="mine", images=labelled_images(mine)[0])
    assert pixel_sizes_nm([images]) == pytest.approx((SIZE_NM / 1.25, SIZE_NM * 1.25), rel=1e-3)
    fields = SimulatedFields(folder=simulated(tmp_path / "simulated"))
    low, high = USUAL.pixel_size_nm
    assert pixel_sizes_nm([images, fields]) == pytest.approx((low / 1.25, high * 1.25), rel=1e-3)


def test_nothing_smaller_than_what_was_trained_on_is_relied_upon(tmp_path, mine):
    images = LabelledImages(name="mine", images=labelled_images(mine)[0])
    square_nm = 2 * np.sqrt(50 * 60 / np.pi) * SIZE_NM
    assert smallest_diameter_nm([images], 2.0) == pytest.approx(square_nm, rel=0.01)
    fields = SimulatedFields(folder=simulated(tmp_path / "simulated"))
    assert smallest_diameter_nm([images, fields], 1.5) == pytest.approx(1.5)


def test_pictures_of_the_published_recipe_come_from_both_and_stop_at_the_number(tmp_path, mine):
    sources = gathered([simulated(tmp_path / "simulated"), mine]).sources
    heard = []
    recipe = PublishedRecipe(images=3)
    pictures = gathered_pictures(sources, recipe, lambda done, total: heard.append((done, total)))
    assert len(pictures) == 3
    assert heard[-1] == (3, 3)
    assert all(picture.particle.any() for picture in pictures)
    again = gathered_pictures(sources, recipe)
    assert all(
        np.array_equal(one.network_input, other.network_input)
        for one, other in zip(pictures, again, strict=True)
    )
    every = gathered_pictures(sources, PublishedRecipe(images=100))
    assert 4 <= len(every) < 100
