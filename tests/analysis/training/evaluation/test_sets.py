"""Sets that are there are taken; a missing one is simulated, or said to be missing."""

import pytest

from analysis.simulation.dataset import field_paths
from analysis.training.evaluation import sets
from tests.analysis.training.evaluation.made import write_set
from tests.analysis.training.fields import disc_field

CORE_ALONE = sets.Counts(train=0, core=2, unseen=0, empty=0, forest_test=0, wide=0, curve=1)


def nothing(*_):
    """No progress."""


def test_a_set_that_is_there_is_taken_as_it_is(tmp_path):
    write_set(tmp_path, "core", disc_field())
    assert sets.prepared(tmp_path, CORE_ALONE, 1, nothing) == {"core": tmp_path / "core"}
    facts = sets.facts(tmp_path / "core", "core", CORE_ALONE)
    assert (facts.fields, len(facts.digest)) == (1, 12)


def test_a_part_of_a_set_is_never_taken_for_it(tmp_path, monkeypatch):
    """A simulation that is stopped leaves its fields under another name."""

    def stopped(folder, fields, seed, **_):
        write_set(folder.parent, folder.name, disc_field())
        raise KeyboardInterrupt

    def whole(folder, fields, seed, **_):
        assert len(field_paths(folder)) == 1  # goes on with what is there

    monkeypatch.setattr(sets, "simulate", stopped)
    with pytest.raises(KeyboardInterrupt):
        sets.prepared(tmp_path, CORE_ALONE, 1, nothing)
    assert field_paths(tmp_path / "core") == []
    monkeypatch.setattr(sets, "simulate", whole)
    assert sets.prepared(tmp_path, CORE_ALONE, 1, nothing) == {"core": tmp_path / "core"}
    assert len(field_paths(tmp_path / "core")) == 1
