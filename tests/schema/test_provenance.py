"""Where figures come from: every file and micrograph of a selection counted once."""

from datetime import UTC, datetime, timedelta

from schema import ledger, sessions
from schema.provenance import provenance
from schema.records import FileState
from schema.scope import EVERYTHING, Scope
from tests.schema.examples import MORNING, NOW, arrival, done, particle, result, see, sha256

LOCAL = datetime(2026, 3, 1, 10, 30)  # noqa: DTZ001 - the microscope's own clock


def refused(connection, name, code="spectrum", **about):
    (file_id,) = see(connection, arrival(name), **about)
    ledger.begin(connection, file_id, "boot", 1, NOW)
    ledger.refuse(connection, file_id, code, f"{name} is a {code}.", NOW)


def test_every_file_stands_in_one_group_with_one_example(connection):
    done(connection, "a.dm4", result("a"))
    see(connection, arrival("waits.dm4"))
    for name in ("c.dm4", "b.dm4"):
        refused(connection, name)
    refused(connection, "d.dm4", code="diffraction")
    found = provenance(connection, EVERYTHING)
    assert [(g.state, g.code, g.count) for g in found.files] == [
        (FileState.READY, None, 1),
        (FileState.DONE, None, 1),
        (FileState.REFUSED, "diffraction", 1),
        (FileState.REFUSED, "spectrum", 2),
    ]
    assert found.files[-1].example == "b.dm4 is a spectrum."
    assert found.seen == 5


def test_it_is_of_the_selection_alone(connection):
    morning = sessions.start(connection, MORNING)
    done(connection, "a.dm4", result("a"), session_id=morning)
    refused(connection, "b.dm4", session_id=morning)
    done(connection, "c.dm4", result("c", image_changes={"pixel_size_nm": 0.05}))
    found = provenance(connection, Scope(run="run 7"))
    assert (found.seen, found.verdicts.micrographs) == (2, 1)
    assert [session.name for session in found.sessions] == ["morning"]
    assert [(each.lowest_nm, each.highest_nm) for each in found.calibrations] == [(0.02, 0.02)]
    assert provenance(connection, EVERYTHING).seen == 3


def test_a_copy_is_a_file_more_and_no_micrograph_more(connection):
    done(connection, "a.dm4", result("a"))
    done(connection, "copy.dm4", result("a"))
    found = provenance(connection, EVERYTHING)
    assert (found.seen, found.verdicts.micrographs) == (2, 1)
    assert [each.micrographs for each in found.calibrations] == [1]
    assert found.software == (("0.1.0", 1),)


def test_calibrations_stand_by_their_source_with_their_range(connection):
    for name, size, source in (
        ("a", 0.02, "file"),
        ("b", 0.03, "file"),
        ("c", 0.04, "config"),
        ("d", None, "unknown"),
    ):
        image = {"pixel_size_nm": size, "pixel_size_source": source}
        done(connection, f"{name}.dm4", result(name, (particle(1, None),), image_changes=image))
    found = {each.source: each for each in provenance(connection, EVERYTHING).calibrations}
    assert (found["file"].micrographs, found["file"].lowest_nm, found["file"].highest_nm) == (
        2,
        0.02,
        0.03,
    )
    assert (found["unknown"].micrographs, found["unknown"].lowest_nm) == (1, None)
    assert provenance(connection, EVERYTHING).verdicts.scale_assumed == 1


def test_flaws_of_micrographs_are_counted_with_an_example(connection):
    reason = "this is a STEM image"
    done(connection, "a.dm4", result("a", in_domain=False, domain_reason=reason, segmented=False))
    done(connection, "b.dm4", result("b", image_changes={"suspect": "the end is empty"}))
    done(connection, "c.dm4", result("c"))
    found = provenance(connection, EVERYTHING).verdicts
    assert (found.micrographs, found.out_of_domain, found.suspect, found.not_segmented) == (
        3,
        1,
        1,
        1,
    )
    assert (found.out_of_domain_example, found.suspect_example) == (reason, "the end is empty")


def test_what_is_stated_of_the_microscope_says_by_how_many(connection):
    for name, dose, camera in (("a", 400.0, "K2"), ("b", 900.0, "K2"), ("c", None, "Ceta")):
        image = {"dose_e_per_a2": dose, "detector": camera}
        done(connection, f"{name}.dm4", result(name, image_changes=image))
    found = {each.name: each for each in provenance(connection, EVERYTHING).acquisition}
    assert (found["dose"].micrographs, found["dose"].lowest, found["dose"].highest) == (2, 400, 900)
    assert found["detector"].names == ("K2", "Ceta")
    assert "defocus" not in found


def test_times_are_those_of_the_first_and_the_last(connection):
    later = NOW + timedelta(hours=2)
    done(connection, "a.dm4", result("a"))
    image = {"acquired_local": LOCAL + timedelta(hours=2), "acquired_at_utc": later}
    done(connection, "b.dm4", result("b", image_changes=image))
    found = provenance(connection, EVERYTHING)
    assert found.acquired_local == (LOCAL, LOCAL + timedelta(hours=2))
    assert found.acquired_utc == (later, later)
    assert found.seen_utc == (NOW, NOW)
    assert found.seen_utc[0].tzinfo is UTC


def test_pipelines_stand_with_the_newest_result_first(connection):
    done(connection, "a.dm4", result("a", pipeline="old"))
    for name in ("b", "c"):
        done(connection, f"{name}.dm4", result(name), now=NOW + timedelta(hours=1))
    found = provenance(connection, EVERYTHING).pipelines
    assert [(each.pipeline.fingerprint, each.micrographs) for each in found] == [
        (sha256("pipeline"), 2),
        (sha256("old"), 1),
    ]
    assert found[0].bundle == "default"


def test_of_nothing_there_is_nothing(connection):
    found = provenance(connection, EVERYTHING)
    assert (found.seen, found.seen_utc, found.acquired_utc, found.acquired_local) == (0,) + (
        None,
    ) * 3
    assert (found.files, found.sessions, found.calibrations, found.pipelines) == ((),) * 4
    assert found.verdicts.micrographs == 0
