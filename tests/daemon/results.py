"""Results as the worker hands them over, and files that have them, without any analysis."""

from typing import Any

from sqlalchemy import Engine

from schema import ledger, sessions, sightings, store
from schema.records import ArrivalRecord, ResultRecord, SessionRecord
from tests.daemon.moments import NOW
from tests.schema.examples import particle, result

STRANGE = b"/data/\xff two\nlines \x1b[31m.dm4"


def result_of(pixel_sha256: str, frame_index: int | None = None, **changes: Any) -> ResultRecord:
    """The result of one picture, by the hash of its pixels."""
    picture = {
        "field_of_view_key": f"/data/{pixel_sha256[:8]}".encode(),
        "pixel_sha256": pixel_sha256,
        "frame_index": frame_index,
        "frame_count": 1 if frame_index is None else 3,
    }
    return result(image_changes=picture, **changes)


def seen(owner: Engine, path: bytes, session_id: int | None = None) -> int:
    """The id of a file that a worker has."""
    arrival = ArrivalRecord(path=path, root=b"/data", size_bytes=1, mtime_ns=1, inode=1)
    with owner.begin() as connection:
        (sighting,) = sightings.observe(connection, [arrival], session_id, NOW)
        ledger.ready(connection, sighting.source_file_id, arrival, NOW)
        ledger.begin(connection, sighting.source_file_id, "boot", 1, NOW)
    return sighting.source_file_id


def done(owner: Engine, path: bytes, pixels: str, session_id: int | None = None) -> None:
    """A file with three particles: one faulted, one not, one below the size limit."""
    particles = (
        particle(1, 5.0, particle_class="stacking_fault"),
        particle(2, 6.0, particle_class="no_stacking_fault"),
        particle(3, 0.5, excluded="below_size_limit", particle_class="background"),
    )
    file_id = seen(owner, path, session_id)
    with owner.begin() as connection:
        found = [result_of(pixels * 64, particles=particles)]
        store.commit_results(connection, file_id, "a" * 64, found, NOW)


def session(owner: Engine, name: str, number: int, **about: str) -> int:
    """The id of a session that is open now."""
    record = SessionRecord(
        uuid=f"0b8e1a4e-6f0f-4f6e-9d2c-{number:012d}", name=name, started_at_utc=NOW, **about
    )
    with owner.begin() as connection:
        return sessions.start(connection, record)
