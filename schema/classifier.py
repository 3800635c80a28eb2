"""What a model says of its classifier's errors, and whether it says it of this material."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from schema.choice import DEFAULT_RULES, Rules
from schema.correction import Classifier, Confusion
from schema.records import CLASS_NAMES, BundleRecord

NO_MATRIX = "the model states no confusion matrix"


def classifier_of(
    bundle: BundleRecord | None, materials: Iterable[str] = (), rules: Rules = DEFAULT_RULES
) -> Classifier:
    """The confusion matrix of a model's manifest, unless the specimen is outside what it knows.

    Args:
        bundle: the model of the results; None where there are none.
        materials: of the sessions, those that state one: `Au`, `CdSe`.
        rules: what counts; of some sizes alone the errors are not known.
    """
    manifest = json.loads(bundle.manifest_json) if bundle else {}
    confusion = _confusion(manifest)
    if confusion is None:
        return Classifier(reason=NO_MATRIX)
    strange = sorted({_formula(name) for name in materials} - _known(manifest))
    if strange:
        return Classifier(reason=f"the model was not measured on {', '.join(strange)}")
    if rules.out_of_domain:
        return Classifier(reason="micrographs outside the model's domain count")
    if rules.uncalibrated:
        return Classifier(reason="micrographs without a pixel size may lie outside its domain")
    if rules.size_range_nm is not None:
        return Classifier(reason="the classifier's errors are known for all sizes together")
    return Classifier(confusion=confusion)


def _confusion(manifest: Mapping[str, Any]) -> Confusion | None:
    held_out = (manifest.get("metrics") or {}).get("forest_held_out") or {}
    if held_out.get("classes") != list(CLASS_NAMES):
        return None
    try:
        counts = np.array(held_out.get("confusion_rows_are_truth"), np.float64)
    except ValueError:  # rows of different lengths
        return None
    return Confusion(counts=counts, source="simulation-based") if _is_matrix(counts) else None


def _known(manifest: Mapping[str, Any]) -> set[str]:
    return {_formula(name) for name in (manifest.get("training") or {}).get("materials") or ()}


def _formula(name: str) -> str:
    """Without the letters of a polymorph: wurtzite CdSe-wz is CdSe."""
    return name.partition("-")[0]


def _is_matrix(counts: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> bool:
    size = len(CLASS_NAMES)
    return counts.shape == (size, size) and bool((counts.sum(axis=1) > 0).all())
