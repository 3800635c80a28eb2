"""What the network says of particles that meet is read off at the pixels of the region alone."""

import numpy as np
import pytest

from analysis.junctions import JUNCTION_FEATURE_NAMES, Junctions, junction_features
from analysis.regions import measure


def field(shape, *discs):
    """Labels 1, 2, ... of discs (y, x, radius) in native pixels, and their regions."""
    labels = np.zeros(shape, np.uint16)
    y, x = np.indices(shape)
    for number, (middle_y, middle_x, radius) in enumerate(discs, start=1):
        labels[np.hypot(y - middle_y, x - middle_x) <= radius] = number
    return labels, measure(labels, np.ones(shape, np.float32))


@pytest.mark.parametrize("finer", [1, 2, 0.5])
def test_overlap_is_that_of_the_region_at_any_two_pixel_sizes(finer):
    labels, (left, right) = field((120, 160), (60, 40, 30), (60, 115, 30))
    grid = (round(120 * finer), round(160 * finer))
    overlap = np.zeros(grid, np.float32)
    overlap[:, grid[1] // 2 :] = 0.8
    junctions = Junctions(overlap=overlap, seam=np.full(grid, 0.1, np.float32))
    alone, over = (junction_features(junctions, labels, one) for one in (left, right))
    assert alone == pytest.approx(
        {"overlap_mean": 0, "overlap_high": 0, "seam_mean": 0.1, "seam_high": 0.1}
    )
    assert over["overlap_mean"] == pytest.approx(0.8)


def test_a_lens_of_overlap_counts_by_its_share_of_the_region():
    labels, (region,) = field((100, 100), (50, 50, 40))
    overlap = np.zeros((100, 100), np.float32)
    overlap[50:, :] = 1.0
    found = junction_features(Junctions(overlap=overlap, seam=overlap), labels, region)
    assert found["overlap_mean"] == pytest.approx(0.5, abs=1 / 80)
    assert found["overlap_high"] == 1.0


def test_a_region_smaller_than_a_pixel_of_the_network_has_the_value_there():
    labels = np.zeros((90, 90), np.uint16)
    labels[89, 89] = 1
    (region,) = measure(labels, np.ones((90, 90), np.float32))
    probability = np.arange(9, dtype=np.float32).reshape(3, 3) / 10
    found = junction_features(Junctions(overlap=probability, seam=probability), labels, region)
    assert set(found.values()) == {np.float32(0.8)}


def test_a_network_that_does_not_tell_has_seen_no_particles_meet():
    labels, (region,) = field((50, 50), (25, 25, 10))
    assert junction_features(None, labels, region) == dict.fromkeys(JUNCTION_FEATURE_NAMES, 0.0)
