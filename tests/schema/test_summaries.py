"""The packed regions of a result hold what its particles are."""

import numpy as np
import pytest
from sqlalchemy import select

from analysis.regions import RegionFlag
from schema import gathering
from schema.errors import StoreError
from schema.records import CLASS_NAMES
from schema.summaries import EXCLUSIONS, PACKED, summarise, unpacked
from schema.tables import AnalysisSummary
from tests.schema.examples import done, particle, result

REGIONS = (
    particle(2, 5.0, feret_max_nm=6.0, feret_min_nm=4.0, aspect_ratio=1.5, circularity=0.8),
    particle(1, 4.0, particle_class="stacking_fault"),
    particle(3, 6.0, touches_border=True, particle_class="agglomeration"),
    particle(4, 0.5, excluded="below_size_limit", touches_border=True),
    particle(5, None),
)


def test_regions_come_back_as_they_were_in_order_of_their_labels():
    summary = summarise(REGIONS)
    table, place = unpacked([summary.packed])
    assert (summary.particle_count, table.size) == (5, 5)
    assert place.tolist() == [0] * 5
    assert table["diameter_nm"][:4].tolist() == [4.0, 5.0, 6.0, 0.5]
    assert table["caliper_nm"][:2].tolist() == [4.0, 5.0]
    assert (table["aspect_ratio"][1], table["circularity"][1]) == (1.5, 0.8)
    assert [CLASS_NAMES[code] for code in table["class_code"][:3]] == [
        "stacking_fault",
        "no_stacking_fault",
        "agglomeration",
    ]
    assert table["exclusion"].tolist() == [0, 0, 0, 1, 0]
    assert table["touches_border"].tolist() == [False, False, True, True, False]


def test_what_is_unknown_is_no_number_and_no_class():
    table, _ = unpacked([summarise([particle(1, None)]).packed])
    assert np.isnan(table["diameter_nm"][0])
    assert np.isnan(table["caliper_nm"][0])
    assert table["class_code"][0] == -1


def test_regions_of_several_results_keep_their_place():
    first, none, third = summarise(REGIONS[:2]), summarise([]), summarise(REGIONS[2:])
    table, place = unpacked([first.packed, none.packed, third.packed])
    assert place.tolist() == [0, 0, 2, 2, 2]
    assert table.size == 5
    assert unpacked([])[0].size == 0


def test_every_reason_the_analysis_gives_has_a_place():
    assert {flag.value for flag in RegionFlag} <= set(EXCLUSIONS)


def test_a_reason_without_a_place_is_refused():
    with pytest.raises(StoreError, match="too_dark"):
        summarise([particle(1, 5.0, excluded="too_dark")])


def test_the_row_is_written_with_its_result_and_read_by_the_statistics(connection):
    ids = done(connection, "a.dm4", result(particles=REGIONS)) + done(
        connection, "b.dm4", result("other")
    )
    query = select(AnalysisSummary.particle_count, AnalysisSummary.packed)
    rows = connection.execute(query.order_by(AnalysisSummary.analysis_id)).all()
    assert [len(row.packed) for row in rows] == [5 * PACKED.itemsize, 0]
    assert [row.particle_count for row in rows] == [5, 0]
    found = gathering.particles(connection, [ids[1], ids[0]])
    assert found.result.tolist() == [1] * 5
    assert found.table["diameter_nm"][0] == 4.0
