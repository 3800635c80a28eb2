"""Which results can be drawn."""

from schema import ledger, pictures, sessions, store
from schema.scope import Scope
from tests.schema.examples import MORNING, NOW, done, result


def names(found) -> list[tuple[int, str]]:
    return [(each.source_file_id, each.mask_path) for each in found]


def test_every_segmented_current_result_with_its_file(connection):
    one, other = result("one"), result("other", segmented=False)
    done(connection, "a.dm4", one)
    done(connection, "b.dm4", other)
    (found,) = pictures.drawable(connection)
    assert (found.source_file_id, found.mask_path) == (1, one.analysis.mask_path)
    assert (found.signal_index, found.frame_index) == (0, None)


def test_results_made_since_come_in_their_order(connection):
    ids = [done(connection, f"{name}.dm4", result(name))[0] for name in "abc"]
    later = pictures.drawable(connection, after=ids[0])
    assert [each.analysis_id for each in later] == ids[1:]
    assert pictures.drawable(connection, after=ids[2]) == ()


def test_a_result_that_was_overtaken_is_not_drawn(connection):
    done(connection, "a.dm4", result("a", pipeline="old"))
    ledger.reopen(connection, [1], now=NOW)
    ledger.begin(connection, 1, "boot", 1, NOW)
    store.commit_results(connection, 1, "a" * 64, [new := result("a", pipeline="new")], NOW)
    assert [each.mask_path for each in pictures.drawable(connection)] == [new.analysis.mask_path]


def test_copies_name_each_file_that_holds_the_pixels(connection):
    shared = result("a")
    done(connection, "a.dm4", shared)
    done(connection, "copy.dm4", shared)
    found = pictures.drawable(connection)
    assert names(found) == [(1, shared.analysis.mask_path), (2, shared.analysis.mask_path)]
    ledger.set_present(connection, [1], False)
    assert names(pictures.drawable(connection, present_only=True)) == names(found)[1:]
    assert names(pictures.drawable(connection, source_file_ids=[1])) == names(found)[:1]


def test_of_a_selection_alone(connection):
    session_id = sessions.start(connection, MORNING)
    done(connection, "a.dm4", result("a"), session_id=session_id)
    done(connection, "b.dm4", result("b"))
    found = pictures.drawable(connection, Scope(session_uuid=MORNING.uuid))
    assert [each.source_file_id for each in found] == [1]
