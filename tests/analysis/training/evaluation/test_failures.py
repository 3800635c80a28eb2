"""The worst cases are picked by number, each micrograph once."""

from analysis.training.evaluation.failures import failures
from tests.analysis.training.evaluation.made import particle, score


def named(number, *particles, **more):
    return score(*particles, key=f"core/{number}", name=f"field_{number}", **more)


def test_each_way_to_fail_has_its_worst_micrograph():
    scores = [
        named(0, particle(5, 5), overlap=100),
        named(1, particle(5, 5), overlap=10),
        named(2, particle(9), particle(3)),
        named(3, particle(5)),
        named(4, particle(None, 6), true=0, seen=40, overlap=0),
    ]
    assert [each.key for each in failures(scores)] == ["core/1", "core/2", "core/4"]


def test_no_micrograph_is_shown_twice():
    worst = named(0, particle(9), particle(None, 9), overlap=0)
    second = named(1, particle(4), particle(None, 4), overlap=50)
    assert [each.key for each in failures([worst, second])] == ["core/0", "core/1"]


def test_what_did_not_fail_is_no_failure():
    assert failures([named(0, particle(5, 5), overlap=100)]) == ()
    assert (
        failures([named(0, particle(5, 5), particle(1.5), particle(None, 1.5), overlap=100)]) == ()
    )
