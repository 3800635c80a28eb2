"""A rendered field is a micrograph whose truth lies where it lies, named by what is visible."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.training.micrographs import CORE, RenderConditions, rendered
from tests.analysis.training.fields import CENTRE_PX, RADIUS_PX, disc_field


def test_a_rendered_field_keeps_its_truth_in_place():
    seen = rendered(disc_field(), np.random.default_rng(1), "disc")
    pixel_size_nm = seen.micrograph.calibration.pixel_size_nm
    assert seen.labels.shape == seen.micrograph.image.shape
    centre_nm = np.argwhere(seen.labels == 1).mean(axis=0) * pixel_size_nm
    assert centre_nm == pytest.approx(0.04 * np.array(CENTRE_PX), abs=0.06)
    (region,) = seen.regions
    assert region.diameter_nm == pytest.approx(2 * RADIUS_PX * 0.04, rel=0.01)
    assert not region.touches_border


def test_a_particle_whose_planes_do_not_show_is_misoriented():
    # The disc has fringes, but not those that gold has in its orientation.
    field = disc_field("no_stacking_fault")
    (region,) = rendered(field, np.random.default_rng(1), "disc").regions
    assert (region.class_name, region.reflections_seen) == ("misoriented", 0)


def test_overlapping_particles_are_one_agglomeration():
    field = disc_field()
    pair = tuple(replace(field.particles[0], overlapping=True) for _ in range(2))
    seen = rendered(replace(field, particles=pair), np.random.default_rng(1), "pair")
    assert [region.class_name for region in seen.regions] == ["agglomeration"]
    assert set(np.unique(seen.labels)) == {0, 1}


def test_the_conditions_are_kept():
    asked = RenderConditions(
        pixel_size_nm=(0.03, 0.031), dose_e_per_a2=(90, 100), defocus_nm=(-12, -11)
    )
    for seed in range(5):
        seen = rendered(disc_field(), np.random.default_rng(seed), "disc", asked)
        assert 0.0299 <= seen.exposure.pixel_size_nm <= 0.0311
        assert 90 <= seen.exposure.dose_e_per_a2 <= 100
        assert -12 <= seen.optics.defocus_nm <= -11
    core = [rendered(disc_field(), np.random.default_rng(s), "disc", CORE) for s in range(5)]
    assert all(200 <= one.exposure.dose_e_per_a2 <= 3000 for one in core)
