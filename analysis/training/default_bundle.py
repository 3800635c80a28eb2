"""Make the bundle that ships, from simulated fields to manifest.

`python -m analysis.training.default_bundle DATA [--bundle FOLDER] [--real FOLDER]`, where DATA
holds the simulated sets `train`, `bare`, `train_second`, `large`, `banded`, `validation` and
`forest`, as `fringewatch simulate` makes them. The U-Net is fitted in stages; each goes on from its
checkpoint in DATA. The sets to judge by are simulated into DATA where they are missing.
"""

import argparse
import importlib.metadata
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.bundle import Bundle, Manifest, default_folder, load, restated, write
from analysis.features import FEATURE_NAMES, FEATURE_SET_VERSION
from analysis.forest import CLASS_NAMES
from analysis.pipeline import ANALYSIS_VERSION
from analysis.simulation.dataset import field_paths
from analysis.simulation.recipes import RECIPES
from analysis.training.checkpoint import mean, standing_of
from analysis.training.crops import MODEL_PIXEL_SIZE_NM
from analysis.training.evaluate import simulated_scores, summary
from analysis.training.evaluation.manifest import measured
from analysis.training.evaluation.methods import BundleMethod
from analysis.training.evaluation.run import Plan
from analysis.training.fit_forest import (
    LabelledRegions,
    fit_forest,
    held_out,
    labelled_regions,
)
from analysis.training.fit_unet import FitRecipe, checkpoint_weights, fit_unet
from analysis.training.held_out import HeldOut, held_out_crops
from analysis.training.samples import USUAL, Conditions
from analysis.training.sources import SimulatedFields

log = logging.getLogger(__name__)

NAME = "fringewatch-default"
VERSION = "6"
PIXEL_SIZE_RANGE_NM = (0.01, 0.06)
RELIABLE_DIAMETER_NM = 2.0  # the smallest simulated particles
THRESHOLD = 0.5  # of 0.4 to 0.7: least bias of the diameter on validation, Dice within 0.001
FOREST_SEED = 2
FOREST_RENDERINGS = 3
EVALUATION_SEED = 3
JUDGED_CROPS = 96
Weights = Sequence[NDArray[np.float32]]

