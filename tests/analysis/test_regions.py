import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from analysis import regions
from analysis.regions import (
    Region,
    RegionFlag,
    equivalent_diameter_nm,
    exclusion,
    label_particles,
    measure,
    opened,
    resize_probability,
    size_limit_nm,
)
from tests.analysis.shapes import disc, ellipse, rectangle

approx = pytest.approx

CENTRE = floats(-0.5, 0.5)
ANGLE = floats(-math.pi / 2, math.pi / 2, exclude_min=True)


def measured(mask: np.ndarray) -> Region:
    (region,) = measure(mask.astype(np.uint16), mask.astype(np.float32))
    return region


def angle_between_axes(a_rad: float, b_rad: float) -> float:
    return abs((a_rad - b_rad + math.pi / 2) % math.pi - math.pi / 2)


@given(radius=floats(4, 60), dy=CENTRE, dx=CENTRE)
def test_a_disc_measures_its_own_diameter(radius, dy, dx):
    region = measured(disc((130, 130), (65 + dy, 65 + dx), radius))
    assert region.equivalent_diameter_px == approx(2 * radius, abs=0.5)
    assert region.feret_max_px == approx(2 * radius, abs=1)
    assert region.feret_min_px == approx(2 * radius, abs=1.2)
    # Half a pixel's error of the radius: 2π/2. The four directions add 1 %.
    assert region.perimeter_px == approx(2 * math.pi * radius, abs=math.pi, rel=0.01)
    assert region.solidity == 1


def test_calipers_of_discs_are_right_on_average():
    rng = np.random.default_rng(7)
    radii = rng.uniform(5, 40, 60)
    centres = 50 + rng.uniform(-0.5, 0.5, (60, 2))
    found = [measured(disc((100, 100), tuple(c), r)) for c, r in zip(centres, radii, strict=True)]
    mean = np.array([(r.feret_max_px + r.feret_min_px) / 2 for r in found])
    assert (mean - 2 * radii).mean() == approx(0, abs=0.1)
    assert np.mean([r.circularity for r in found]) == approx(1, abs=0.01)
    assert max(r.aspect_ratio for r in found) < 1 + 2 / 10


@given(minor=floats(6, 20), ratio=floats(1.3, 3), angle=ANGLE, dy=CENTRE, dx=CENTRE)
def test_a_rotated_ellipse_measures_its_axes(minor, ratio, angle, dy, dx):
    major = minor * ratio
    region = measured(ellipse((130, 130), (65 + dy, 65 + dx), (major, minor), angle))
    assert region.feret_max_px == approx(2 * major, abs=2)  # a sharp tip falls between pixels
    assert region.feret_min_px == approx(2 * minor, abs=1.2)
    # A pixel is the error of a diameter, at most.
    assert math.sqrt(1 - region.eccentricity**2) == approx(1 / ratio, abs=1 / major)
    assert angle_between_axes(region.orientation_rad, angle) < 0.5 / (major - minor)
    assert region.centroid_y_px == approx(65 + dy, abs=0.3)
    assert region.centroid_x_px == approx(65 + dx, abs=0.3)
    assert region.solidity == 1


@given(height=integers(1, 40), width=integers(1, 40))
def test_an_upright_rectangle_of_pixels_is_measured_exactly(height, width):
    mask = np.zeros((50, 60), np.uint8)
    mask[3 : 3 + height, 7 : 7 + width] = 1
    region = measured(mask)
    assert region.area_px == height * width
    assert region.bbox == (3, 7, 3 + height, 7 + width)
    assert (region.centroid_y_px, region.centroid_x_px) == approx(
        (3 + (height - 1) / 2, 7 + (width - 1) / 2)
    )
    assert region.feret_min_px == approx(min(height, width))
    assert region.feret_max_px == approx(math.hypot(height, width), abs=0.5)
    short, long = sorted((height, width))
    assert region.eccentricity == approx(math.sqrt(1 - (short / long) ** 2), abs=1e-6)
    assert region.solidity == 1
    if height != width:
        assert region.orientation_rad == approx(0 if width > height else math.pi / 2)


