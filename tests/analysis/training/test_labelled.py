"""A user's masks find their images, and say who is who as the tool that made them meant it."""

import cv2
import numpy as np
import pytest
from PIL import Image

from analysis.simulation.files import write_mrc, write_tiff
from analysis.training.crops import OVERLAP, PARTICLE, SEAM, UNKNOWN, channels
from analysis.training.labelled import (
    LabelledImage,
    LabelledVariety,
    LabelsError,
    draw_labelled,
    labelled_images,
    read_labels,
    read_mask,
)

SIZE_NM = 0.04
UNCHANGED = LabelledVariety(
    magnification_error=0,
    part_of_field=0,
    thickness=0,
    contrast=0,
    noise=0,
    blur=0,
    rescale=0,
    print_fraction=0,
)


def two_particles(touching: bool = True) -> np.ndarray:
    """Two squares side by side, numbered; they touch, or lie 20 pixels apart."""
    instances = np.zeros((160, 200), np.uint8)
    gap = 0 if touching else 20
    instances[40:100, 40:90] = 1
    instances[40:100, 90 + gap : 140 + gap] = 2
    return instances


def micrograph(instances: np.ndarray) -> np.ndarray:
    """Fringes of 0.24 nm on the particles, noise everywhere."""
    noise = np.random.default_rng(1).normal(0, 20, instances.shape)
    fringes = 100 * np.cos(2 * np.pi * np.arange(instances.shape[1]) * SIZE_NM / 0.24)
    return (1000 + noise + fringes * (instances > 0)).astype(np.float32)


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def put(folder, name="a", instances=None, where="{name}_mask.png"):
    instances = two_particles() if instances is None else instances
    folder.mkdir(parents=True, exist_ok=True)
    write_tiff(folder / f"{name}.tif", micrograph(instances), SIZE_NM)
    save(folder / where.format(name=name), instances)
    return folder


@pytest.mark.parametrize(
    "where",
    ["{name}_mask.png", "{name}_cp_masks.png", "{name}_label.png", "{name}_MASK.PNG"],
)
def test_a_mask_beside_its_image_is_found(tmp_path, where):
    ((found,), without) = labelled_images(put(tmp_path, where=where))
    assert (found.image.name, found.mask.name) == ("a.tif", where.format(name="a"))
    assert found.pixel_size_nm == pytest.approx(SIZE_NM, rel=1e-4)
    assert without == ()


def test_masks_in_a_folder_of_their_own_are_found_by_name(tmp_path):
    put(tmp_path / "images", "b", where="../masks/{name}.png")
    put(tmp_path / "images", "a", where="../masks/{name}_seg.png")
    save(tmp_path / "images" / "c.png", np.zeros((64, 64), np.uint8))
    found, without = labelled_images(tmp_path)
    assert [one.image.name for one in found] == ["a.tif", "b.tif"]
    assert [path.name for path in without] == ["c.png"]


def test_images_of_any_format_our_readers_read_are_taken(tmp_path):
    write_mrc(tmp_path / "a.mrc", micrograph(two_particles()), SIZE_NM)
    save(tmp_path / "a_mask.png", two_particles())
    ((found,), _) = labelled_images(tmp_path)
    labels = read_labels(found)
    assert labels.image.shape == labels.instances.shape
    assert np.abs(labels.image - micrograph(two_particles())).max() < 1e-3


def test_a_pixel_size_is_needed_from_the_file_or_from_a_person(tmp_path):
    grey = np.clip(micrograph(two_particles()) / 10, 0, 255).astype(np.uint8)
    save(tmp_path / "a.png", grey)
    save(tmp_path / "a_mask.png", two_particles())
    with pytest.raises(LabelsError, match="states no pixel size"):
        labelled_images(tmp_path)
    ((found,), _) = labelled_images(tmp_path, pixel_size_nm=0.03)
    assert found.pixel_size_nm == 0.03


def test_a_folder_without_masks_is_an_error_that_says_what_was_looked_for(tmp_path):
    write_tiff(tmp_path / "a.tif", micrograph(two_particles()), SIZE_NM)
    with pytest.raises(LabelsError, match="NAME_mask"):
        labelled_images(tmp_path)


def test_a_mask_of_another_size_is_noticed_before_any_training(tmp_path):
    put(tmp_path)
    save(tmp_path / "a_mask.png", two_particles()[:-1])
    with pytest.raises(LabelsError, match="200 x 159 and 200 x 160 pixels"):
        labelled_images(tmp_path)


def test_a_series_is_not_one_image(tmp_path):
    write_tiff(tmp_path / "a.tif", np.stack([micrograph(two_particles())] * 3), SIZE_NM)
    save(tmp_path / "a_mask.png", two_particles())
    with pytest.raises(LabelsError, match="more than one image"):
        labelled_images(tmp_path)


def coloured(instances, alpha=None):
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 128, 0]], np.uint8)[instances]
    if alpha is None:
        return colours
    colours[alpha == 0] = 255  # what nobody sees
    return np.concatenate([colours, alpha[..., None].astype(np.uint8)], axis=-1)


