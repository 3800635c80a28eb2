"""What the drawings of a report show: the numbers they are made from, to scale."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from matplotlib.figure import Figure
from sqlalchemy import Engine

from daemon.palette import CLASS_MARKS, hex_colour
from daemon.report.class_charts import class_chart, fraction_chart, size_bin_chart
from daemon.report.contents import Report, gather
from daemon.report.course_chart import course_chart
from daemon.report.size_charts import shape_chart, size_chart
from daemon.report.style import inline_svg, styled
from daemon.selection import Selection
from schema import engine, store
from schema.portrait import Moment
from schema.records import CLASS_NAMES
from tests.daemon.moments import NOW
from tests.daemon.pages import Page
from tests.daemon.results import seen
from tests.schema.examples import particle, result, sha256

FIELDS, EACH = 12, 60


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, empty_database: bytes) -> Report:
    """Sizes of a lognormal law about 5 nm, in twelve fields of view, of every class."""
    path = tmp_path_factory.mktemp("report") / "fringewatch.sqlite"
    path.write_bytes(empty_database)
    owner = engine.writer(path)
    populate(owner)
    with owner.begin() as connection:
        found = gather(
            connection,
            Selection(),
            title=None,
            per_class=0,
            now=NOW,
            software_version="0",
            state_folder=path.parent,
        )
    owner.dispose()
    return found


def populate(owner: Engine) -> None:
    rng = np.random.default_rng(7)
    for field in range(FIELDS):
        sizes = rng.lognormal(np.log(5), 0.2, EACH)
        discs = tuple(
            particle(
                label,
                float(size),
                particle_class=CLASS_NAMES[(label * label + field) % 5],
                aspect_ratio=1 + float(rng.gamma(2, 0.05)),
                circularity=1 - float(rng.gamma(2, 0.02)),
            )
            for label, size in enumerate(sizes, start=1)
        )
        file_id = seen(owner, f"/data/{field}.dm4".encode())
        with owner.begin() as connection:
            found = [result(str(field), discs)]
            store.commit_results(connection, file_id, sha256(str(field)), found, NOW)


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with styled():
        yield


def lines(figure: Figure, axes: int, label: str) -> tuple[np.ndarray, np.ndarray]:
    (found,) = [line for line in figure.axes[axes].get_lines() if line.get_label() == label]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def test_bars_are_the_counts_of_the_population(report):
    population = report.population
    bars = size_chart(population, report.portrait).axes[0].containers[0]
    assert [bar.get_height() for bar in bars] == list(population.size_histogram)
    assert [bar.get_x() for bar in bars] == pytest.approx(list(population.size_edges_nm[:-1]))


@pytest.mark.parametrize("law", ["lognormal", "normal"])
def test_as_many_particles_lie_under_a_law_as_in_the_bars(report, law):
    population = report.population
    x, y = lines(size_chart(population, report.portrait), 0, f"{law} law")
    width = population.size_edges_nm[1] - population.size_edges_nm[0]
    assert np.trapezoid(y, x) / width == pytest.approx(population.particles, rel=0.02)


def test_a_law_is_drawn_above_the_lower_size_limit_alone_and_holds_all_that_is_seen(report):
    fit = report.population.lognormal
    cut = replace(report.population, size_limit_nm=4.5, lognormal=replace(fit, unseen=0.3))
    x, y = lines(size_chart(cut, report.portrait), 0, "lognormal law")
    whole_x, whole_y = lines(size_chart(report.population, report.portrait), 0, "lognormal law")
    assert x[0] == 4.5
    seen = sum(
        count
        for edge, count in zip(cut.size_edges_nm[1:], cut.size_histogram, strict=True)
        if edge > 4.5
    )
    there = np.interp(6.0, whole_x, whole_y) / report.population.particles
    assert np.interp(6.0, x, y) / seen == pytest.approx(there / 0.7, rel=0.01)


def test_half_of_the_particles_are_smaller_than_the_median(report):
    curve = size_chart(report.population, report.portrait).axes[1].get_lines()[0]
    x, y = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    assert np.interp(50, y, x) == pytest.approx(report.population.diameter_nm.d50.value)


def test_a_limit_far_below_all_sizes_is_not_in_the_legend(report):
    far_up = tuple(edge + 10 for edge in report.population.size_edges_nm)
    for limit_nm, is_there in ((1.0, False), (11.0, True)):
        population = replace(report.population, size_limit_nm=limit_nm, size_edges_nm=far_up)
        (legend,) = size_chart(population, report.portrait).legends
        words = [text.get_text() for text in legend.get_texts()]
        assert ("lower size limit" in words) is is_there


def test_shapes_are_drawn_with_their_deciles(report):
    figure = shape_chart(report.population, report.portrait)
    for axes, shown, deciles in (
        (0, report.portrait.aspect_ratio, report.population.aspect_ratio),
        (1, report.portrait.circularity, report.population.circularity),
    ):
        bars = figure.axes[axes].containers[0]
        assert [bar.get_height() for bar in bars] == list(shown.counts)
        assert lines(figure, axes, "D90")[0][0] == deciles.d90.value


def test_classes_have_their_counts_and_their_colours(report):
    bars = class_chart(report.population).axes[0].containers[0]
    assert [bar.get_width() for bar in bars] == list(report.population.class_counts.values())
    from matplotlib.colors import to_hex

    colours = [to_hex(bar.get_facecolor()) for bar in bars]
    assert colours == [hex_colour(CLASS_MARKS[name].colour) for name in CLASS_NAMES]


def test_points_and_whiskers_of_the_fractions_are_to_scale(report):
    axes = fraction_chart(report.population).axes[0]
    faults = report.population.stacking_fault_fraction.wilson
    points, _, (whiskers,) = axes.containers[2]  # after two of the observable ones
    assert points.get_xdata()[0] == pytest.approx(100 * faults.value)
    (ends,) = whiskers.get_segments()
    assert ends[:, 0] == pytest.approx([100 * faults.low, 100 * faults.high])


def test_ranges_of_size_have_their_fractions(report):
    points, _, (across, along) = size_bin_chart(report.relations).axes[0].containers[0]
    bins = report.relations.fault_by_size
    assert points.get_ydata() == pytest.approx([100 * each.faults.value for each in bins])
    assert [segment[:, 0].tolist() for segment in across.get_segments()] == [
        pytest.approx([each.low_nm, each.high_nm]) for each in bins
    ]
    assert [segment[:, 1].tolist() for segment in along.get_segments()] == [
        pytest.approx([100 * each.faults.low, 100 * each.faults.high]) for each in bins
    ]


def moments(*minutes: float) -> tuple[Moment, ...]:
    return tuple(
        Moment(
            seen_at_utc=NOW + timedelta(minutes=at),
            particles=2,
            median_nm=5.0 + at / 60,
            faults=1,
            observable=2,
        )
        for at in minutes
    )


def test_one_sitting_is_drawn_over_time_and_several_in_their_order(report):
    def drawn(*minutes: float) -> Figure:
        return course_chart(replace(report.portrait, course=moments(*minutes)))

    above, below = drawn(0, 6, 30).axes
    assert above.get_lines()[0].get_xdata() == pytest.approx([0, 6, 30])
    assert above.get_lines()[0].get_ydata() == pytest.approx([5.0, 5.1, 5.5])
    assert below.get_lines()[0].get_ydata() == pytest.approx([50, 50, 50])
    assert below.get_xlabel() == "minutes after the first, 2026-03-01 09:30 UTC"
    assert drawn(0, 180).axes[1].get_xlabel().startswith("hours after the first")
    several = drawn(0, 6, 3000, 3006).axes[0].get_lines()
    assert several[0].get_xdata() == pytest.approx([1, 2, 3, 4])
    assert several[1].get_xdata()[0] == 2.5  # the pause


def test_words_of_a_drawing_stay_words_in_the_font_of_the_page(report):
    svg = inline_svg(class_chart(report.population), "classes")
    page = Page(f"<body>{svg}</body>")
    assert "stacking fault (F)" in [each.text for each in page.tagged("text")]
    assert "font-family" not in svg
    assert "<metadata" not in svg
