"""Folders of simulated fields: seeded, resumable, made in parallel.

`manifest.json` says what the folder holds; `field_000123.npz` is one field, arrays only. Field i
depends on (seed, i) and the plan alone, so that a run may stop and go on, with any number of
processes, and a folder may grow.
"""

import json
import logging
import math
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.processes import end_with_parent
from analysis.simulation.fields import Field, simulate_field
from analysis.simulation.grid import CELL_PX, FIELD_PX, PIXEL_SIZE_NM
from analysis.simulation.placement import FieldPlan
from analysis.simulation.truth import Particle

log = logging.getLogger(__name__)

FORMAT = 3
MIXED = "mixed"


def simulate(
    folder: Path,
    fields: int,
    seed: int,
    processes: int = 2,
    plan: FieldPlan | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fill `folder` with fields 0 to `fields` - 1; what is there already stays.

    Args:
        folder: made with its parents where it does not exist.
        fields: how many fields the folder shall hold.
        seed: of the whole folder.
        processes: spawned children, one thread each.
        plan: what the fields are made of.
        progress: called with (fields there, fields wanted) after each.

    Raises:
        ValueError: the folder holds fields of another seed or plan.
    """
    plan = FieldPlan() if plan is None else plan
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, seed, plan)
    missing = [i for i in range(fields) if not field_path(folder, i).exists()]
    log.info("%s: %d of %d fields missing", folder, len(missing), fields)
    there = fields - len(missing)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_begin) as pool:
        jobs = [pool.submit(_simulate_one, folder, seed, i, plan) for i in missing]
        for count, job in enumerate(as_completed(jobs), start=there + 1):
            job.result()
            if progress is not None:
                progress(count, fields)


def field_path(folder: Path, index: int) -> Path:
    """Where field `index` lies."""
    return folder / f"field_{index:06d}.npz"


def field_paths(folder: Path) -> list[Path]:
    """All finished fields, in order."""
    return sorted(folder.glob("field_[0-9]*.npz"))


def save_field(path: Path, field: Field) -> None:
    """Write one field, whole or not at all."""
    header = {
        "particles": [asdict(p) for p in field.particles],
        "energy_kev": field.energy_kev,
        "carbon_thickness_nm": field.carbon_thickness_nm,
        "seed": field.seed,
    }
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez(
            stream,
            exit_wave=field.exit_wave,
            mass_thickness=field.mass_thickness,
            labels=field.labels,
            overlap=np.packbits(field.overlap),
            header=np.frombuffer(json.dumps(header).encode(), np.uint8),
        )
    partial.replace(path)


def load_field(path: Path) -> Field:
    """Read one field back."""
    with np.load(path, allow_pickle=False) as archive:
        header = json.loads(archive["header"].tobytes())
        return Field(
            exit_wave=archive["exit_wave"],
            mass_thickness=archive["mass_thickness"],
            labels=archive["labels"],
            overlap=_unpacked(archive["overlap"], archive["labels"].shape),
            particles=tuple(
                Particle(**{**p, "rotation": tuple(p["rotation"])}) for p in header["particles"]
            ),
            energy_kev=header["energy_kev"],
            carbon_thickness_nm=header["carbon_thickness_nm"],
            seed=(header["seed"][0], header["seed"][1]),
        )


def material_of(path: Path) -> str | None:
    """Material of all particles of a field, without its polytype; None of a bare one.

    Fields of several materials are "mixed". Reads no pixels.
    """
    with np.load(path, allow_pickle=False) as archive:
        header = json.loads(archive["header"].tobytes())
    return common_material([particle["material"] for particle in header["particles"]])


def common_material(names: Sequence[str]) -> str | None:
    """The material they all are, CdSe-wz and CdSe-zb both CdSe; "mixed", or None for none."""
    found = {name.partition("-")[0] for name in names}
    return MIXED if len(found) > 1 else next(iter(found), None)


def _unpacked(bits: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The mask that was packed, eight pixels a byte."""
    return np.unpackbits(bits, count=math.prod(shape)).reshape(shape).astype(np.bool_)


def _claim(folder: Path, seed: int, plan: FieldPlan) -> None:
    """Write the manifest, or make sure that the one there is the same."""
    wanted = {
        "format": FORMAT,
        "seed": seed,
        "plan": asdict(plan),
        "pixel_size_nm": PIXEL_SIZE_NM,
        "field_px": FIELD_PX,
        "cell_px": CELL_PX,
    }
    wanted = json.loads(json.dumps(wanted))
    path = folder / "manifest.json"
    if path.exists():
        found = json.loads(path.read_text())
        if found != wanted:
            raise ValueError(f"{folder} holds fields of another seed or plan: {path}")
        return
    path.write_text(json.dumps(wanted, indent=2) + "\n")


def _begin() -> None:
    """Keep a child to one core and to its parent's life; abTEM is kept to one by its settings."""
    end_with_parent()
    cv2.setNumThreads(1)


def _simulate_one(folder: Path, seed: int, index: int, plan: FieldPlan) -> None:
    save_field(field_path(folder, index), simulate_field((seed, index), plan))
