"""What a model says of its classifier's errors, and whether it says it of this material."""

import json
from collections.abc import Iterable

import numpy as np

from schema.correction import Classifier, Confusion
from schema.records import CLASS_NAMES, BundleRecord

NO_MATRIX = "the model states no confusion matrix"


def classifier_of(bundle: BundleRecord | None, materials: Iterable[str] = ()) -> Classifier:
    """The confusion matrix of a model's manifest, unless the specimen is outside what it knows.

    Args:
        bundle: the model of the results; None where there are none.
        materials: of the sessions, those that state one: `Au`, `CdSe`.
    """
    manifest = json.loads(bundle.manifest_json) if bundle else {}
    strange = sorted(set(materials) - _known(manifest))
    if strange:
        return Classifier(reason=f"the model was not measured on {', '.join(strange)}")
    held_out = manifest.get("metrics", {}).get("forest_held_out", {})
    counts = np.array(held_out.get("confusion_rows_are_truth", []), np.float64)
    if held_out.get("classes") != list(CLASS_NAMES) or not _is_matrix(counts):
        return Classifier(reason=NO_MATRIX)
    return Classifier(confusion=Confusion(counts=counts, source="simulation-based"))


def _known(manifest: dict[str, object]) -> set[str]:
    """Formulas, without the letters of a polymorph: wurtzite CdSe-wz is CdSe."""
    training = manifest.get("training", {})
    names = training.get("materials", []) if isinstance(training, dict) else []
    return {str(name).partition("-")[0] for name in names}


def _is_matrix(counts: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> bool:
    size = len(CLASS_NAMES)
    return counts.shape == (size, size) and bool((counts.sum(axis=1) > 0).all())