LIBRARIES = ("keras", "numpy", "scikit-learn", "skops", "tensorflow")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One fit of the U-Net; each begins with the weights of the one before.

    `shares`: of the sets it learns from, by name of `simulation.recipes`. `half_way`: its result is
    the mean of the weights it began with and those it came to, which forgets less of what came
    before (Wortsman et al., CVPR 2022, https://doi.org/10.1109/CVPR52688.2022.00780).
    """

    checkpoint: str
    shares: Mapping[str, float]
    recipe: FitRecipe
    conditions: Conditions
    half_way: bool = False

    def sources(self, data: Path) -> tuple[SimulatedFields, ...]:
        """What is drawn from, in the order of the shares."""
        return tuple(
            SimulatedFields(folder=data / name, conditions=self.conditions) for name in self.shares
        )

    def fit(
        self, data: Path, checkpoint: Path, start: Weights | None, held_out: HeldOut | None
    ) -> Weights:
        """The weights after this stage; goes on from `checkpoint` where that exists.

        The mean of its last checkpoints: what is held out shows how it goes, and chooses nothing.
        """
        fit_unet(self.sources(data), checkpoint, self._shared(), start=start, held_out=held_out)
        found = standing_of(checkpoint).average
        return mean(start, 1, found) if self.half_way and start is not None else found

    def stated(self) -> dict[str, Any]:
        """For the manifest: plain values, the shares in the recipe too, as it is fitted."""
        return asdict(replace(self, recipe=self._shared()))

    def _shared(self) -> FitRecipe:
        return replace(self.recipe, shares=tuple(self.shares.values()))


STAGES = (
    Stage(
        checkpoint="unet_first.npz",
        shares={"train": 0.86, "bare": 0.14},
        recipe=FitRecipe(
            steps=13_500,
            warm_up_steps=300,
            seed=21,
            start_samples=400,
            pool_samples=2500,
            batches_per_sample=4,
            checkpoint_steps=250,
            average_from=11_000,
        ),
        conditions=Conditions(
            dose_e_per_a2=(60.0, 5000.0),
            thickness=0.4,
            discs=0.2,
            contrast=0.3,
            noise=0.25,
            blur=0.25,
            flatten=0.0,
            rescale=0.2,
            print_fraction=0.3,
            annotation=0.0,
        ),
    ),
    Stage(  # on other fields, of which more are hard, and worse prints of them
        checkpoint="unet_second.npz",
        shares={"train_second": 0.70, "large": 0.14, "bare": 0.08, "banded": 0.08},
        recipe=FitRecipe(
            steps=5500,
            learning_rate=1e-3,
            warm_up_steps=200,
            seed=51,
            start_samples=250,
            pool_samples=3000,
            checkpoint_steps=250,
            average_from=4250,
        ),
        conditions=USUAL,
        half_way=True,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Where the simulated sets of `simulation.recipes` lie, and real patches, if there are any."""

    data: Path
    real: Path | None = None

    @property
    def validation(self) -> Path:
        """What the threshold was chosen on."""
        return self.data / "validation"

    @property
    def forest(self) -> Path:
        """What the forest learns from."""
        return self.data / "forest"


def train(inputs: Inputs, checkpoints: Path, stages: Sequence[Stage] = STAGES) -> Weights:
    """The weights after all stages; what the checkpoints already hold is not done again.

    Args:
        inputs: simulated data sets, complete.
        checkpoints: folder for one checkpoint of each stage.
        stages: in their order.
    """
    judged_on = held_out_crops(
        [SimulatedFields(folder=inputs.validation)], EVALUATION_SEED, JUDGED_CROPS
    )
    weights = None
    for stage in stages:
        log.info("stage %s: %d steps", stage.checkpoint, stage.recipe.steps)
        weights = stage.fit(inputs.data, checkpoints / stage.checkpoint, weights, judged_on)
    if weights is None:
        raise ValueError("no stage to train")
    return weights


def assemble(
    inputs: Inputs, weights: Weights, folder: Path, stages: Sequence[Stage] = STAGES
) -> Manifest:
    """Fit the forest on what these weights segment, judge both, write the bundle.

    Its figures and the domain come from the same evaluation as `fringewatch evaluate`, whose scores
    stay in `DATA/evaluation`: the report on this bundle need not do them again.

    Args:
        inputs: simulated data sets, and real patches where there are any.
        weights: of the U-Net.
        folder: of the bundle; replaced.
        stages: the weights were trained in, for the manifest.
    """
    draft = _manifest(inputs, stages)
    with tempfile.TemporaryDirectory() as kept:
        write(Path(kept), draft, weights)
        bundle = load(Path(kept))
        metrics = _segmentation_metrics(bundle, inputs)
        log.info("segmentation: %s", metrics)
        regions = labelled_regions(
            bundle,
            field_paths(inputs.forest),
            FOREST_SEED,
            FOREST_RENDERINGS,
            lambda done, total: _progress("forest", done, total),
        )
    forest, forest_metrics = fit_forest(regions, FOREST_SEED)
    log.info("forest: %s", forest_metrics)
    training = {**draft.training, "forest_regions": regions.counts()}
    metrics["forest_held_out"] = forest_metrics
    check = _check(regions)
    fitted = write(
        folder, replace(draft, training=training, metrics=metrics), weights, forest, check
    )
    judged, domain = measured(
        Plan(
            bundles=(BundleMethod(group="default", bundle=load(folder)),),
            data=inputs.data,
            work=inputs.data / "evaluation",
            real=inputs.real,
        ),
        _progress,
    )
    complete = replace(fitted, metrics={**metrics, "evaluation": judged}, domain=domain)
    return restated(folder, complete)


def _manifest(inputs: Inputs, stages: Sequence[Stage]) -> Manifest:
    learnt_from = {name: inputs.data / name for stage in stages for name in stage.shares}
    folders = (*learnt_from.values(), inputs.validation, inputs.forest)
    return Manifest(
        name=NAME,
        version=VERSION,
        architecture=stages[-1].recipe.architecture,
        filters=stages[-1].recipe.filters,
        model_pixel_size_nm=MODEL_PIXEL_SIZE_NM,
        pixel_size_range_nm=PIXEL_SIZE_RANGE_NM,
        reliable_diameter_nm=RELIABLE_DIAMETER_NM,
        imaging_modes=("TEM",),
        preprocess_recipe="default",
        threshold=THRESHOLD,
        feature_set=FEATURE_SET_VERSION,
        feature_names=FEATURE_NAMES,
        class_names=CLASS_NAMES,
        libraries={name: importlib.metadata.version(name) for name in LIBRARIES},
        training={
            "data": "simulated micrographs on amorphous carbon, abTEM multislice",
            "materials": list(RECIPES["train"].plan.materials),
            "simulated_fields": {path.name: len(field_paths(path)) for path in folders},
            "unet_stages": [stage.stated() for stage in stages],
            "forest_seed": FOREST_SEED,
            "evaluation_seed": EVALUATION_SEED,
            "analysis_version": ANALYSIS_VERSION,
            "code": "analysis.training.default_bundle",
            "code_version": importlib.metadata.version("fringewatch"),
        },
        metrics={},
        licence="GPL-3.0-or-later",
    )


def _segmentation_metrics(bundle: Bundle, inputs: Inputs) -> dict[str, Any]:
    """Of the labels as a user gets them, on the fields the threshold was chosen on."""
    simulated = simulated_scores(bundle, field_paths(inputs.validation), EVALUATION_SEED)
    return {
        "simulated_held_out": {
            "conditions": "0.02-0.05 nm/px, 200-3000 e/A2, defocus +-90 nm",
            "note": "the threshold was chosen on these fields",
            **summary(simulated),
        }
    }


def _check(regions: LabelledRegions) -> NDArray[np.float64]:
    """Held-out rows whose predictions are stored and must come back at every load."""
    return regions.where(held_out(regions)).features


def _progress(stage: str, done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        log.info("%s: %d of %d", stage, done, total)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, make the bundle, log how good it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the simulated sets")
    parser.add_argument("--bundle", type=Path, default=default_folder(), help="folder to write")
    parser.add_argument("--real", type=Path, help="folder of real patches, for evaluation only")
    parser.add_argument(
        "--as-is", type=Path, help="take the weights of this checkpoint, train no further"
    )
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    inputs = Inputs(data=chosen.data, real=chosen.real)
    taken = chosen.as_is
    weights = train(inputs, chosen.data) if taken is None else checkpoint_weights(taken)
    assemble(inputs, weights, chosen.bundle)


if __name__ == "__main__":
    main()