@given(long=floats(28, 60), short=floats(8, 20), angle=ANGLE)
def test_a_rotated_rectangle_keeps_its_width_and_its_direction(long, short, angle):
    region = measured(rectangle((120, 120), (60, 60), (long, short), angle))
    assert region.feret_min_px == approx(short, abs=1.2)
    # A corner is a point: the pixel that holds it is lost.
    assert region.feret_max_px == approx(math.hypot(long, short), abs=2)
    assert angle_between_axes(region.orientation_rad, angle) < 2 / (long - short)
    assert region.solidity == 1


def test_orientation_turns_counter_clockwise_as_displayed():
    up_to_the_right = np.eye(20, dtype=np.uint8)[::-1]
    down_to_the_right = np.eye(20, dtype=np.uint8)
    assert measured(up_to_the_right).orientation_rad == approx(math.pi / 4)
    assert measured(down_to_the_right).orientation_rad == approx(-math.pi / 4)
    upright = np.zeros((20, 20), np.uint8)
    upright[2:18, 9:11] = 1
    assert measured(upright).orientation_rad == approx(math.pi / 2)


@given(mask=integers(1, 2**25 - 1))
def test_any_region_stays_within_its_bounds(mask):
    pixels = np.array([mask >> bit & 1 for bit in range(25)], np.uint8).reshape(5, 5)
    region = measured(pixels)
    assert region.aspect_ratio >= 1
    assert 0 < region.solidity <= 1
    assert 0 <= region.eccentricity < 1
    assert -math.pi / 2 < region.orientation_rad <= math.pi / 2
    assert region.area_px == pixels.sum()
    assert region.feret_max_px <= math.hypot(5, 5)
    assert region.perimeter_px > 0


def test_a_bay_lowers_solidity_by_its_own_pixels():
    mask = np.zeros((40, 40), np.uint8)
    mask[5:35, 5:35] = 1
    mask[5:20, 15:25] = 0
    assert measured(mask).solidity == (900 - 150) / 900


def test_the_edge_of_the_micrograph_is_touched_only_by_pixels_on_it():
    assert not measured(disc((41, 41), (20, 20), 19)).touches_border
    for centre in ((20, 19), (20, 21), (19, 20), (21, 20)):
        assert measured(disc((41, 41), centre, 19)).touches_border


def test_interlocking_regions_are_measured_by_their_own_pixels():
    y, x = np.mgrid[:9, :9]
    labels = (1 + (x > y)).astype(np.uint16)
    probability = np.where(labels == 1, 0.75, 0.5).astype(np.float32)
    first, second = measure(labels, probability)
    assert (first.area_px, second.area_px) == (45, 36)
    assert (first.mean_probability, second.mean_probability) == (0.75, 0.5)


def test_labels_with_gaps_and_parts_are_measured_each_once():
    labels = np.zeros((20, 20), np.uint16)
    labels[2:6, 2:6] = 3
    labels[10:12, 10:15] = 7
    labels[17, 17] = 7
    found = measure(labels, np.ones((20, 20), np.float32))
    assert [(region.label, region.area_px) for region in found] == [(3, 16), (7, 11)]


def test_a_field_without_particles_is_an_empty_answer():
    labels = label_particles(np.zeros((32, 32), np.float32), (64, 64), 0.5, 0.02, 0.1, 0.1)
    assert labels.dtype == np.uint16
    assert measure(labels, np.zeros((64, 64), np.float32)) == ()


def test_a_field_filled_by_one_particle_stays_one():
    labels = label_particles(np.ones((32, 32), np.float32), (64, 64), 0.5, 0.02, 0.5, 0.5)
    assert (labels == 1).all()
    assert measured(labels).touches_border


