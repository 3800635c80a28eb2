import math

import numpy as np
import pytest
from scipy.special import erf

from analysis import features
from analysis.features import (
    CRYSTAL_FEATURE_NAMES,
    FEATURE_NAMES,
    PROFILE_FEATURE_NAMES,
    PUBLISHED_FEATURE_NAMES,
    Background,
    background_statistics,
    published_features,
    region_features,
)
from analysis.junctions import JUNCTION_FEATURE_NAMES
from analysis.outline import OUTLINE_FEATURE_NAMES, outline_features
from analysis.regions import Region, measure
from tests.analysis.lattices import GOLD_PER_NM, crystal
from tests.analysis.shapes import disc

approx = pytest.approx
UNIT = Background(level=0.0, deviation=1.0)

# What noise decides: whether a maximum counts, how round it is, on which side of a line it lies.
BY_CHANCE = (
    "reflection_count",
    "reflection_directions",
    "third_direction_strength",
    "reflection_elongation",
    "streak_contrast",
    "streak_along_reflection",
    "unindexed_fraction",
    "phase_step_98_rad",
    "disorder_extent",
    *(name for name in FEATURE_NAMES if name.startswith("split_")),
)


def only_region(labels: np.ndarray) -> Region:
    (region,) = measure(labels, np.ones(labels.shape, np.float32))
    return region


def described(image: np.ndarray, labels: np.ndarray, pixel_size_nm: float) -> dict[str, float]:
    background = background_statistics(image, labels, pixel_size_nm)
    values = region_features(image, labels, only_region(labels), pixel_size_nm, background)
    assert tuple(values) == FEATURE_NAMES
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize("pixel_size_nm", [0.02, 0.03, 0.04])
@pytest.mark.parametrize(("diameter_nm", "noise"), [(2, 0), (5, 0), (9, 0), (5, 1.5), (9, 3)])
def test_features_do_not_change_with_the_pixel_size(diameter_nm, noise, pixel_size_nm):
    """Noise of 1.5 is nearly as strong as the carbon at 0.03 nm/px; a new draw of it each time."""
    fine, coarse = (
        described(*crystal(size_nm, diameter_nm, diameter_nm + 8, noise), size_nm)
        for size_nm in (pixel_size_nm, 1.5 * pixel_size_nm)
    )
    for name in PROFILE_FEATURE_NAMES:
        assert coarse[name] == approx(fine[name], rel=0.05), name


@pytest.mark.parametrize("pixel_size_nm", [0.03, 0.045, 0.06])
@pytest.mark.parametrize(("diameter_nm", "noise"), [(4, 2), (6, 2), (6, 4)])
def test_what_shows_the_lattice_does_not_change_with_the_pixel_size(
    diameter_nm, noise, pixel_size_nm
):
    """A new draw of the noise at every pixel size; outlines are known to half a pixel."""
    fine, coarse = (
        described(*crystal(size_nm, diameter_nm, diameter_nm + 8, noise), size_nm)
        for size_nm in (0.02, pixel_size_nm)
    )
    for name in set(FEATURE_NAMES) - set(BY_CHANCE):
        assert coarse[name] == approx(fine[name], rel=0.2, abs=0.06), name


def test_features_do_not_change_with_twice_the_crop():
    image, labels = crystal(0.03, 4.0, 16.0, noise=2.0)
    quarter = image.shape[0] // 4
    inner = slice(quarter, -quarter)
    whole = described(image, labels, 0.03)
    cropped = described(image[inner, inner], labels[inner, inner], 0.03)
    for name in FEATURE_NAMES:
        assert cropped[name] == approx(whole[name], rel=0.05), name


def test_features_do_not_change_with_the_gain_or_offset_of_the_camera():
    image, labels = crystal(0.03, 4.0, 12.0)
    counts = described(image, labels, 0.03)
    electrons = described(image / 25 + 7, labels, 0.03)
    assert electrons == approx(counts, rel=1e-3)


def test_features_do_not_change_with_the_direction_of_the_lattice():
    values = [
        described(*crystal(0.03, 5.0, 13.0, angle_rad=a, carbon=6.0), 0.03)
        for a in (0, 0.4, 0.8, 1.2)
    ]
    for name in PROFILE_FEATURE_NAMES:
        assert max(v[name] for v in values) == approx(min(v[name] for v in values), rel=0.05), name


def test_fringes_on_nothing_have_their_centroid_at_their_frequency():
    size_nm, q = 0.02, GOLD_PER_NM[0]
    x = np.mgrid[:500, :500][1] * size_nm
    image = np.cos(2 * np.pi * q * x).astype(np.float32)
    labels = disc((500, 500), (250, 250), 200).astype(np.uint16)
    values = region_features(image, labels, only_region(labels), size_nm, UNIT)
    # The rim's leakage is a few per cent of the power.
    assert values["fourier_centroid_per_nm"] == approx(q, rel=0.02)
    smoothing = math.exp(-2 * (math.pi * 0.05 * q) ** 2)
    assert values["intensity_std"] == approx(smoothing / math.sqrt(2), rel=0.02)
    assert values["intensity_mean"] == approx(0, abs=0.01)


