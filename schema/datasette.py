"""What Datasette shows beside the tables: columns in words, facets, and the named queries.

Metadata as Datasette up to 0.65 reads it. The unit of a column stands in its description: the
`units` of Datasette would print a pixel of 0.02 nm as 20 pm, and know no σ.
"""

from typing import Any

from schema.dictionary import Entry, columns_of
from schema.named_queries import named_queries

DATABASE = "fringewatch"
"""By this name Datasette knows `fringewatch.sqlite`."""

_FACETS = {
    "current_particle": ("session", "sample", "run", "class", "excluded", "touches_border"),
    "current_micrograph": ("state", "session", "sample", "run", "pixel_size_source", "in_domain"),
}
_TITLES = {
    "current_particle": (
        "Particles",
        "One row for each region of each current result, those that statistics leave out "
        "included: count rows only where excluded and suspect are empty, touches_border is 0, "
        "in_domain is 1 and area_nm2 is known, of one pipeline_fingerprint.",
    ),
    "current_micrograph": (
        "Micrographs",
        "One row for each image of the newest content of each file, copies included; a file "
        "without an image, or refused, has one row as well.",
    ),
}


def metadata() -> dict[str, Any]:
    """The whole document, ready for JSON."""
    return {
        "title": "fringewatch",
        "description": "Nanoparticles in HRTEM micrographs, as fringewatch found them. Classes "
        "are as the classifier gave them; fringewatch summary has corrected figures and "
        "intervals.",
        "databases": {
            DATABASE: {
                "tables": {view: _table(view) for view in _TITLES}
                | {"alembic_version": {"hidden": True}},
                "queries": _queries(),
            }
        },
    }


def _table(view: str) -> dict[str, Any]:
    title, description = _TITLES[view]
    return {
        "title": title,
        "description": description,
        "facets": list(_FACETS[view]),
        "columns": {name: _words(entry) for name, entry in columns_of(view).items()},
    }


def _words(entry: Entry) -> str:
    """Unit, definition and source in one line."""
    unit = "" if entry.unit == "1" else f"[{entry.unit}] "
    return f"{unit}{entry.definition} ({entry.source})"


def _queries() -> dict[str, Any]:
    return {
        name: {
            "title": query.title,
            "description": query.description
            + "".join(f" {each}: {meaning}." for each, meaning in query.parameters.items()),
            "sql": query.sql,
            "params": list(query.parameters),
        }
        for name, query in named_queries().items()
    }