@given(factor=integers(1, 4), dy=floats(-3, 3), dx=floats(-3, 3))
def test_a_resized_probability_stays_where_it_was(factor, dy, dx):
    y, x = np.mgrid[:48, :48]
    coarse = np.exp(-((y - 24 - dy) ** 2 + (x - 24 - dx) ** 2) / 50).astype(np.float32)
    fine = resize_probability(coarse, (48 * factor, 48 * factor))
    y, x = np.mgrid[: fine.shape[0], : fine.shape[1]]
    # Pixel centres: coarse pixel i covers fine pixels i·f to (i + 1)·f − 1.
    expected = (24 + dy + 0.5) * factor - 0.5, (24 + dx + 0.5) * factor - 0.5
    found = (fine * y).sum() / fine.sum(), (fine * x).sum() / fine.sum()
    assert found == approx(expected, abs=0.02 * factor)


def test_a_resized_ramp_stays_a_ramp():
    ramp = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (32, 1))
    steps = np.diff(resize_probability(ramp, (96, 96)), axis=1)
    assert steps[:, 2:-2] == approx(1 / 31 / 3, rel=1e-3)


def test_a_coarser_micrograph_gets_the_mean_probability():
    fine = np.zeros((60, 60), np.float32)
    fine[:, ::2] = 1
    assert resize_probability(fine, (10, 10)) == approx(0.5)


@pytest.mark.parametrize("radius_nm", [0.1, 0.3, 0.5])
def test_opening_takes_specks_and_leaves_particles(radius_nm):
    radius_px = radius_nm / 0.02
    probability = np.maximum(
        disc((128, 128), (50, 50), radius_px + 4), disc((128, 128), (100, 100), radius_px - 1)
    ).astype(np.float32)
    labels = label_particles(probability, (128, 128), 0.5, 0.02, radius_nm, 0)
    (particle,) = measure(labels, probability)
    assert (particle.centroid_y_px, particle.centroid_x_px) == approx((50, 50))
    assert particle.area_px == approx(math.pi * (radius_px + 4) ** 2, rel=0.05)


@pytest.mark.parametrize("radius_nm", [0.1, 0.3, 0.5])
def test_closing_fills_holes_smaller_than_its_disc(radius_nm):
    radius_px = radius_nm / 0.02
    whole = disc((160, 160), (80, 80), 60)
    probability = (whole - disc((160, 160), (80, 80), radius_px - 1)).astype(np.float32)
    labels = label_particles(probability, (160, 160), 0.5, 0.02, 0, radius_nm)
    assert labels[whole == 1].all()


@pytest.mark.parametrize("radius_px", [3.0, 7.5, 12.2, 25.0])
def test_kernels_and_distances_open_the_same_pixels(radius_px, monkeypatch):
    blobs = np.random.default_rng(3).random((200, 200)) < 0.5
    mask = disc((200, 200), (100, 60), 55) | (blobs & rectangle((200, 200), (99, 150), (90, 150)))
    mask = mask.astype(np.uint8)
    monkeypatch.setattr(regions, "KERNEL_RADIUS_PX", 100.0)
    by_kernel = opened(mask, radius_px)
    monkeypatch.setattr(regions, "KERNEL_RADIUS_PX", 0.0)
    assert np.array_equal(by_kernel, opened(mask, radius_px))


def test_morphology_does_not_eat_a_particle_at_the_edge():
    probability = disc((100, 100), (0, 50), 40).astype(np.float32)
    labels = label_particles(probability, (100, 100), 0.5, 0.02, 0.4, 0.4)
    assert np.count_nonzero(labels[0]) == np.count_nonzero(probability[0])


def test_closing_leaves_a_gap_to_the_edge_of_the_micrograph():
    probability = disc((100, 100), (33, 50), 30).astype(np.float32)
    labels = label_particles(probability, (100, 100), 0.5, 0.02, 0, 0.1)
    assert not measured(labels).touches_border


