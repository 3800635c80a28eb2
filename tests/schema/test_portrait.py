"""What pictures are drawn from: the same particles as the figures, small however many there are."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import update

from schema.gathering import Gathered, gathered
from schema.portrait import FEW, portrait
from schema.tables import SourceFile
from tests.schema.examples import NOW, done, particle, result


def discs(sizes, **changes):
    """Particles of these diameters in nm."""
    return tuple(particle(label, size, **changes) for label, size in enumerate(sizes, start=1))


def of(connection, *results) -> Gathered:
    """What counts of these results, the last of which was seen first."""
    for number, each in enumerate(results):
        done(connection, f"{number}.dm4", each)
        this = SourceFile.path == f"/data/{number}.dm4".encode()
        seen = NOW - timedelta(minutes=number)
        connection.execute(update(SourceFile).where(this).values(first_seen_at_utc=seen))
    return gathered(connection)


def test_few_sizes_are_named_one_by_one_and_many_are_not(connection):
    few = portrait(of(connection, result("a", discs([6.0, 5.0]))).sample)
    assert few.few_nm == (5.0, 6.0)
    assert few.size_quantiles_nm == ()
    done(connection, "more.dm4", result("b", discs(np.linspace(4, 8, FEW - 2))))
    many = portrait(gathered(connection).sample)
    assert many.few_nm == ()
    assert len(many.size_quantiles_nm) == 201


def test_the_quantiles_are_those_of_the_figures(connection):
    rng = np.random.default_rng(0)
    found = of(connection, *(result(str(k), discs(rng.lognormal(1.7, 0.3, 40))) for k in range(6)))
    shown, deciles = portrait(found.sample), found.population().diameter_nm
    for share, expected in ((0.1, deciles.d10), (0.5, deciles.d50), (0.9, deciles.d90)):
        assert shown.size_quantiles_nm[round(200 * share)] == pytest.approx(expected.value)
    assert list(shown.size_quantiles_nm) == sorted(shown.size_quantiles_nm)


def test_each_particle_whose_size_counts_is_in_either_histogram_once(connection):
    kept = discs([5.0] * 12, aspect_ratio=1.3, circularity=0.9)
    apart = (
        particle(20, 5.0, touches_border=True),
        particle(21, 0.5, excluded="below_size_limit"),
        particle(22, 5.0, particle_class="background"),
    )
    shown = portrait(of(connection, result("a", (*kept, *apart))).sample)
    assert sum(shown.aspect_ratio.counts) == sum(shown.circularity.counts) == 12
    assert shown.aspect_ratio.edges[0] <= 1.3 < shown.aspect_ratio.edges[-1]


def test_fields_of_view_stand_in_the_order_of_time(connection):
    faulted = discs([5.0], particle_class="stacking_fault")
    found = of(
        connection,
        result("a", (*faulted, particle(2, 7.0), particle(3, 9.0, particle_class="misoriented"))),
        result("b", discs([4.0], particle_class="background")),
    )
    first, second = portrait(found.sample).course
    assert (first.particles, first.median_nm, first.observable) == (0, None, 0)
    assert (second.particles, second.median_nm, second.faults) == (3, 7.0, 1)
    assert second.observable == 2
    assert second.seen_at_utc - first.seen_at_utc == timedelta(minutes=1)


def test_nothing_gives_nothing(connection):
    shown = portrait(gathered(connection).sample)
    assert (shown.few_nm, shown.course, shown.aspect_ratio.counts) == ((), (), ())
