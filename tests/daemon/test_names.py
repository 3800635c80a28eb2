"""Names that try to do something to the terminal."""

import os

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from daemon.names import printable, shortened


def test_an_escape_sequence_is_shown_not_obeyed() -> None:
    assert printable("a\x1b[2Jb\nc.tif") == r"a\x1b[2Jb\x0ac.tif"


def test_text_that_runs_backwards_is_shown_as_its_escape() -> None:
    assert printable("Au_\u202efit.dm4") == r"Au_\u202efit.dm4"


def test_bytes_that_are_no_text_keep_their_value() -> None:
    assert printable(b"Au_\xff\xfe.dm4") == r"Au_\xff\xfe.dm4"


def test_accents_and_emoji_stay_as_they_are() -> None:
    assert printable("Größe_🔬.tif") == "Größe_🔬.tif"


def test_a_long_name_keeps_its_number_and_its_suffix() -> None:
    assert (
        shortened("20260301_CdSe_a_very_long_sample_name_0042.dm4", 21) == "20260301_C…e_0042.dm4"
    )


def test_a_wide_character_is_never_cut_in_half() -> None:
    assert shortened("試料試料試料試料", 8) == "試料…料"


@given(name=st.binary(max_size=60), width=st.integers(0, 40))
def test_no_name_is_wider_than_its_place(name: bytes, width: int) -> None:
    shown = shortened(name, width)
    assert cell_len(shown) <= width
    assert shown.isprintable()


@given(name=st.text(max_size=40))
def test_what_is_shown_is_one_line(name: str) -> None:
    assert len(printable(name).splitlines()) <= 1
    assert "\x1b" not in printable(name)
    os.fsencode(printable(name))
