"""The dictionary knows every column of the views, in the units that the names promise."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from schema import queries
from schema.dictionary import VIEWS, Kind, columns_of
from schema.feature_columns import FeatureColumns

REPOSITORY = Path(__file__).resolve().parents[2]
SUFFIXES = {"_per_nm": "nm⁻¹", "_nm": "nm", "_nm2": "nm²", "_rad": "rad", "_px": "px"}
OTHERWISE = {"published_fourier_centroid_px": "px of the transform"}
DECLARED = {
    Kind.INTEGER: "INTEGER",
    Kind.REAL: "REAL",
    Kind.FLAG: "SMALLINT",
    Kind.TEXT: "TEXT",
    Kind.PATH: "BLOB",
    Kind.UTC: "TEXT",
    Kind.LOCAL: "TEXT",
}
COMPUTED = {"class", "acquired_at", "suspect", "duplicate_of"}  # expressions declare nothing


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_of_a_view_has_an_entry_and_no_entry_is_left_over(connection, view):
    assert set(columns_of(view)) == set(queries.view_columns(connection, view))


@pytest.mark.parametrize("view", VIEWS)
def test_the_kind_of_a_column_is_the_one_the_table_declares(connection, view):
    found = connection.exec_driver_sql(f"SELECT name, type FROM pragma_table_info('{view}')").all()
    entries = columns_of(view)
    wrong = [
        (name, declared, entries[name].kind)
        for name, declared in found
        if name not in COMPUTED and DECLARED[entries[name].kind] != declared
    ]
    assert wrong == []


@pytest.mark.parametrize("view", VIEWS)
def test_the_unit_is_the_one_the_name_ends_with(view):
    ends = tuple(sorted(SUFFIXES, key=len, reverse=True))
    for name, entry in columns_of(view).items():
        expected = next((SUFFIXES[end] for end in ends if name.endswith(end)), None)
        if expected is not None:
            assert entry.unit == OTHERWISE.get(name, expected), name


def test_a_feature_has_the_unit_that_stands_beside_its_column():
    source = (REPOSITORY / "schema" / "feature_columns.py").read_text(encoding="utf-8")
    flat = re.sub(r"\(\s*_feature\(\)\s*\)", "_feature()", source)
    notes = dict(re.findall(r"^    (\w+): Mapped.*?_feature\(\)  # ([^\n,]+)", flat, re.MULTILINE))
    assert set(notes) == set(FeatureColumns.__annotations__)
    entries = columns_of("current_particle")
    for name, note in notes.items():
        if note.split()[0] in {"σ²·nm²", "nm⁻¹", "σ", "counts", "σ²", "rad"}:
            assert entries[name].unit.startswith(note.split()[0]), name
        if note in {"share", "ratio", "correlation", "probability", "number"}:
            assert entries[name].unit == "1", name


@pytest.mark.parametrize("view", VIEWS)
def test_every_entry_is_a_sentence_and_names_rooms_that_are_there(view):
    for name, entry in columns_of(view).items():
        assert entry.definition.endswith("."), name
        for room in re.findall(r"(?:analysis|schema|daemon)/[\w./]+", entry.source):
            assert (REPOSITORY / room.rstrip(".,")).exists(), (name, room)


def test_there_is_no_dictionary_of_a_table():
    with pytest.raises(ValueError, match="no view 'source_file'"):
        columns_of("source_file")


def test_no_column_is_described_twice():
    text = files("schema").joinpath("dictionary.toml").read_text(encoding="utf-8")
    named = re.findall(r"^\[(\w+)\.(\w+)\]$", text, re.MULTILINE)
    both = {name for table, name in named if table == "both"}
    own = [name for table, name in named if table != "both"]
    assert both.isdisjoint(own)
    assert len(own) == len(set(own))