def test_more_particles_than_uint16_holds_are_all_labelled():
    probability = np.zeros((514, 514), np.float32)
    probability[::2, ::2] = 1
    labels = label_particles(probability, (514, 514), 0.5, 0.02, 0, 0)
    assert labels.dtype == np.uint32
    assert labels.max() == 257**2


def test_a_pixel_at_the_threshold_belongs_to_the_particle():
    probability = np.full((4, 4), 0.5, np.float32)
    assert label_particles(probability, (4, 4), 0.5, 0.02, 0, 0).all()


def test_without_a_pixel_size_the_discs_have_the_assumed_scale():
    probability = disc((64, 64), (32, 32), 6).astype(np.float32)
    radius_nm = 7 * regions.ASSUMED_PIXEL_SIZE_NM
    assert not label_particles(probability, (64, 64), 0.5, None, radius_nm, 0).any()


def test_a_region_below_the_size_limit_is_named_and_one_at_it_counts():
    region = measured(disc((64, 64), (32, 32), 20))
    diameter_nm = equivalent_diameter_nm(region.area_px, 0.04)
    assert exclusion(region, 0.04, diameter_nm) is None
    assert exclusion(region, 0.04, diameter_nm * 1.001) is RegionFlag.BELOW_SIZE_LIMIT
    assert exclusion(region, None, 1e9) is None
    assert size_limit_nm(1.0, 1.6) == 1.6
    assert size_limit_nm(2.0, 1.6) == 2.0


@pytest.mark.parametrize("pixel_size_nm", [0, -1, math.inf, math.nan])
def test_an_impossible_pixel_size_is_refused(pixel_size_nm):
    with pytest.raises(ValueError, match="pixel size"):
        equivalent_diameter_nm(100, pixel_size_nm)


def touching_discs(radius_px: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    """Two discs side by side and the seam between them, at 0.04 nm/px."""
    y, x = np.indices((120, 200))
    left, right = (np.hypot(y - 60, x - c) <= radius_px for c in (70, 70 + 2 * radius_px - 2))
    seam = np.exp(-(((x - 99) / 4.0) ** 2)) * (np.abs(y - 60) < 18)
    return (left | right).astype(np.float32), seam.astype(np.float32)


def test_a_seam_parts_particles_that_touch():
    particle, seam = touching_discs()
    together = label_particles(particle, particle.shape, 0.5, 0.04, 0.3, 0.3)
    apart = label_particles(particle, particle.shape, 0.5, 0.04, 0.3, 0.3, seam)
    assert (together.max(), apart.max()) == (1, 2)
    assert ((apart > 0) == (together > 0)).all()
    first, second = measure(apart, particle)
    assert first.area_px == approx(second.area_px, rel=0.05)
    assert (first.bbox[3], second.bbox[1]) == (approx(99, abs=2), approx(99, abs=2))


def test_a_seam_on_another_grid_parts_the_same():
    particle, seam = touching_discs()
    fine = label_particles(particle, (240, 400), 0.5, 0.02, 0.3, 0.3, seam)
    assert fine.max() == 2


def test_a_seam_that_cuts_off_a_speck_or_nothing_parts_nothing():
    particle, seam = touching_discs()
    speck = np.roll(seam, -55, axis=1)  # leaves less than a nanometre of the left disc
    half = seam * (np.indices(seam.shape)[0] < 60)
    for harmless in (speck, half, 0.25 * seam):
        assert label_particles(particle, particle.shape, 0.5, 0.04, 0.3, 0.3, harmless).max() == 1


def test_only_the_particles_on_a_seam_get_new_numbers():
    particle, seam = touching_discs()
    wide = np.pad(particle, ((0, 100), (0, 0)))
    wide[150:190, 40:80] = 1
    labels = label_particles(
        wide, wide.shape, 0.5, 0.04, 0.3, 0.3, np.pad(seam, ((0, 100), (0, 0)))
    )
    assert np.unique(labels).tolist() == [0, 1, 2, 3]
    assert np.unique(labels[155:185, 45:75]).size == 1