def test_white_noise_has_a_flat_profile_of_its_own_power():
    size_nm, deviation = 0.03, 3.0
    noise = np.random.default_rng(5).normal(0, deviation, (900, 900)).astype(np.float32)
    labels = disc((900, 900), (450, 450), 400).astype(np.uint16)
    values = region_features(noise, labels, only_region(labels), size_nm, UNIT)
    assert values["fourier_mean"] == approx((deviation * size_nm) ** 2, rel=0.02)
    assert values["fourier_std"] < 0.2 * values["fourier_mean"]
    assert values["fourier_centroid_per_nm"] == approx((0.5 + 8) / 2, rel=0.02)


def test_noise_outside_the_grown_region_changes_nothing():
    image, labels = crystal(0.03, 4.0, 12.0)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    centre = (image.shape[0] - 1) / 2
    beyond = np.hypot(y - centre, x - centre) * 0.03 > 2.0 + 0.5 + 0.3
    loud = np.where(beyond, image + 5000, image).astype(np.float32)
    region = only_region(labels)
    background = background_statistics(image, labels, 0.03)
    quiet = region_features(image, labels, region, 0.03, background)
    after = region_features(loud, labels, region, 0.03, background)
    for name in (*PROFILE_FEATURE_NAMES, *CRYSTAL_FEATURE_NAMES):
        assert after[name] == approx(quiet[name], rel=1e-3, abs=1e-6), name


@pytest.mark.parametrize("pixel_size_nm", [0.02, 0.06])
def test_the_rim_weighs_half_of_its_half_nanometre(pixel_size_nm):
    """A step at the edge of a disc: the rim's share is ∫w dA = 2π·(R·L/2 + L²·(1/4 − 1/π²))."""
    side, radius_nm, rim_nm = round(8 / pixel_size_nm), 2.0, 0.5
    inside = disc((side, side), ((side - 1) / 2,) * 2, radius_nm / pixel_size_nm)
    values = region_features(
        1 - inside.astype(np.float32),
        inside.astype(np.uint16),
        only_region(inside.astype(np.uint16)),
        pixel_size_nm,
        UNIT,
    )
    rim = 2 * math.pi * (radius_nm * rim_nm / 2 + rim_nm**2 * (1 / 4 - 1 / math.pi**2))
    expected = rim / (math.pi * radius_nm**2 + rim)
    assert values["intensity_mean"] == approx(expected, rel=0.05)


def test_a_shade_across_a_particle_stays_at_low_frequencies():
    """A ramp has no lattice; cut out hard, its edge fills the profile as one over q³."""
    ramp = np.tile(np.arange(300, dtype=np.float32), (300, 1))
    labels = disc((300, 300), (150, 150), 60).astype(np.uint16)
    values = region_features(ramp, labels, only_region(labels), 0.03, UNIT)
    assert values["fourier_centroid_per_nm"] < 0.7


def test_a_region_cut_by_the_edge_of_the_micrograph_does_not_leak():
    """Speckle below 5 nm⁻¹ alone: a hard edge would spread it to 8 nm⁻¹."""
    image, labels = crystal(0.03, 4.0, 12.0)
    ramp = image + 200 * np.arange(image.shape[0], dtype=np.float32)[:, None] * 0.03
    middle = image.shape[0] // 2
    whole, cut = (
        described(i, b, 0.03) for i, b in ((ramp, labels), (ramp[middle:], labels[middle:]))
    )
    assert cut["fourier_centroid_per_nm"] == approx(whole["fourier_centroid_per_nm"], rel=0.1)


def test_bins_above_nyquist_are_absent():
    image, labels = crystal(0.08, 6.0, 20.0)
    coarse = described(image, labels, 0.08)
    assert coarse["fourier_centroid_per_nm"] < 0.5 / 0.08
    tiny = region_features(image, labels, only_region(labels), 3.0, UNIT)
    assert tiny["fourier_mean"] is None
    assert tiny["fourier_centroid_per_nm"] is None
    assert tiny["intensity_mean"] is not None
    assert {tiny[name] for name in CRYSTAL_FEATURE_NAMES} == {None}
    assert all(tiny[name] is not None for name in OUTLINE_FEATURE_NAMES)


