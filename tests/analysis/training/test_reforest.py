"""Crops that somebody sorted become examples, and a forest that is judged on other micrographs."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from analysis import published, unet
from analysis.bundle import load, stored_weights, write
from analysis.features import FEATURE_NAMES, PUBLISHED_FEATURE_NAMES, PUBLISHED_FEATURES
from analysis.forest import CLASS_NAMES
from analysis.simulation.files import write_tiff
from analysis.training.checkpoint import TrainingError
from analysis.training.class_crops import class_crops, crop_rows, holds_class_folders
from analysis.training.reforest import WantedForest, refit

SIZE_NM = 0.03
SIDE_PX = 160
RADIUS_PX = 50
SORTED = ("no_stacking_fault", "misoriented", "background")


def crop(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A disc with fringes, a darker disc without, or nothing but noise; and where it is."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((SIDE_PX, SIDE_PX)) - SIDE_PX / 2
    disc = np.hypot(y, x) < RADIUS_PX
    pixels = 1000 + rng.normal(0, 30, disc.shape)
    if kind == "no_stacking_fault":
        pixels += 150 * disc * np.cos(2 * np.pi * x * SIZE_NM / 0.24)
    elif kind == "misoriented":
        pixels -= 250 * disc
    return pixels.astype(np.float32), disc


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve crops of each of three classes, two of each micrograph, with masks."""
    folder = tmp_path_factory.mktemp("sorted")
    for number, kind in enumerate(SORTED):
        (folder / kind).mkdir()
        for index in range(12):
            pixels, disc = crop(kind, 100 * number + index)
            name = f"m{number}{index // 2}__{index % 2}"
            write_tiff(folder / kind / f"{name}.tif", pixels, SIZE_NM)
            if kind != "background":
                mask = Image.fromarray((255 * disc).astype(np.uint8))
                mask.save(folder / kind / f"{name}_mask.png")
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A bundle whose U-Net finds nothing that is not marked."""
    folder = tmp_path_factory.mktemp("start") / "start"
    draft = replace(published.manifest("start", "x.h5", "0" * 64), filters=1, threshold=0.999)
    write(folder, draft, [0 * one for one in unet.build("published", 1).get_weights()])
    return folder


def test_crops_are_found_under_their_class_and_micrograph(folder):
    assert holds_class_folders(folder)
    crops = class_crops(folder)
    assert len(crops) == 36
    assert {CLASS_NAMES[one.class_index] for one in crops} == set(SORTED)
    assert len({one.micrograph for one in crops}) == 18
    assert all(one.pixel_size_nm == pytest.approx(SIZE_NM, rel=1e-3) for one in crops)
    assert sum(one.mask is not None for one in crops) == 24


def test_every_crop_becomes_a_row_of_its_particle(folder, start):
    rows = crop_rows(load(start, "cpu"), class_crops(folder))
    assert rows.features.shape == (36, len(FEATURE_NAMES))
    assert np.isfinite(rows.features).all()
    assert rows.without_particle == ()
    column = rows.features[:, FEATURE_NAMES.index("intensity_mean")]
    kinds = np.array([CLASS_NAMES[one.class_index] for one in rows.crops])
    assert column[kinds == "misoriented"].max() < column[kinds == "background"].min() - 1


def test_a_crop_in_which_nothing_is_found_is_named_unless_it_is_background(folder, start, tmp_path):
    shutil.copytree(folder, tmp_path / "sorted")
    for mask in (tmp_path / "sorted" / "misoriented").glob("*_mask.png"):
        mask.unlink()
    rows = crop_rows(load(start, "cpu"), class_crops(tmp_path / "sorted"))
    assert len(rows.crops) == 24
    assert {path.parent.name for path in rows.without_particle} == {"misoriented"}


def test_the_forest_learns_the_classes_and_keeps_the_u_net(folder, start, tmp_path):
    heard = []
    manifest, without = refit(
        WantedForest(output=tmp_path / "mine", start=start, data=(folder,)),
        lambda *said: heard.append(said),
    )
    assert heard[-1] == ("crops", 36, 36)
    assert without == ()
    held_out = manifest.metrics["forest_held_out"]
    assert held_out["balanced_accuracy"] > 0.95
    assert held_out["on"] == "sorted crops"
    assert np.sum(held_out["confusion_rows_are_truth"]) >= 8
    (told,) = manifest.training["forest_data"]
    assert told["micrographs"] == 18
    assert told["crops"]["misoriented"] == 12
    bundle = load(tmp_path / "mine", "cpu")
    assert bundle.manifest.name == "mine"
    assert bundle.forest is not None
    for one, other in zip(stored_weights(start), stored_weights(tmp_path / "mine"), strict=True):
        assert np.array_equal(one, other)


def test_the_five_features_of_the_paper_make_a_forest_too(folder, start, tmp_path):
    wanted = WantedForest(
        output=tmp_path / "paper", start=start, data=(folder,), features="published"
    )
    manifest, _ = refit(wanted, lambda *_: None)
    assert manifest.feature_set == PUBLISHED_FEATURES
    assert manifest.feature_names == PUBLISHED_FEATURE_NAMES
    assert manifest.metrics["forest_held_out"]["balanced_accuracy"] > 0.6
    with pytest.raises(TrainingError, match="no features are called 'mine'"):
        refit(replace(wanted, features="mine"), lambda *_: None)


def test_what_cannot_be_learnt_from_is_one_sentence(folder, start, tmp_path):
    def refused(data, sentence, name="out"):
        wanted = WantedForest(output=tmp_path / name, start=start, data=(data,))
        with pytest.raises(TrainingError, match=sentence) as error:
            refit(wanted, lambda *_: None)
        assert "\n" not in str(error.value)

    refused(tmp_path / "nowhere", "is not a folder")
    refused(folder / "misoriented", "no folder called like a class")
    one = tmp_path / "one"
    shutil.copytree(folder / "background", one / "background")
    refused(one, "fewer than two classes")
    few = tmp_path / "few"
    for kind in SORTED:
        (few / kind).mkdir(parents=True)
        for path in sorted((folder / kind).glob("m?0__*")):
            shutil.copy(path, few / kind)
    refused(few, "to judge by")
    refused(folder, "becomes the name", name="two words")
    strange = tmp_path / "strange"
    shutil.copytree(one, strange)
    (strange / "twin").mkdir()
    refused(strange, "'twin'")
    (tmp_path / "none" / "background").mkdir(parents=True)
    refused(tmp_path / "none", "no crop")
    Image.fromarray(np.zeros((64, 64), np.uint8) + np.arange(64, dtype=np.uint8)).save(
        tmp_path / "none" / "background" / "a.png"
    )
    refused(tmp_path / "none", "states no pixel size")
