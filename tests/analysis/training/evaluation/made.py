"""Cases, answers and scores made by hand, so that what they come to is known."""

import json

import cv2
import numpy as np

from analysis.forest import CLASS_NAMES
from analysis.metrics import PixelCounts
from analysis.simulation.dataset import field_path, save_field
from analysis.training.evaluation.cases import Case, Truth
from analysis.training.evaluation.methods import Found
from analysis.training.evaluation.scores import CaseScore, ParticleScore
from analysis.training.micrographs import calibrated

PIXEL_NM = 0.05
SURE = 0.9


def squares(*boxes, shape=(200, 240)):
    """Labels 1, 2, ... at (top, left, side)."""
    labels = np.zeros(shape, np.uint16)
    for label, (top, left, side) in enumerate(boxes, start=1):
        labels[top : top + side, left : left + side] = label
    return labels


def case(labels, classes=None, material="Au", image=None, set_name="core", name="field_000000"):
    """A case with these labels; `classes` by label."""
    image = np.zeros(labels.shape, np.uint16) if image is None else image
    return Case(
        set_name=set_name,
        name=name,
        material=material,
        micrograph=calibrated(image, PIXEL_NM, name),
        pixel_size_nm=PIXEL_NM,
        labels=labels,
        regions={label: Truth(class_name=each) for label, each in (classes or {}).items()},
        dose_e_per_a2=800.0,
        defocus_nm=-40.0,
    )


def found(labels, classes=None, probability=None):
    """An answer with these labels; `classes` by label, each rather sure."""
    return Found(
        labels=labels,
        seconds=0.5,
        probability=probability,
        probabilities={label: sure_of(name) for label, name in (classes or {}).items()},
    )


def sure_of(name):
    """Probabilities of the classes: 0.9 for one, the rest shared."""
    rest = (1 - SURE) / (len(CLASS_NAMES) - 1)
    return tuple(SURE if each == name else rest for each in CLASS_NAMES)


def particle(true_nm=None, found_nm=None, iou=None, true_class=None, found_class=None, **more):
    """A particle of a score; an IoU of 0.8 where it is in both."""
    both = true_nm is not None and found_nm is not None
    return ParticleScore(
        true_nm=true_nm,
        found_nm=found_nm,
        iou=(0.8 if both else None) if iou is None else iou,
        at_border=more.pop("at_border", False),
        true_class=true_class,
        probabilities=None if found_class is None else sure_of(found_class),
        **more,
    )


def score(*particles, overlap=90, true=100, seen=100, size=1000, **more):
    """The score of a micrograph; Dice 0.9 unless said otherwise."""
    values = {
        "key": "core/field_000000/0",
        "set_name": "core",
        "name": "field_000000",
        "material": "Au",
        "empty": true == 0,
        "pixel_size_nm": 0.03,
        "size_px": size,
        "dose_e_per_a2": 800.0,
        "defocus_nm": -40.0,
        "pixels": PixelCounts(overlap=overlap, true=true, found=seen),
        "with_margin": None,
        "particles": particles,
        "histogram": None,
        "in_domain": True,
        "seconds": 0.5,
    }
    return CaseScore(**{**values, **more})


def write_set(data, name, *fields):
    """A simulated set of these fields below `data`."""
    folder = data / name
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"made_by": "a test", "set": name}))
    for number, each in enumerate(fields):
        save_field(field_path(folder, number), each)


def write_real(folder):
    """Two patches as a user has them: a dark disc, and bare noise with an empty mask."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    y, x = np.indices((160, 180))
    lines = ["file,mask,material,pixel_size_nm"]
    for name, radius_px in (("disc", 40), ("bare", 0)):
        inside = np.hypot(y - 80, x - 90) < radius_px
        image = 120 + 15 * rng.normal(size=inside.shape) - 50 * inside
        cv2.imwrite(str(folder / f"{name}.tif"), np.clip(image, 0, 255).astype(np.uint8))
        cv2.imwrite(str(folder / f"{name}_mask.png"), 255 * inside.astype(np.uint8))
        lines.append(f"{name}.tif,{name}_mask.png,Au,{PIXEL_NM}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