@pytest.mark.parametrize(
    "written",
    [
        Image.fromarray,
        lambda instances: Image.fromarray(instances.astype(np.uint16) * 300),
        lambda instances: Image.fromarray(coloured(instances)),
        lambda instances: Image.fromarray(coloured(instances, 255 * (instances > 0))),
        lambda instances: Image.fromarray(instances).convert("P"),
        lambda instances: Image.merge(
            "LA",
            [Image.fromarray(instances * 90), Image.fromarray(255 * (instances > 0).astype("u1"))],
        ),
    ],
    ids=["numbers", "16 bit", "colours", "transparent", "palette", "grey and alpha"],
)
def test_instances_are_told_apart_however_a_tool_writes_them(tmp_path, written):
    instances = two_particles()
    written(instances).save(tmp_path / "mask.png")
    found, told_apart = read_mask(tmp_path / "mask.png")
    assert told_apart
    assert np.array_equal(found > 0, instances > 0)
    pairs = set(zip(found.ravel().tolist(), instances.ravel().tolist(), strict=True))
    assert len(pairs) == 3


@pytest.mark.parametrize("value", [1, 128, 255])
def test_one_number_is_particle_and_its_parts_are_instances(tmp_path, value):
    instances = two_particles(touching=False)
    save(tmp_path / "mask.png", (value * (instances > 0)).astype(np.uint8))
    found, told_apart = read_mask(tmp_path / "mask.png")
    assert not told_apart
    assert found.max() == 2
    assert np.array_equal(found > 0, instances > 0)


def test_an_empty_mask_is_an_image_without_particles(tmp_path):
    save(tmp_path / "mask.png", np.zeros((50, 60), np.uint8))
    found, told_apart = read_mask(tmp_path / "mask.png")
    assert not found.any()
    assert not told_apart


def test_a_smoothed_mask_is_no_mask_of_hundreds_of_particles(tmp_path):
    y, x = np.indices((200, 200))
    smooth = 255 / (1 + np.exp(0.3 * (np.hypot(y - 100, x - 100) - 60)))
    save(tmp_path / "mask.png", smooth.astype(np.uint8))
    with pytest.raises(LabelsError, match="without smoothing"):
        read_mask(tmp_path / "mask.png")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"no picture"])
def test_what_is_no_picture_is_no_mask(tmp_path, content):
    (tmp_path / "mask.png").write_bytes(content)
    with pytest.raises(LabelsError, match="cannot be read"):
        read_mask(tmp_path / "mask.png")


def test_a_sample_keeps_image_and_mask_together(tmp_path):
    ((found,), _) = labelled_images(put(tmp_path))
    sample = draw_labelled(found, np.random.default_rng(1), UNCHANGED)
    assert sample.network_input.shape == (160, 200)
    truth = channels(sample.marks)
    assert np.array_equal(truth[..., PARTICLE], two_particles() > 0)
    assert np.flatnonzero(truth[70, :, SEAM]).tolist() == list(range(85, 95))
    assert (truth[..., OVERLAP] == UNKNOWN).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_part_of_the_image_keeps_its_part_of_the_mask(tmp_path, seed):
    stripes = np.arange(500) // 50 % 2
    instances = np.broadcast_to(stripes, (400, 500)).astype(np.uint8)
    ((found,), _) = labelled_images(put(tmp_path, instances=instances))
    parts = LabelledVariety(**{**UNCHANGED.__dict__, "part_of_field": 1.0})
    sample = draw_labelled(found, np.random.default_rng(seed), parts)
    assert sample.network_input.shape < (400, 500)
    particle = channels(sample.marks)[..., PARTICLE]
    local = cv2.blur(sample.network_input.astype(np.float32) ** 2, (13, 13))
    found = local > (np.percentile(local, 2) + np.percentile(local, 98)) / 2
    assert (found == particle).mean() > 0.85


def test_of_a_large_image_no_more_than_31_nm_are_taken_at_once(tmp_path):
    instances = np.zeros((1700, 900), np.uint8)
    instances[:, ::2] = 1
    ((found,), _) = labelled_images(put(tmp_path, instances=instances))
    sample = draw_labelled(found, np.random.default_rng(1), UNCHANGED)
    assert sample.network_input.shape == (768, 768)


def test_a_stated_pixel_size_resamples_to_that_of_the_model(tmp_path):
    ((found,), _) = labelled_images(put(tmp_path))
    finer = LabelledImage(image=found.image, mask=found.mask, pixel_size_nm=SIZE_NM / 2)
    sample = draw_labelled(finer, np.random.default_rng(1), UNCHANGED)
    assert sample.network_input.shape == (80, 100)
    assert channels(sample.marks)[..., PARTICLE].mean() == pytest.approx(
        (two_particles() > 0).mean(), rel=0.05
    )


def test_one_seed_draws_one_sample_and_the_usual_variety_changes_it(tmp_path):
    ((found,), _) = labelled_images(put(tmp_path))
    usual = LabelledVariety()
    first, again, other = (
        draw_labelled(found, np.random.default_rng(seed), usual) for seed in (3, 3, 4)
    )
    assert np.array_equal(first.network_input, again.network_input)
    assert first.network_input.shape != other.network_input.shape or not np.array_equal(
        first.network_input, other.network_input
    )


def test_a_binary_mask_does_not_say_where_particles_touch(tmp_path):
    put(tmp_path)
    save(tmp_path / "a_mask.png", (255 * (two_particles() > 0)).astype(np.uint8))
    ((found,), _) = labelled_images(tmp_path)
    truth = channels(draw_labelled(found, np.random.default_rng(1), UNCHANGED).marks)
    assert (truth[..., SEAM] == UNKNOWN).all()
