"""What alerts ask of the database."""

from datetime import timedelta

import pytest

from schema import ledger, sessions, signs
from schema.signs import FieldSeen
from tests.schema.examples import MORNING, NOW, arrival, done, particle, result, see

HOUR_AGO = NOW - timedelta(hours=1)


def test_the_newest_file_is_the_one_noticed_last(connection):
    assert signs.newest_file(connection) == 0
    first, second = see(connection, arrival("a.dm4"), arrival("b.dm4"))
    assert signs.newest_file(connection) == max(first, second)
    see(connection, arrival("a.dm4"))
    assert signs.newest_file(connection) == max(first, second)


def failed(connection, name, verb, code="unreadable", times=1, now=NOW) -> None:
    (file_id,) = see(connection, arrival(name))
    for _ in range(times):
        ledger.begin(connection, file_id, "boot", 1, now)
        if verb == "retry":
            ledger.retry_later(connection, file_id, code, "It cannot be read.", now, now)
        else:
            getattr(ledger, verb)(connection, file_id, code, "It cannot be read.", now)


@pytest.mark.parametrize(
    ("verb", "code", "times", "is_failure"),
    [
        ("quarantine", "unreadable", 1, True),
        ("refuse", "spectrum", 1, False),
        ("refuse", "file_too_large", 1, True),
        ("retry", "io_error", 1, False),  # a slow writer; the second time it is none
        ("retry", "io_error", 2, True),
    ],
)
def test_what_counts_as_a_failure(connection, verb, code, times, is_failure):
    failed(connection, "a.dm4", verb, code, times)
    done(connection, "b.dm4", result("b"))
    assert signs.failures_since(connection, HOUR_AGO, ("file_too_large",)) == int(is_failure)


def test_failures_of_before_are_over(connection):
    failed(connection, "a.dm4", "quarantine", now=NOW - timedelta(minutes=59))
    failed(connection, "b.dm4", "quarantine", now=NOW - timedelta(minutes=61))
    assert signs.failures_since(connection, HOUR_AGO) == 1


def seen(pixels: str, *classes: str | None, field: str | None = None, **changes):
    particles = tuple(
        particle(number, 5.0, particle_class=name) for number, name in enumerate(classes, 1)
    )
    picture = {"field_of_view_key": f"/data/{field or pixels}".encode()}
    return result(pixels, particles, image_changes=picture | changes.pop("image", {}), **changes)


def test_the_latest_fields_come_first_with_what_was_seen_in_them(connection):
    done(connection, "a.dm4", seen("a", "stacking_fault", "misoriented"))
    done(connection, "b.dm4", seen("b", "misoriented", "agglomeration", "background"))
    done(connection, "c.dm4", seen("c", "no_stacking_fault"))
    found = (
        FieldSeen(classified=1, observable=1),
        FieldSeen(classified=3, observable=0),
        FieldSeen(classified=2, observable=1),
    )
    assert signs.latest_fields(connection, 3) == found
    assert signs.latest_fields(connection, 2) == found[:2]
    assert signs.latest_fields(connection, 9) == found


def test_all_frames_of_a_field_are_one(connection):
    done(connection, "a.dm4", seen("a", "misoriented"))
    frames = [
        seen(f"b{number}", "stacking_fault" if number == 0 else "misoriented", field="b")
        for number in range(3)
    ]
    for number, frame in enumerate(frames):
        done(connection, f"b{number}.dm4", frame)
    assert signs.latest_fields(connection, 2) == (
        FieldSeen(classified=3, observable=1),
        FieldSeen(classified=1, observable=0),
    )


def test_what_says_nothing_about_the_lattice_is_passed_over(connection):
    done(connection, "a.dm4", seen("a", "misoriented"))
    done(connection, "empty.dm4", seen("empty"))
    done(connection, "unclassified.dm4", seen("unclassified", None))
    done(connection, "stem.dm4", seen("stem", "misoriented", in_domain=False, domain_reason="STEM"))
    done(connection, "cut.dm4", seen("cut", "misoriented", image={"suspect": "a zero tail"}))
    small = particle(1, 0.5, particle_class="background", excluded="below_size_limit")
    done(connection, "small.dm4", result("small", (small,)))
    assert signs.latest_fields(connection, 9) == (FieldSeen(classified=1, observable=0),)


def test_fields_of_one_session_alone(connection):
    session_id = sessions.start(connection, MORNING)
    done(connection, "a.dm4", seen("a", "misoriented"), session_id=session_id)
    done(connection, "b.dm4", seen("b", "stacking_fault"))
    assert signs.latest_fields(connection, 9, MORNING.uuid) == (
        FieldSeen(classified=1, observable=0),
    )


def test_an_empty_database_has_no_signs(connection):
    assert signs.latest_fields(connection, 5) == ()
    assert signs.failures_since(connection, HOUR_AGO) == 0
