"""What a gallery shows: few micrographs, every class that is there, by a rule."""

from datetime import timedelta

import numpy as np
from sqlalchemy import update

from schema.choice import Rules
from schema.exhibits import exhibition
from schema.gathering import gathered
from schema.records import CLASS_NAMES
from schema.tables import SourceFile
from tests.schema.examples import NOW, arrival, done, particle, result, see

PER_CLASS = 6


def sure(label, share, name="no_stacking_fault", **changes):
    """A particle of which the forest is as sure as this."""
    others = dict.fromkeys(CLASS_NAMES, (1 - share) / 4)
    return particle(
        label, 5.0, particle_class=name, class_probabilities=others | {name: share}, **changes
    )


def shown(connection, per_class=PER_CLASS, rules=None):
    return exhibition(connection, gathered(connection, rules=rules or Rules()), per_class)


def test_a_dozen_micrographs_are_looked_through_however_many_there_are(connection):
    for number in range(40):
        particles = tuple(sure(label, 0.5 + label / 20) for label in range(1, 9))
        done(connection, f"{number:02d}.dm4", result(str(number), particles))
    found = shown(connection)
    assert (found.of_micrographs, found.there) == (40, 40)
    assert len(found.micrographs) == 12
    names = [each.row.path for each in found.micrographs]
    assert (names[0], names[-1]) == (b"/data/00.dm4", b"/data/39.dm4")
    assert found.whole == (
        found.micrographs[0].row.micrograph_id,
        found.micrographs[-1].row.micrograph_id,
    )


def test_half_are_typical_and_half_are_those_the_forest_was_least_sure_of(connection):
    shares = np.linspace(0.3, 0.9, 13)
    particles = tuple(sure(label, share) for label, share in enumerate(shares, start=1))
    done(connection, "a.dm4", result("a", particles))
    found = shown(connection).specimens
    assert [each.is_typical for each in found] == [True] * 3 + [False] * 3
    assert sorted(round(each.probability, 2) for each in found[:3]) == [0.55, 0.6, 0.65]
    assert [round(each.probability, 2) for each in found[3:]] == [0.3, 0.35, 0.4]


def test_no_particle_is_shown_twice(connection):
    done(connection, "a.dm4", result("a", tuple(sure(label, 0.5) for label in range(1, 5))))
    found = shown(connection).specimens
    assert sorted(each.label for each in found) == [1, 2, 3, 4]


def test_a_rare_class_is_looked_for_where_it_is(connection):
    for number in range(60):
        particles = [sure(label, 0.7) for label in range(1, 4)]
        if number == 30:
            particles.append(sure(4, 0.8, "stacking_fault"))
        done(connection, f"{number:02d}.dm4", result(str(number), tuple(particles)))
    found = shown(connection)
    assert [each.label for each in found.specimens if each.particle_class == "stacking_fault"] == [
        4
    ]
    assert len(found.micrographs) <= 12 + 2  # the richest two of the one class that lacks some


def test_only_what_counts_is_shown(connection):
    particles = (
        sure(1, 0.9),
        sure(2, 0.9, touches_border=True),
        sure(3, 0.9, excluded="below_size_limit"),
        particle(4, 9.0, particle_class="no_stacking_fault"),
    )
    done(connection, "a.dm4", result("a", particles))
    done(connection, "b.dm4", result("b", (sure(1, 0.9),), in_domain=False, domain_reason="STEM"))
    found = shown(connection, rules=Rules(max_nm=6.0))
    assert [(each.label, each.diameter_nm) for each in found.specimens] == [(1, 5.0)]


def test_micrographs_whose_raw_file_is_gone_are_passed_over(connection):
    for name in ("a", "b"):
        done(connection, f"{name}.dm4", result(name, (sure(1, 0.9),)))
    gone = SourceFile.path == b"/data/a.dm4"
    connection.execute(update(SourceFile).where(gone).values(present=0))
    found = shown(connection)
    assert (found.of_micrographs, found.there) == (2, 1)
    assert [each.row.path for each in found.micrographs] == [b"/data/b.dm4"]


def test_without_a_class_the_network_s_own_probability_stands(connection):
    bare = particle(1, 5.0, particle_class=None, class_probabilities=None, mean_probability=0.75)
    done(connection, "a.dm4", result("a", (bare,)))
    (only,) = shown(connection).specimens
    assert (only.particle_class, only.probability) == (None, 0.75)


def test_of_nothing_there_is_nothing_to_show(connection):
    see(connection, arrival())
    found = shown(connection)
    assert (found.of_micrographs, found.micrographs, found.specimens) == (0, (), ())


def test_micrographs_stand_in_the_order_of_time(connection):
    for number, name in enumerate(("z", "y", "x")):
        later = NOW + timedelta(hours=number)
        done(connection, f"{name}.dm4", result(name, (sure(1, 0.9),)), now=later)
        seen_at = SourceFile.path == f"/data/{name}.dm4".encode()
        connection.execute(update(SourceFile).where(seen_at).values(first_seen_at_utc=later))
    paths = [each.row.path for each in shown(connection).micrographs]
    assert paths == [b"/data/z.dm4", b"/data/y.dm4", b"/data/x.dm4"]
