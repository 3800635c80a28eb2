"""Which names belong together is decided by the names alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.readers import (
    MICROGRAPH_SUFFIXES,
    companion_names,
    field_of_view_stem,
    primary_of,
)


@pytest.mark.parametrize(
    ("name", "siblings", "companions"),
    [
        ("Au_1.ser", ["Au.emi", "Au_1.ser", "Au_2.ser", "Ag.emi"], ("Au.emi",)),
        ("Au_2.ser", ["Au.emi", "Au_1.ser"], ("Au.emi",)),
        ("Au_1.5m_1.ser", ["Au_1.5m.emi"], ("Au_1.5m.emi",)),
        ("x.mrc", ["x.mrc.mdoc", "x.mdoc", "y.mdoc", "x.mrc"], ("x.mdoc", "x.mrc.mdoc")),
        ("x.tif", ["x.tif.mdoc", "x.mrc.mdoc"], ("x.tif.mdoc",)),
        ("s_000.tvips", ["s_000.tvips", "s_002.tvips", "s_001.tvips", "t_001.tvips"],
         ("s_001.tvips", "s_002.tvips")),
        ("a.dm4", ["a.emi", "a.mdoc", "a_1.ser"], ()),
    ],
)  # fmt: skip
def test_a_file_knows_its_companions(
    name: str, siblings: list[str], companions: tuple[str, ...]
) -> None:
    assert companion_names(name, siblings) == companions


@pytest.mark.parametrize(
    ("name", "siblings", "primary"),
    [
        ("Au.emi", ["Au_1.ser", "Au_2.ser"], "Au_1.ser"),
        ("Au.emi", ["Au.emi", "Ag_1.ser"], "Au.emi"),
        ("Au.EMI", ["Au_1.SER"], "Au_1.SER"),
        ("x.mrc.mdoc", ["x.mrc"], "x.mrc"),
        ("x.mdoc", ["x.mrc"], "x.mrc"),
        ("x.mdoc", [], "x.mdoc"),
        ("s_001.tvips", ["s_000.tvips"], "s_000.tvips"),
        ("s_001.tvips", [], "s_001.tvips"),
        ("a.dm4", ["a.dm3"], "a.dm4"),
        ("a.TIF", [], "a.TIF"),
        ("a.zip", [], "a.zip"),
        ("notes.txt", ["notes.tif"], None),
        ("noname", [], None),
    ],
)
def test_a_companion_knows_its_primary(name: str, siblings: list[str], primary: str | None) -> None:
    assert primary_of(name, siblings) == primary


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Au_0042.dm4", "Au_0042"),
        ("Au_0042.tif", "Au_0042"),
        ("Au_0042.ome.tif", "Au_0042"),
        ("Au_0042_1.ser", "Au_0042"),
        ("Au_0042.emi", "Au_0042"),
        ("Au_1.5m_1.ser", "Au_1.5m"),
        ("Au_1.5m.emi", "Au_1.5m"),
        ("x.mrc.mdoc", "x"),
        ("x_1.5m.mdoc", "x_1.5m"),
        ("x.tif.gz", "x"),
        ("s_000.tvips", "s"),
    ],
)
def test_the_same_stem_in_two_formats_is_one_field(name: str, stem: str) -> None:
    assert field_of_view_stem(name) == stem


@given(
    st.lists(
        st.builds(
            str.__add__,
            st.sampled_from(["a", "a_1", "a_2", "b", "a_000", "a_001", "a.mrc"]),
            st.sampled_from([*sorted(MICROGRAPH_SUFFIXES), ".txt"]),
        ),
        unique=True,
    )
)
def test_a_companion_belongs_to_a_primary_that_is_its_own(names: list[str]) -> None:
    for name in names:
        primary = primary_of(name, names)
        if primary is not None:
            assert primary_of(primary, names) == primary
            assert primary == name or name in companion_names(primary, names)
