"""A folder from which `datasette serve` shows the results, with words beside the numbers."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from daemon.errors import DaemonError, Misused
from daemon.written import replacing
from schema.datasette import DATABASE, metadata

SETTINGS: Mapping[str, int | bool] = {
    "sql_time_limit_ms": 60_000,  # as `fringewatch query`
    "facet_time_limit_ms": 5_000,
    "suggest_facets": False,  # counts every column of the view, at each look
}


def write_folder(folder: Path, database: Path) -> None:
    """Write metadata, settings, a plugin and a link to the database; what was written before goes.

    Args:
        folder: made where it is not there.
        database: what the link leads to.

    Raises:
        Misused: the folder holds a database of its own.
        DaemonError: it cannot be written.
    """
    link = folder / f"{DATABASE}{database.suffix}"
    if link.exists() and not link.is_symlink():
        raise Misused(f"{folder} holds a database; Datasette needs a folder of its own")
    plugin = files("daemon").joinpath("assets/datasette_plugin.txt").read_text(encoding="utf-8")
    texts = {
        folder / "metadata.json": _json(metadata()),
        folder / "settings.json": _json(SETTINGS),
        folder / "plugins" / "fringewatch_paths.py": plugin,
    }
    try:
        (folder / "plugins").mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            with replacing(path) as unfinished:
                unfinished.write_text(text, encoding="utf-8")
        link.unlink(missing_ok=True)
        link.symlink_to(database.absolute())
    except OSError as error:
        raise DaemonError(f"cannot write {folder}: {error.strerror}") from error


def _json(values: Mapping[str, object]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
