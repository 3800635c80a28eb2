"""A state folder as after two sessions: everything that makes a table of particles hard to read."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Engine

from schema import ledger, store
from schema.records import CLASS_NAMES, ParticleRecord, ResultRecord
from tests.daemon.moments import NOW
from tests.daemon.results import STRANGE, seen, session
from tests.schema.examples import particle, result, sha256

FIELDS = {"17": 8, "18": 5}  # micrographs of each synthesis run
PARTICLES = 6  # of each
SHARES = (0.2, 0.5, 0.15, 0.1, 0.05)  # of the classes


def populate(owner: Engine) -> None:
    """Two runs, and beside them what statistics leave out, each for a reason of its own."""
    rng = np.random.default_rng(20210225)
    morning = session(owner, "morning", 1, sample="Au on carbon", run="17", material="Au")
    evening = session(owner, "evening", 2, sample="Au on carbon", run="18", material="Au")
    for run, session_id in (("17", morning), ("18", evening)):
        for number in range(FIELDS[run]):
            name = f"run{run}_{number:02d}"
            _file(owner, name, [_found(name, rng)], session_id)
    copied = _found("run17_00", np.random.default_rng(1))
    _file(owner, "copy_of_run17_00", [replace(copied, particles=())], evening)
    _file(owner, "calibrated_again", [_found("run17_01", rng, pixel_size_nm=0.021)], evening)
    frames = [_found("series", rng, frame_index=n, frame_count=3) for n in range(3)]
    total = _found("sum of the series", rng, is_sum=True, signal_index=1)
    total = replace(total, image=replace(total.image, field_of_view_key=b"/data/series"))
    _file(owner, "series", [*frames, total], evening)
    unknown: dict[str, Any] = {"pixel_size_nm": None, "pixel_size_source": "unknown"}
    _file(owner, "without_scale", [_found("without scale", rng, **unknown)], evening)
    _file(owner, "cut_short", [_found("cut short", rng, suspect="the end is empty")], evening)
    stem = {"domain_reason": "this is a STEM image; the model knows TEM", "in_domain": False}
    _file(owner, "stem", [_found("stem", rng, result_changes=stem, imaging_mode="STEM")], evening)
    before = NOW - timedelta(days=30)
    by_old = _found("last month", rng, "old", {"analysed_at_utc": before})
    _file(owner, "last_month", [by_old], None, before)
    refused = seen(owner, STRANGE, evening)
    with owner.begin() as connection:
        ledger.refuse(connection, refused, "spectrum", "This is a spectrum.", NOW)


def _file(
    owner: Engine,
    name: str,
    found: list[ResultRecord],
    session_id: int | None,
    now: datetime = NOW,
) -> None:
    file_id = seen(owner, f"/data/{name}.dm4".encode(), session_id)
    with owner.begin() as connection:
        store.commit_results(
            connection, file_id, sha256(name), found, now, content_sha256=sha256(name)
        )


def _found(
    pixels: str,
    rng: np.random.Generator,
    pipeline: str = "new",
    result_changes: dict[str, Any] | None = None,
    **image_changes: Any,
) -> ResultRecord:
    """A picture with particles of every kind, one of them too small, one at the border."""
    scaled = image_changes.get("pixel_size_nm", 0.02) is not None
    if "frame_index" in image_changes:
        image_changes |= {"pixel_sha256": sha256(f"{pixels} {image_changes['frame_index']}")}
    return result(
        pixels,
        tuple(_particle(label, rng, scaled=scaled) for label in range(1, PARTICLES + 1)),
        pipeline,
        image_changes=image_changes,
        **(result_changes or {}),
    )


def _particle(label: int, rng: np.random.Generator, *, scaled: bool) -> ParticleRecord:
    """The first is below the size limit, the second touches the border."""
    diameter_nm = 0.8 if label == 1 else float(rng.lognormal(np.log(5), 0.2))
    class_name = str(rng.choice(CLASS_NAMES, p=SHARES))
    sure = float(rng.uniform(0.4, 0.98))
    others = dict.fromkeys(CLASS_NAMES, (1 - sure) / 4)
    return particle(
        label,
        diameter_nm if scaled else None,
        excluded="below_size_limit" if scaled and label == 1 else None,
        touches_border=label == 2,
        particle_class=class_name if scaled else None,
        class_probabilities=others | {class_name: sure} if scaled else None,
    )
