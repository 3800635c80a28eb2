"""A call that does not come back is left behind."""

import threading
import time

import pytest

from daemon.bounded import DoesNotAnswer, resolved, within


def test_what_a_call_gives_or_raises_comes_through():
    assert within(10, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 // 0)


def test_a_call_that_hangs_is_left_behind():
    goes_on = threading.Event()
    with pytest.raises(DoesNotAnswer):
        within(0.1, goes_on.wait)
    goes_on.set()


def test_who_waits_may_give_up():
    goes_on = threading.Event()
    before = time.monotonic()
    with pytest.raises(DoesNotAnswer):
        within(60, goes_on.wait, lambda: True)
    assert time.monotonic() - before < 30
    goes_on.set()


def test_a_name_leads_where_its_links_lead(tmp_path, monkeypatch):
    (tmp_path / "to").symlink_to(tmp_path)
    assert resolved(tmp_path / "to") == tmp_path.resolve()
    goes_on = threading.Event()
    monkeypatch.setattr("daemon.bounded.RESOLVE_SECONDS", 0.1)
    monkeypatch.setattr("pathlib.Path.resolve", lambda _: goes_on.wait(60))
    assert resolved(tmp_path / "to") == tmp_path / "to"
    goes_on.set()
