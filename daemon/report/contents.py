"""What a report is about: everything it shows, as values, gathered from the database alone."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from daemon.names import printable
from daemon.reading import BOOTSTRAP_SEED
from daemon.selection import Selection
from schema.correlation import Relations
from schema.exhibits import Exhibition, exhibition
from schema.gathering import correlations, gathered
from schema.population import Population
from schema.portrait import Portrait, portrait
from schema.provenance import Provenance, provenance
from schema.records import BundleRecord


@dataclass(frozen=True, kw_only=True)
class Report:
    """One report; its figures are those of `summary` for the same selection.

    `exhibition` is None where no gallery is wanted, `bundle` where nothing counts yet.
    """

    title: str
    made_at_utc: datetime
    software_version: str
    state_folder: Path
    selection: Selection
    population: Population
    relations: Relations
    portrait: Portrait
    provenance: Provenance
    bundle: BundleRecord | None
    exhibition: Exhibition | None


def gather(
    connection: Connection,
    selection: Selection,
    *,
    title: str | None,
    per_class: int,
    now: datetime,
    software_version: str,
    state_folder: Path,
) -> Report:
    """All there is to say of a selection.

    Args:
        connection: to read from.
        selection: what the report is about.
        title: over the page; None makes one.
        per_class: pictures of particles of each class; 0 is no gallery.
        now: aware UTC.
        software_version: that makes the page.
        state_folder: whose database it is.

    Raises:
        Misused: the selection names a session that is not there.
    """
    scope, rules = selection.scope(connection), selection.rules
    found = gathered(connection, scope, rules)
    return Report(
        title=printable(title or _title(selection)),
        made_at_utc=now,
        software_version=software_version,
        state_folder=state_folder,
        selection=selection,
        population=found.population(np.random.default_rng(BOOTSTRAP_SEED)),
        relations=correlations(connection, found),
        portrait=portrait(found.sample),
        provenance=provenance(connection, scope),
        bundle=found.bundle,
        exhibition=exhibition(connection, found, per_class) if per_class else None,
    )


def _title(selection: Selection) -> str:
    words = selection.words
    return "All micrographs" if words == "everything" else words[0].upper() + words[1:]
