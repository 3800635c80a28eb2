"""Sessions, runs and samples beside each other, by one pipeline."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from schema import groups as groups_room
from schema import sessions
from schema.gathering import gathered
from schema.groups import groups, keys
from schema.scope import Scope
from tests.schema.examples import MORNING, NOW, done, particle, result

UUIDS = tuple(f"{number}" * 36 for number in range(3))


@pytest.fixture
def three(connection):
    """Three sessions of two runs and two samples, 8 fields of 4 particles, larger each time."""
    for number, (run, sample) in enumerate([("R1", "Au"), ("R2", "Au"), ("R2", "CdSe")]):
        started = NOW + timedelta(hours=number)
        named = replace(
            MORNING, uuid=UUIDS[number], name=f"s{number}", run=run, sample=sample,
            started_at_utc=started,
        )  # fmt: skip
        session_id = sessions.start(connection, named)
        for field in range(8):
            name = f"{number}-{field}"
            sizes = [4.0 + number + 0.1 * field + 0.2 * k for k in range(4)]
            regions = tuple(particle(k + 1, size) for k, size in enumerate(sizes))
            done(connection, f"{name}.dm4", result(name, regions), session_id=session_id)
    return connection


@pytest.mark.parametrize(
    ("by", "expected"), [("session", UUIDS), ("run", ("R1", "R2")), ("sample", ("Au", "CdSe"))]
)
def test_all_that_have_a_name_are_known_in_the_order_of_their_first_session(three, by, expected):
    assert keys(three, by) == expected


def test_each_has_the_figures_it_has_alone_and_differs_from_the_first(three):
    found = groups(three, "session", UUIDS, seed=7)
    assert [group.key for group in found] == list(UUIDS)
    assert found[0].against_first is None
    for number, group in enumerate(found):
        scope = Scope(session_uuid=UUIDS[number])
        alone = gathered(three, scope).population(np.random.default_rng(7))
        assert group.population == alone
    for number, group in enumerate(found[1:], 1):
        assert group.against_first.median_nm.value == pytest.approx(number, rel=0.02)


def test_a_run_holds_all_its_sessions(three):
    first, second = groups(three, "run", ["R1", "R2"], seed=7)
    assert (first.population.fields_of_view, second.population.fields_of_view) == (8, 16)
    assert groups(three, "sample", ["Au", "CdSe"], seed=7)[0].population.fields_of_view == 16


def test_two_models_are_never_held_against_each_other(three):
    later = NOW + timedelta(days=1)
    session_id = sessions.start(three, replace(MORNING, uuid="9" * 36, name="new"))
    made = result("new", (particle(1, 9.0),), "better")
    done(three, "new.dm4", made, session_id=session_id, now=later)
    found = groups(three, "session", [UUIDS[0], "9" * 36], seed=7)
    assert {group.population.pipeline_fingerprint for group in found} == {made.pipeline.fingerprint}
    assert (found[0].population.particles, found[1].population.particles) == (0, 1)
    assert found[0].population.excluded == {"other_pipeline": 32}


def test_a_material_the_model_does_not_know_takes_the_correction_from_the_difference(
    three, monkeypatch
):
    asked = []
    real = groups_room.classifier_of
    monkeypatch.setattr(
        groups_room,
        "classifier_of",
        lambda bundle, names, rules: asked.append(names) or real(bundle, names, rules),
    )
    for uuid, material in zip(UUIDS, ("Au", "CuO", None), strict=True):
        three.exec_driver_sql("UPDATE session SET material = ? WHERE uuid = ?", (material, uuid))
    groups(three, "session", UUIDS, seed=7)
    assert asked == [("Au", "CuO"), ("Au",)]
