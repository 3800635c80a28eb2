"""A state folder with very many particles, made through the store as the daemon would.

There are no raw files and no masks: what is measured on it asks the database alone.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from analysis.bundle import default_folder
from schema import ledger, migrate, sessions, sightings, store
from schema.engine import put_to_rest, without_waiting, writer
from schema.records import CLASS_NAMES, BundleRecord, ParticleRecord, ResultRecord, SessionRecord
from schema.state import prepare
from tests.schema.examples import arrival, particle, result

PARTICLES_PER_FIELD = 100
RUNS = 4
FIELDS_AT_ONCE = 50
SEED = 20260301

_START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
_FIELD_SECONDS = 20
_SHARES = (0.12, 0.38, 0.3, 0.12, 0.08)
_RANKED = ("reflection_strength", "bragg_fraction", "lattice_cover", "disorder_mean")


def crowd(
    folder: Path, fields: int, told: Callable[[int, int], None] = lambda done, of: None
) -> Path:
    """The state folder, with so many fields of view of a hundred particles in four runs.

    Sizes are lognormal about a mean of the field (geometric standard deviation 1.2 and 1.05), the
    share of faults grows with size.

    Args:
        folder: made, if it is not there; one of the same size is used again.
        fields: of view.
        told: called with how many are done.
    """
    place = folder / f"crowd_{fields}"
    finished = place / "finished"
    if finished.exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    made = prepare(place)
    migrate.upgrade(made.database, _START)
    engine = writer(made.database)
    owner = without_waiting(engine)
    rng = np.random.default_rng(SEED)
    model = _bundle()
    session_id: int | None = None
    for start in range(0, fields, FIELDS_AT_ONCE):
        with owner.begin() as connection:
            for number in range(start, min(start + FIELDS_AT_ONCE, fields)):
                if number % max(fields // RUNS, 1) == 0:
                    session_id = _session(connection, number)
                _add(connection, number, session_id, model, rng)
        told(min(start + FIELDS_AT_ONCE, fields), fields)
    with owner.begin() as connection:
        sessions.end(connection, _seen_at(fields))
    put_to_rest(engine)
    finished.touch()
    return place


def _session(connection: Connection, number: int) -> int:
    record = SessionRecord(
        uuid=f"0b8e1a4e-6f0f-4f6e-9d2c-{number:012d}",
        name=f"day {number}",
        started_at_utc=_seen_at(number),
        sample="Au on carbon",
        material="Au",
        run=f"R{number}",
    )
    return sessions.start(connection, record)


def _seen_at(number: int) -> datetime:
    return _START + timedelta(seconds=_FIELD_SECONDS * number)


def _bundle() -> BundleRecord:
    manifest = (default_folder() / "manifest.json").read_bytes()
    return BundleRecord(
        sha256=hashlib.sha256(manifest).hexdigest(),
        name="default",
        version="1",
        manifest_json=manifest.decode("utf-8"),
    )


def _add(
    connection: Connection,
    number: int,
    session_id: int | None,
    model: BundleRecord,
    rng: np.random.Generator,
) -> None:
    now = _seen_at(number)
    file = arrival(f"{number:06d}.dm4", inode=number + 1)
    (sighting,) = sightings.observe(connection, [file], session_id, now)
    ledger.ready(connection, sighting.source_file_id, file, now)
    ledger.begin(connection, sighting.source_file_id, "boot", 1, now)
    found = _result(number, model, rng)
    store.commit_results(connection, sighting.source_file_id, f"{number:064x}", [found], now)


def _result(number: int, model: BundleRecord, rng: np.random.Generator) -> ResultRecord:
    mean_nm = 6.0 * np.exp(rng.normal(0, np.log(1.05)))
    sizes = mean_nm * np.exp(rng.normal(0, np.log(1.2), PARTICLES_PER_FIELD))
    codes = rng.choice(len(CLASS_NAMES), PARTICLES_PER_FIELD, p=_SHARES)
    codes = np.where((codes == 1) & (rng.random(codes.size) < (sizes - 4) / 12), 0, codes)
    particles = tuple(
        _particle(label, float(size), int(code), rng)
        for label, (size, code) in enumerate(zip(sizes, codes, strict=True), 1)
    )
    plain = result(f"field {number}", particles)
    return replace(
        plain, bundle=model, pipeline=replace(plain.pipeline, bundle_sha256=model.sha256)
    )


def _particle(label: int, size_nm: float, code: int, rng: np.random.Generator) -> ParticleRecord:
    excluded = "below_size_limit" if size_nm < 1.0 else None
    likely = rng.dirichlet(np.where(np.arange(len(CLASS_NAMES)) == code, 12.0, 1.0))
    return particle(
        label,
        size_nm,
        particle_class=CLASS_NAMES[code],
        excluded=excluded,
        touches_border=bool(rng.random() < 0.08),
        aspect_ratio=float(1 + rng.gamma(2.0, 0.06)),
        circularity=float(rng.beta(30, 2)),
        class_probabilities=dict(zip(CLASS_NAMES, likely.tolist(), strict=True)),
        features={name: float(rng.random()) for name in _RANKED},
    )
