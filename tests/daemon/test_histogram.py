"""The histogram of character cells: heights, places, marks."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from daemon.histogram import Bars, histogram


def plain(bars: Bars, width: int = 40, height: int = 10) -> list[str]:
    return [line.plain for line in histogram(bars, width, height)]


def even_bars(counts: tuple[int, ...], **marks: float) -> Bars:
    """Bins of 1 nm from 0 nm on."""
    edges_nm = tuple(float(edge) for edge in range(len(counts) + 1))
    return Bars(edges_nm=edges_nm, counts=counts, **marks)


def test_a_bar_of_half_the_count_is_half_as_high() -> None:
    rows = plain(even_bars((0, 4, 8, 0)), width=12, height=10)[:8]
    column = rows[-1].index("█")
    filled = [sum(row[place] == "█" for row in rows) for place in (column, column + 2)]
    assert filled == [4, 8]


def test_the_highest_bar_states_its_count() -> None:
    assert plain(even_bars((0, 4, 8, 0)))[0].startswith("8 ┤")


def test_a_rare_size_is_still_seen() -> None:
    assert "▁" in plain(even_bars((0, 10_000, 0, 1, 0)))[-3]


def test_the_median_stands_below_its_bar() -> None:
    lines = plain(even_bars((0, 0, 0, 9, 0, 0), median_nm=3.5))
    bar, median = lines[0], lines[-2].index("▲")
    assert bar[median] == "█"


def test_sizes_below_the_limit_are_hatched() -> None:
    lines = plain(even_bars((0, 0, 5, 3, 0), size_limit_nm=2.0))
    assert "░" in lines[0]
    assert lines[0].index("░") < lines[0].index("█")


def test_round_numbers_stand_below_their_ticks() -> None:
    lines = plain(even_bars((0, 3, 5, 4, 2, 1, 0)))
    for place, mark in enumerate(lines[-2]):
        if mark == "┬":
            assert lines[-1][place] in "0123456789."


def test_nothing_counted_draws_nothing() -> None:
    assert plain(even_bars((0, 0))) == []
    assert plain(Bars(edges_nm=(), counts=())) == []


@given(
    counts=st.lists(st.integers(0, 10**6), min_size=1, max_size=200),
    first_nm=st.floats(0.01, 50),
    ratio=st.floats(1.001, 2),
    width=st.integers(12, 150),
    height=st.integers(3, 30),
    limit_nm=st.floats(0.5, 100),
)
def test_any_bins_fit_their_place(
    counts: list[int], first_nm: float, ratio: float, width: int, height: int, limit_nm: float
) -> None:
    edges_nm = tuple(first_nm * ratio**step for step in range(len(counts) + 1))
    assert all(low < high for low, high in pairwise(edges_nm))
    bars = Bars(
        edges_nm=edges_nm,
        counts=tuple(counts),
        median_nm=edges_nm[len(counts) // 2],
        size_limit_nm=limit_nm,
    )
    lines = plain(bars, width, height)
    assert len(lines) == (height if any(counts) else 0)
    assert all(len(line) <= width for line in lines)
