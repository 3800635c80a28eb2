import json
import math

import pytest
from sqlalchemy import select

from schema.summaries import SIZE_EDGES_NM, summarise
from schema.tables import AnalysisSummary
from tests.schema.examples import done, particle, result

REGIONS = (
    particle(1, 4.0, particle_class="stacking_fault"),
    particle(2, 5.0),
    particle(3, 50.0, particle_class="agglomeration"),
    particle(4, 6.0, touches_border=True),
    particle(5, 0.5, excluded="below_size_limit", touches_border=True),
    particle(6, None),
)


def test_every_region_is_counted_in_exactly_one_place():
    found = summarise(REGIONS)
    parts = found.excluded_count + found.border_count + found.unclassified_count
    assert found.particle_count == parts + sum(found.class_counts) == 6
    assert (found.excluded_count, found.border_count, found.unclassified_count) == (1, 1, 1)


def test_the_sums_give_mean_and_deviation_of_the_logarithm():
    found = summarise(REGIONS)
    mean = found.sum_ln_d / found.size_count
    assert math.exp(mean) == pytest.approx(math.sqrt(20))
    assert found.sum_ln_d_squared == pytest.approx(math.log(4) ** 2 + math.log(5) ** 2)


@pytest.mark.parametrize("size_nm", [0.51, 1.0, 4.9, 511.0])
def test_a_size_falls_between_the_edges_of_its_bin(size_nm):
    histogram = summarise([particle(1, size_nm * 1.0001)]).size_histogram
    place = histogram.index(1)
    assert SIZE_EDGES_NM[place] <= size_nm * 1.0001 < SIZE_EDGES_NM[place + 1]
    assert sum(histogram) == 1


@pytest.mark.parametrize(("size_nm", "place"), [(0.01, 0), (9999.0, -1)])
def test_a_size_beyond_the_ends_is_in_the_outermost_bin(size_nm, place):
    assert summarise([particle(1, size_nm)]).size_histogram[place] == 1


def test_the_row_is_written_with_its_result(connection):
    (analysis_id,) = done(connection, "a.dm4", result(particles=REGIONS))
    query = select(*AnalysisSummary.__table__.columns)
    row = connection.execute(query.where(AnalysisSummary.analysis_id == analysis_id)).one()
    assert (row.particle_count, row.size_count, row.stacking_fault_count) == (6, 2, 1)
    assert json.loads(row.size_histogram_json) == list(summarise(REGIONS).size_histogram)


def test_a_result_without_particles_has_a_row_of_zeros(connection):
    (analysis_id,) = done(connection, "a.dm4", result())
    query = select(AnalysisSummary.particle_count, AnalysisSummary.sum_ln_d)
    row = connection.execute(query.where(AnalysisSummary.analysis_id == analysis_id)).one()
    assert tuple(row) == (0, 0.0)