def test_without_a_pixel_size_only_real_space_is_described():
    image = np.full((60, 60), 10, np.float32)
    labels = disc((60, 60), (30, 30), 12).astype(np.uint16)
    image[labels == 1] = 14
    values = region_features(
        image, labels, only_region(labels), None, Background(level=10, deviation=2)
    )
    of_space = {"intensity_mean": 2.0, "intensity_std": 0.0} | outline_features(labels == 1)
    of_space |= dict.fromkeys(JUNCTION_FEATURE_NAMES, 0.0)
    assert values == dict.fromkeys(FEATURE_NAMES) | of_space


def test_a_field_without_contrast_describes_nothing():
    image = np.full((60, 60), 10, np.float32)
    labels = disc((60, 60), (30, 30), 12).astype(np.uint16)
    background = background_statistics(image, labels, 0.03)
    assert background == Background(level=approx(10), deviation=0)
    assert region_features(image, labels, only_region(labels), 0.03, background) == (
        dict.fromkeys(FEATURE_NAMES)
    )
    flat = region_features(image, labels, only_region(labels), 0.03, UNIT)
    assert flat["fourier_centroid_per_nm"] is None or flat["fourier_mean"] < 1e-9


def test_the_background_is_measured_outside_the_grown_particles():
    rng = np.random.default_rng(1)
    image = rng.normal(500, 20, (800, 800)).astype(np.float32)
    labels = disc((800, 800), (400, 400), 200).astype(np.uint16)
    grown = disc((800, 800), (400, 400), 200 + 0.45 / 0.03)
    image[grown == 1] += 1e5
    background = background_statistics(image, labels, 0.03)
    assert background.level == approx(500, abs=1)
    # White noise through a Gaussian of s pixels: deviation 1/(2·√π·s) of its own.
    assert background.deviation == approx(20 / (2 * math.sqrt(math.pi) * 0.05 / 0.03), rel=0.05)


def test_the_background_is_not_moved_by_a_few_strange_pixels():
    rng = np.random.default_rng(1)
    image = rng.normal(500, 20, (400, 400)).astype(np.float32)
    image[rng.random(image.shape) < 0.02] = 60000
    background = background_statistics(image, np.zeros(image.shape, np.uint16), None)
    assert (background.level, background.deviation) == approx((500, 20), rel=0.05)


def test_the_rim_of_a_particle_is_no_background():
    labels = np.zeros((200, 200), np.uint16)
    labels[::40, ::40] = 1
    labels[10:190:40, 10:190:40] = 1
    image = np.full((200, 200), 7, np.float32)
    near = np.zeros((200, 200), bool)
    for y, x in np.argwhere(labels):
        near[max(0, y - 9) : y + 10, max(0, x - 9) : x + 10] = True
    image[near] = 100
    assert background_statistics(image, labels, 0.05).level == approx(7, abs=1)


def test_the_rim_is_as_wide_where_the_field_is_sampled_coarsely():
    """1,024² px are sampled at every other: rims of 1 nm would leave no background at all."""
    y, x = np.mgrid[:1024, :1024]
    distance_px = np.hypot((y % 64) - 32, (x % 64) - 32)
    labels = (distance_px < 20).astype(np.uint16)
    image = np.where(distance_px < 20 + 0.4 / 0.04, 900, 100).astype(np.float32)
    assert background_statistics(image, labels, 0.04).level == approx(100, abs=10)


def test_a_field_full_of_particles_has_the_background_of_the_whole():
    image = np.random.default_rng(2).normal(50, 5, (300, 300)).astype(np.float32)
    labels = np.ones((300, 300), np.uint16)
    background = background_statistics(image, labels, None)
    assert (background.level, background.deviation) == approx((50, 5), rel=0.05)


def test_published_features_are_the_papers_ring_sums():
    image, labels = crystal(0.04, 5.0, 12.0)
    region = only_region(labels)
    y0, x0, y1, x1 = region.bbox
    crop = image[y0:y1, x0:x1].astype(float)
    expected = ring_sums(crop)
    numbers = np.arange(expected.size)
    values = published_features(image, labels, region)
    assert tuple(values) == PUBLISHED_FEATURE_NAMES
    assert values["published_fourier_mean"] == approx(expected.mean(), rel=0.002)
    assert values["published_fourier_std"] == approx(expected.std(), rel=0.002)
    assert values["published_fourier_centroid_px"] == approx(
        math.sqrt(2) * (expected @ numbers) / expected.sum(), rel=0.002
    )
    assert values["published_intensity_mean"] == approx(crop.mean())
    assert values["published_intensity_std"] == approx(crop.std())


def ring_sums(crop: np.ndarray) -> np.ndarray:
    """Ring i rises over [√2·i, √2·i + 4] px and falls over [√2·i + 14, √2·i + 18] px."""
    side = min(crop.shape)
    modulus = np.abs(np.fft.fftshift(np.fft.fft2(crop[:side, :side])))
    y, x = np.mgrid[:side, :side] - side / 2
    radius = np.hypot(y, x)

    def step(low: float) -> np.ndarray:
        return (1 + erf(4 * ((radius - low) / 4 - 0.5))) / 2

    inner = math.sqrt(2) * np.arange(min(side, 100))
    return np.array([(modulus * (step(r) - step(r + 14))).sum() for r in inner])


