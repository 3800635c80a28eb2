"""A state folder opened for reading, and what a bundle says of itself; nothing heavy."""

import json
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from daemon.errors import DaemonError, StateFolderError
from daemon.snapshot import BundleLine
from schema import engine as database
from schema import migrate
from schema.errors import SchemaError, StateError
from schema.records import BundleRecord
from schema.state import StateFolder, existing

BOOTSTRAP_SEED = 20210225  # fixed, so that every surface shows the same interval


def open_for_reading(path: Path) -> tuple[StateFolder, Engine]:
    """A state folder that exists, and a read-only engine of its database.

    Raises:
        DaemonError: nothing was watched with it.
        StateFolderError: another release wrote it, or its database is gone.
    """
    try:
        state = existing(path)
        engine = database.reader(state.database)
        with engine.begin() as connection:
            migrate.check(connection)
    except (SchemaError, SQLAlchemyError) as error:
        kind = DaemonError if type(error) is StateError else StateFolderError
        raise kind(str(error)) from error
    return state, engine


def bundle_line(bundle: BundleRecord) -> BundleLine:
    """Name, version and known quality of a model, from its own manifest."""
    metrics = json.loads(bundle.manifest_json).get("metrics", {})
    held_out = metrics.get("forest_held_out", {})
    accuracy = held_out.get("balanced_accuracy")
    return BundleLine(
        name=bundle.name,
        version=bundle.version,
        balanced_accuracy=accuracy,
        classifier_note=None
        if accuracy is None
        else f"balanced accuracy {accuracy:.2f} on {held_out.get('on', 'simulated particles')}",
    )
