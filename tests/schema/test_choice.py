"""One result per field of view and picture, of one pipeline, and a reason for each other one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.choice import LeftOut, Result, Rules, choose
from tests.schema.examples import NOW

SUSPECT = {"suspect": True}
OUT_OF_DOMAIN = {"in_domain": False}
UNCALIBRATED = {"height_nm": None, "width_nm": None}


def of(number=1, **changes) -> Result:
    """One result; each number is another picture of another field."""
    plain = Result(
        analysis_id=number,
        micrograph_id=number,
        field_of_view_id=number,
        pixel_sha256=f"picture {number}",
        pipeline_fingerprint="model",
        activated_at_utc=NOW,
        seen_at_utc=NOW,
        in_domain=True,
        suspect=False,
        is_sum=False,
        signal_index=0,
        frame_index=None,
        height_nm=20.0,
        width_nm=20.0,
        size_limit_nm=1.0,
        particle_count=10,
    )
    return replace(plain, **changes)


def kept(choice):
    return [result.analysis_id for result in choice.results]


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        (SUSPECT, LeftOut.SUSPECT),
        (UNCALIBRATED, LeftOut.UNCALIBRATED),
        (OUT_OF_DOMAIN, LeftOut.OUT_OF_DOMAIN),
    ],
)
def test_a_flawed_micrograph_is_left_out_with_its_reason(flaw, reason):
    choice = choose([of(1), of(2, **flaw)])
    assert kept(choice) == [1]
    assert choice.left_out == {reason: 10}


@pytest.mark.parametrize(
    ("flaw", "rules"),
    [
        (SUSPECT, Rules(suspect=True)),
        (OUT_OF_DOMAIN, Rules(out_of_domain=True)),
        (UNCALIBRATED, Rules(uncalibrated=True)),
    ],
)
def test_a_flaw_counts_when_it_is_asked_for(flaw, rules):
    assert kept(choose([of(1), of(2, **flaw)], rules)) == [1, 2]


def test_one_flaw_that_is_asked_for_brings_in_no_other():
    both = of(2, **UNCALIBRATED, **OUT_OF_DOMAIN)
    assert choose([of(1), both], Rules(uncalibrated=True)).left_out == {LeftOut.OUT_OF_DOMAIN: 10}


def test_identical_pictures_count_once():
    choice = choose([of(1), of(2, pixel_sha256="picture 1")])
    assert kept(choice) == [1]
    assert choice.left_out == {LeftOut.IDENTICAL_PIXELS: 10}


def test_of_a_series_the_sum_counts():
    frames = [of(number, field_of_view_id=9, frame_index=number) for number in range(3)]
    choice = choose([*frames, of(7, field_of_view_id=9, frame_index=3, is_sum=True)])
    assert kept(choice) == [7]
    assert choice.left_out == {LeftOut.SAME_FIELD_OF_VIEW: 30}


def test_of_a_series_without_a_sum_the_first_frame_that_may_count_counts():
    frames = [of(number, field_of_view_id=9, frame_index=number) for number in range(3)]
    frames[0] = replace(frames[0], in_domain=False)
    assert kept(choose(frames)) == [1]


def test_every_frame_counts_where_it_is_asked_for_and_its_sum_does_not():
    frames = [of(number, field_of_view_id=9, frame_index=number) for number in range(3)]
    total = of(7, field_of_view_id=9, is_sum=True)
    choice = choose([total, *frames], Rules(every_frame=True))
    assert kept(choice) == [0, 1, 2]
    assert choice.left_out == {LeftOut.SAME_FIELD_OF_VIEW: 10}
    assert kept(choose([total], Rules(every_frame=True))) == [7]


def test_a_sum_that_may_not_count_leaves_its_place_to_a_frame():
    total = of(7, field_of_view_id=9, is_sum=True, suspect=True)
    assert kept(choose([total, of(1, field_of_view_id=9, frame_index=0)])) == [1]


def test_one_statistic_never_mixes_pipelines_and_takes_the_newest():
    newer = of(2, pipeline_fingerprint="better", activated_at_utc=NOW.replace(hour=12))
    choice = choose([of(1), newer, of(3)])
    assert kept(choice) == [2]
    assert choice.pipeline_fingerprint == "better"
    assert choice.left_out == {LeftOut.OTHER_PIPELINE: 20}
    assert kept(choose([of(1), newer], Rules(pipeline_fingerprint="model"))) == [1]


def test_a_newer_pipeline_without_a_result_that_may_count_does_not_empty_the_statistic():
    newer = of(2, pipeline_fingerprint="better", activated_at_utc=NOW.replace(hour=12), **SUSPECT)
    assert kept(choose([of(1), newer])) == [1]


@given(st.permutations([of(1), of(2, pixel_sha256="picture 1"), of(3, **SUSPECT), of(4)]))
def test_the_order_of_the_results_does_not_matter(results):
    ordered = sorted(results, key=lambda result: result.analysis_id)
    assert choose(results) == choose(ordered)


def test_a_copy_of_a_frame_that_is_left_out_is_left_out_with_its_field():
    """A series with its sum, and its frames saved once more as a file of their own."""
    field = {"field_of_view_id": 1}
    found = choose(
        [
            of(1, **field, is_sum=True),
            of(2, **field, frame_index=0),
            of(3, **field, frame_index=1),
            of(4, field_of_view_id=2, frame_index=0, pixel_sha256="picture 2"),
            of(5, field_of_view_id=2, frame_index=1, pixel_sha256="picture 3"),
        ]
    )
    assert kept(found) == [1]
    assert found.fields_of_view == 1
