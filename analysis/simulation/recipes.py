"""The data sets that models are made and judged with: each a plan, a seed and a size.

`core` is what the published figures are stated on: 3-12 nm particles, to be rendered at 0.02-0.05
nm/px and 200-3000 e/Å². No seed is used twice, so nothing that was trained on is judged on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from analysis.simulation.carbon import FilmPlan
from analysis.simulation.placement import BALANCED_PLAN, FieldPlan

CORE_PLAN = FieldPlan(
    particles=(2, 7), empty_fraction=0.0, diameters_nm=(3.0, 12.0), typical_diameter_nm=5.5
)

BARE_PLAN = FieldPlan(
    empty_fraction=1.0,
    film=FilmPlan(ramp_fraction=0.5, contamination_fraction=0.5, hole_fraction=0.2),
)
"""No particles, and of all that may be taken for one more than usual."""

BANDED_PLAN = FieldPlan(
    empty_fraction=1.0,
    film=FilmPlan(thickness_nm=(4.0, 18.0), ramp_fraction=0.9, contamination_fraction=0.6),
)
"""No particles on thick carbon in bands: as dark as a particle, and nearly as sharp."""

LARGE_PLAN = FieldPlan(
    particles=(1, 4),
    empty_fraction=0.0,
    diameters_nm=(5.0, 15.0),
    typical_diameter_nm=8.5,
    diameter_spread=0.3,
)
"""Particles through which few electrons come: nearly black, fringes on their rim alone."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A data set of `fields` fields, for `dataset.simulate`; `purpose` is for people."""

    name: str
    purpose: str
    plan: FieldPlan
    seed: int
    fields: int


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                name="train",
                purpose="the U-Net learns from these",
                plan=FieldPlan(),
                seed=20261122,
                fields=1500,
            ),
            Recipe(
                name="bare",
                purpose="the U-Net learns from these what is no particle",
                plan=BARE_PLAN,
                seed=20261125,
                fields=320,
            ),
            Recipe(
                name="banded",
                purpose="the U-Net learns from these that dark bands are no particle",
                plan=BANDED_PLAN,
                seed=20261126,
                fields=160,
            ),
            Recipe(
                name="large",
                purpose="the U-Net learns from these what large particles look like",
                plan=LARGE_PLAN,
                seed=20261127,
                fields=260,
            ),
            Recipe(
                name="train_second",
                purpose="the U-Net's last stage learns from these, which the first has not seen",
                plan=FieldPlan(),
                seed=20261128,
                fields=560,
            ),
            Recipe(
                name="validation",
                purpose="which weights and which threshold to keep",
                plan=CORE_PLAN,
                seed=7,
                fields=48,
            ),
            Recipe(
                name="core",
                purpose="held out: how good the segmentation is",
                plan=CORE_PLAN,
                seed=41,
                fields=120,
            ),
            Recipe(
                name="empty",
                purpose="held out: what is found where nothing is",
                plan=BARE_PLAN,
                seed=43,
                fields=40,
            ),
            Recipe(
                name="unseen",
                purpose="held out: materials that no training field has",
                plan=replace(CORE_PLAN, materials=("PbS", "Pd")),
                seed=47,
                fields=40,
            ),
            Recipe(
                name="wide",
                purpose="held out: from which diameter on particles are found",
                plan=FieldPlan(
                    particles=(3, 8),
                    empty_fraction=0.0,
                    typical_diameter_nm=4.0,
                    diameter_spread=0.6,
                    touching=0.0,
                ),
                seed=53,
                fields=80,
            ),
            Recipe(
                name="forest",
                purpose="the forest learns from these",
                plan=BALANCED_PLAN,
                seed=99,
                fields=900,
            ),
            Recipe(
                name="forest_test",
                purpose="held out: how good the classes are",
                plan=replace(BALANCED_PLAN, diameters_nm=(3.0, 12.0)),
                seed=101,
                fields=200,
            ),
        )
    }
)