def test_published_features_change_with_the_crop():
    image, labels = crystal(0.04, 5.0, 12.0)
    wider = disc(labels.shape, ((labels.shape[0] - 1) / 2,) * 2, 100).astype(np.uint16)
    narrow = published_features(image, labels, only_region(labels))
    wide = published_features(image, wider, only_region(wider))
    assert wide["published_fourier_mean"] > 1.3 * narrow["published_fourier_mean"]


def test_a_region_of_one_pixel_is_described_without_complaint():
    image, labels = crystal(0.03, 4.0, 12.0)
    speck = np.zeros_like(labels)
    speck[30, 40] = 1
    values = described(image, speck, 0.03)
    assert all(math.isfinite(value) for value in values.values())
    assert len(values) == len(FEATURE_NAMES)
    published = published_features(image, speck, only_region(speck))
    assert all(math.isfinite(value) for value in published.values())


def test_only_what_is_asked_for_is_computed(monkeypatch):
    """The five features of set fringewatch-1 are what they were, without a search for a lattice."""
    image, labels = crystal(0.03, 4.0, 12.0, noise=2.0)
    region, background = only_region(labels), background_statistics(image, labels, 0.03)
    every = region_features(image, labels, region, 0.03, background)

    def asked(names):
        return region_features(image, labels, region, 0.03, background, names)

    for names in (("shade_gap", "dent_depth"), ("split_gain",), FEATURE_NAMES[::-1]):
        assert asked(names) == {name: every[name] for name in names}
        assert tuple(asked(names)) == names
    for name in ("find_lattice", "outline_features", "shade_features"):
        monkeypatch.setattr(features, name, None)
    assert asked(PROFILE_FEATURE_NAMES) == {name: every[name] for name in PROFILE_FEATURE_NAMES}


def test_a_feature_nobody_computes_is_refused():
    image, labels = crystal(0.03, 4.0, 12.0)
    with pytest.raises(ValueError, match="'moon_phase'"):
        region_features(image, labels, only_region(labels), 0.03, UNIT, ("moon_phase",))


def test_the_same_region_has_the_same_features_to_the_last_bit():
    image, labels = crystal(0.03, 5.0, 12.0, noise=3.0)
    assert described(image, labels, 0.03) == described(image.copy(), labels.copy(), 0.03)


@pytest.mark.parametrize("pixel_size_nm", [0.01, 0.03, 0.1, 0.31, 1.0])
@pytest.mark.parametrize(
    "place",
    [
        pytest.param((slice(0, 1), slice(0, 1)), id="one pixel in the corner"),
        pytest.param((slice(70, 72), slice(70, 72)), id="two by two"),
        pytest.param((slice(0, 40), slice(100, 160)), id="cut by an edge"),
        pytest.param((slice(80, 81), slice(0, 160)), id="a thread from edge to edge"),
        pytest.param((slice(None), slice(None)), id="the whole field"),
    ],
)
@pytest.mark.parametrize("contrast", [0.0, 1.0])
def test_every_region_has_finite_features_or_none(place, pixel_size_nm, contrast):
    noise = contrast * np.random.default_rng(1).normal(5, 1, (160, 160)).astype(np.float32)
    labels = np.zeros((160, 160), np.uint16)
    labels[place] = 1
    values = region_features(noise, labels, only_region(labels), pixel_size_nm, UNIT)
    assert all(value is None or math.isfinite(value) for value in values.values())
    known = {name for name, value in values.items() if value is not None}
    if pixel_size_nm < 0.3:
        assert known >= set(FEATURE_NAMES) - {"fourier_centroid_per_nm"}
    else:
        assert not known & set(CRYSTAL_FEATURE_NAMES)


def test_of_a_region_without_end_the_innermost_part_tells_the_lattice():
    """120 nm of crystal: the spectrum of all of it would tell no more and take gigabytes."""
    size_nm = 0.1
    image, _ = crystal(size_nm, 500.0, 120.0, carbon=30.0, noise=4.0)
    labels = np.zeros((1200, 1200), np.uint16)
    labels[100:1101, :1001] = 7
    part = slice(200, 1000), slice(100, 900)  # 80 nm around its middle
    whole, cut = (
        region_features(i, b, only_region(b), size_nm, UNIT, CRYSTAL_FEATURE_NAMES)
        for i, b in ((image, labels), (image[part], labels[part]))
    )
    assert whole["reflection_strength"] > 1000
    for name in CRYSTAL_FEATURE_NAMES:
        assert whole[name] == approx(cut[name], rel=0.05, abs=0.05), name
