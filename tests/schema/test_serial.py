import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.records import Companion, OriginRecord, ResultRecord, SessionRecord
from schema.serial import companions_from_json, companions_to_json, from_json, to_json
from tests.schema.examples import NOW, origin, particle, result
from tests.schema.strategies import paths, results


@settings(max_examples=40)
@given(results())
def test_a_result_comes_back_from_its_text_as_it_was_and_the_text_is_ascii(record):
    text = to_json(record)
    assert text.isascii()
    assert from_json(ResultRecord, text) == record


@given(paths)
def test_a_path_that_is_no_text_comes_back_byte_for_byte(path):
    session = SessionRecord(uuid="u", name="n", started_at_utc=NOW, folder=path)
    assert from_json(SessionRecord, to_json(session)) == session


@given(
    st.lists(st.builds(Companion, path=paths, size_bytes=st.integers(0), mtime_ns=st.integers()))
)
def test_companions_have_one_text_in_whatever_order_they_were_found(companions):
    text = companions_to_json(tuple(companions))
    assert text == companions_to_json(tuple(sorted(companions, key=lambda c: c.path)))
    assert sorted(companions_from_json(text), key=repr) == sorted(companions, key=repr)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="unknown is None"):
        to_json(result(particles=(particle(mean_probability=value),)))


def test_a_value_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="not of kind int"):
        to_json(result(particles=(particle(area_px=1.5),)))


def test_text_of_another_record_is_refused():
    session = SessionRecord(uuid="u", name="n", started_at_utc=NOW)
    with pytest.raises(KeyError):
        from_json(ResultRecord, to_json(session))


def test_a_feature_that_is_unknown_stays_unknown():
    record = result(particles=(particle(features={"intensity_mean": None}),))
    assert from_json(ResultRecord, to_json(record)) == record
    assert to_json(record) != to_json(replace(record, particles=()))


def test_text_of_before_a_field_was_added_has_its_default():
    """Mask files of earlier versions: an origin knew nothing of the number of results."""
    plain = json.loads(to_json(origin()))
    del plain["results"]
    assert from_json(OriginRecord, json.dumps(plain)) == origin()
    del plain["size_bytes"]
    with pytest.raises(KeyError):
        from_json(OriginRecord, json.dumps(plain))
