"""What is held out is never trained on, and a source is known by its content, not its place."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from analysis.simulation.dataset import save_field
from analysis.training.crops import CHANNELS, CROP_PX, PARTICLE, SEAM, UNKNOWN
from analysis.training.held_out import HeldOut, best_threshold, held_out_crops, pooled_dice
from analysis.training.labelled import labelled_images
from analysis.training.sources import LabelledImages, SimulatedFields, parted
from tests.analysis.training.fields import disc_field
from tests.analysis.training.test_labelled import put, two_particles


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fields")
    for number in range(7):
        save_field(folder / f"field_{number:06d}.npz", disc_field())
    (folder / "manifest.json").write_text(json.dumps({"seed": 1}))
    return SimulatedFields(folder=folder)


@pytest.fixture
def images(tmp_path):
    for name in "abcdef":
        put(tmp_path / "mine", name)
    found, _ = labelled_images(tmp_path / "mine")
    return LabelledImages(name="mine", images=found)


def test_a_fifth_of_each_source_is_held_out_and_nothing_is_on_both_sides(fields, images):
    training, held_out = parted([fields, images], seed=1)
    assert [len(one) for one in training] == [6, 5]
    assert [len(one) for one in held_out] == [1, 1]
    assert not set(training[0].numbers) & set(held_out[0].numbers)
    assert set(training[0].numbers) | set(held_out[0].numbers) == set(range(7))
    assert not set(training[1].images) & set(held_out[1].images)
    assert parted([fields, images], seed=1)[1] == held_out
    assert any(parted([fields, images], seed=seed)[1] != held_out for seed in range(2, 6))


def test_one_image_alone_cannot_be_parted(images):
    alone = LabelledImages(name="mine", images=images.images[:1])
    with pytest.raises(ValueError, match="cannot be parted"):
        parted([alone], seed=1)


def test_a_folder_that_grows_is_used_as_it_is_then(fields, tmp_path):
    folder = tmp_path / "growing"
    folder.mkdir()
    growing = SimulatedFields(folder=folder)
    assert len(growing) == 0
    shutil.copy(fields.folder / "field_000000.npz", folder)
    assert len(growing) == 1
    assert growing.draw(0, np.random.default_rng(1)).marks.any()


def test_a_source_is_described_by_its_content_and_never_by_its_place(fields, images, tmp_path):
    told = json.dumps([fields.described(), images.described()])
    assert str(tmp_path) not in told
    assert str(fields.folder.parent) not in told
    assert images.described()["images"][0] == "a.tif"
    before = images.described()["sha256"]
    mask = Image.fromarray(two_particles(touching=False))
    mask.save(tmp_path / "mine" / "a_mask.png")
    assert images.described()["sha256"] != before


def test_held_out_crops_are_the_same_each_time_and_of_every_source(fields, images):
    first, again = (held_out_crops([fields, images], seed=5, crops=4) for _ in range(2))
    assert np.array_equal(first.inputs, again.inputs)
    assert first.inputs.shape == (4, CROP_PX, CROP_PX, 1)
    assert first.targets.shape == (4, CROP_PX, CROP_PX, CHANNELS)
    other = held_out_crops([fields, images], seed=6, crops=4)
    assert not np.array_equal(first.inputs, other.inputs)


def test_seams_no_mask_tells_of_are_unknown_in_the_targets(tmp_path):
    put(tmp_path / "binary", instances=(255 * (two_particles() > 0)).astype(np.uint8))
    put(tmp_path / "numbered")
    for name, unknown in (("binary", True), ("numbered", False)):
        found, _ = labelled_images(tmp_path / name)
        targets = held_out_crops([LabelledImages(name=name, images=found)], 1, crops=2).targets
        assert (targets[..., SEAM] == UNKNOWN).all() == unknown
        assert set(np.unique(targets[..., PARTICLE])) <= {0, 1}


def test_the_threshold_is_the_one_that_does_best():
    held = held_out_like(np.linspace(0, 1, 100) > 0.42)
    probability = np.linspace(0, 1, 100, dtype=np.float32).reshape(1, 10, 10)
    assert best_threshold(held, probability) == pytest.approx(0.4, abs=0.051)


def test_dice_of_nothing_found_where_nothing_is_is_one():
    nothing = np.zeros((2, 8, 8), bool)
    assert pooled_dice(nothing, nothing) == 1.0
    assert pooled_dice(nothing, ~nothing) == 0.0


def held_out_like(particle):
    truth = particle.reshape(1, 10, 10)
    targets = np.stack([~truth, truth, 0 * truth], axis=-1).astype(np.float32)
    return HeldOut(inputs=np.zeros((1, 10, 10, 1), np.float32), targets=targets)
