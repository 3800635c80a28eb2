"""The page of a report: the figures of `summary`, all cases of too little, nothing from outside."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, update
from typer.testing import CliRunner

from analysis.bundle import default_folder
from daemon import reporting
from daemon.cli import app
from daemon.config import Config, StateConfig
from daemon.errors import DaemonError, Misused
from daemon.report import repeat, writing
from daemon.selection import Selection
from schema import ledger, store
from schema.choice import Rules
from schema.records import ParticleRecord
from schema.state import StateFolder
from schema.tables import Bundle
from tests.daemon.moments import NOW
from tests.daemon.pages import Page
from tests.daemon.populated import populate
from tests.daemon.results import seen, session
from tests.schema.examples import particle, result, sha256

REPOSITORY = Path(__file__).resolve().parents[2]
EVERYTHING = Selection()
NOTHING_KNOWN = re.compile(r"\b(nan|NaN|inf|None|null|undefined)\b")


@pytest.fixture
def config(state: StateFolder) -> Config:
    return Config(state=StateConfig(folder=state.path))


@pytest.fixture
def populated(owner: Engine) -> Engine:
    """Two runs by the model that ships, and what statistics leave out for every reason."""
    populate(owner)
    manifest = (default_folder() / "manifest.json").read_text(encoding="utf-8")
    with owner.begin() as connection:
        connection.execute(update(Bundle).values(manifest_json=manifest))
    return owner


def written(
    config: Config,
    target: Path,
    selection: Selection = EVERYTHING,
    title: str | None = None,
    per_class: int = 0,
) -> str:
    """The text of a report."""
    writing.write_report(config, selection, target, title=title, per_class=per_class, now=NOW)
    return target.read_text(encoding="utf-8")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "report.html"


def summary(config: Config, capsys: pytest.CaptureFixture[str], selection: Selection) -> dict:
    """What `summary --json` says of the same selection."""
    reporting.summary(config, selection, True, correlations=True)
    return json.loads(capsys.readouterr().out)


def commit(
    owner: Engine,
    name: str,
    *particles: ParticleRecord,
    image: Mapping[str, Any] | None = None,
    session_id: int | None = None,
    **changes: Any,
) -> None:
    """A file that is done, with one micrograph."""
    file_id = seen(owner, f"/data/{name}.dm4".encode(), session_id)
    found = result(name, particles, image_changes=dict(image or {}), **changes)
    with owner.begin() as connection:
        store.commit_results(connection, file_id, sha256(name), [found], NOW)


def test_every_figure_of_the_page_is_that_of_the_summary(populated, config, target, capsys):
    page = Page(written(config, target))
    found = summary(config, capsys, EVERYTHING)
    low, high = found["bootstrap"]["d50_nm"]
    assert page.row("median diameter")[1:3] == (
        f"{found['d50_nm']:.2f} nm",
        f"{low:.2f} to {high:.2f}",
    )
    for name, key in (("D10", "d10_nm"), ("D90", "d90_nm"), ("mean", "mean_nm")):
        assert page.row(name)[1] == f"{found[key]:.2f} nm"
    law = found["lognormal"]
    shown = f"{law['geometric_mean_nm']:.2f} nm, {law['geometric_standard_deviation']:.3f}"
    assert page.row("lognormal fit")[1] == shown
    for name, key in (
        ("observable particles", "observable_fraction"),
        ("visible faults", "stacking_fault_fraction"),
    ):
        fraction = found[key]
        assert page.row(name)[1] == f"{100 * fraction['value']:.1f} %"
        assert page.row(name)[3].startswith(f"{fraction['count']} of {fraction['total']} ")
        corrected = fraction["corrected"]
        ends = f"{100 * corrected['low']:.1f} to {100 * corrected['high']:.1f} %"
        shown = (
            "corrected",
            f"{100 * corrected['value']:.1f} %",
            ends,
            "simulation-based",
        )
        assert page.row("corrected", after=name) == shown
    drift = found["correlations"]["drift_of_median"]
    assert drift["reason"] in page.section("time")


def test_what_counts_and_what_is_left_out_is_what_the_summary_counts(
    populated, config, target, capsys
):
    page = Page(written(config, target))
    found = summary(config, capsys, EVERYTHING)
    for name, count in found["class_counts"].items():
        assert f"{count} {name.replace('_', ' ')}" in page.section("class")
    rows = [row for row in page.rows() if row[0].startswith("left out: ")]
    assert sorted(int(row[1]) for row in rows) == sorted(found["excluded"].values())
    assert page.row("all regions found") == ("all regions found", str(found["found"]))
    assert page.row("in the figures")[1] == str(found["micrographs"])


def test_the_page_says_first_what_was_found_and_how_sure_that_is(populated, config, target, capsys):
    says = Page(written(config, target)).section("says")
    found = summary(config, capsys, EVERYTHING)
    faults = found["stacking_fault_fraction"]
    low, high = found["bootstrap"]["d50_nm"]
    assert f"median diameter of {found['d50_nm']:.2f} nm (95 % {low:.2f} to {high:.2f} nm)" in says
    assert f"stacking fault: {faults['count']} of {faults['total']} observable particles" in says
    assert f"confuses: {100 * faults['corrected']['value']:.1f} % (95 % " in says
    assert "simulation-based" in says
    assert "faults visible in the projection" in says
    assert "How many particles of the sample have a fault is not measured" in says


def test_a_report_is_of_what_was_chosen(populated, config, target, capsys):
    chosen = Selection(run="18", rules=Rules(min_nm=3.0, size_classes=("no_stacking_fault",)))
    page = Page(written(config, target, chosen))
    found = summary(config, capsys, chosen)
    assert page.tagged("h1")[0].text == "Run 18"
    assert page.row("median diameter")[3] == f"{found['particles']} particles"
    assert "17" not in [row[3] for row in page.rows() if row[0] == "morning"]
    assert "particles from 3 nm" in page.section("figures")


def test_a_session_nobody_started_is_misuse(populated, config, target):
    with pytest.raises(Misused, match="there is no session 'noon'"):
        written(config, target, Selection(session="noon"))
    assert not target.exists()


def test_a_result_shows_its_files_calibration_model_and_settings(populated, config, target):
    page = Page(written(config, target))
    assert ("refused", "spectrum", "1", "This is a spectrum.") in page.rows()
    assert page.row("stated by the file")[2] == "0.02 to 0.021"
    assert page.row("high tension")[1] == "300 kV"
    assert page.row("smallest counted diameter")[1] == "2 nm"
    assert [row[-1] for row in page.rows() if len(row) == 6 and row[1] == "default"] == [
        "yes",
        "no",
    ]
    matrix = [row for row in page.rows() if len(row) == 7 and row[-1].endswith("%")]
    manifest = json.loads((default_folder() / "manifest.json").read_text(encoding="utf-8"))
    counts = manifest["metrics"]["forest_held_out"]["confusion_rows_are_truth"]
    assert [[int(cell) for cell in row[1:6]] for row in matrix] == counts


def test_rank_correlations_are_a_table_of_numbers(owner, config, target):
    for field in range(6):
        discs = [
            particle(label, 4.0 + label / 9 + field, aspect_ratio=5.0 - label / 9 - field / 3)
            for label in range(1, 8)
        ]
        commit(owner, f"field {field}", *discs)
    page = Page(written(config, target))
    (row,) = [row for row in page.rows() if row[0] == "2 aspect ratio"]
    assert row[1].startswith("−0.9")


def nothing(owner: Engine) -> None:
    """No file was ever seen."""


def no_result_yet(owner: Engine) -> None:
    seen(owner, b"/data/a.dm4")


def no_particle(owner: Engine) -> None:
    commit(owner, "empty film")


def one_particle(owner: Engine) -> None:
    commit(owner, "a", particle(1, 5.0))


def two_particles(owner: Engine) -> None:
    commit(owner, "a", particle(1, 5.0, particle_class="stacking_fault"), particle(2, 6.0))


def one_image(owner: Engine) -> None:
    commit(owner, "a", *(particle(label, 4 + label / 7) for label in range(1, 40)))


def one_size(owner: Engine) -> None:
    for name in "abcdefgh":
        commit(owner, name, *(particle(label, 5.0) for label in range(1, 5)))


def one_class(owner: Engine) -> None:
    for name in "abcdefgh":
        discs = (particle(k, 4 + k / 7, particle_class="misoriented") for k in range(1, 9))
        commit(owner, name, *discs)


def background_alone(owner: Engine) -> None:
    commit(owner, "a", *(particle(k, 5.0, particle_class="background") for k in range(1, 9)))


def all_faulted(owner: Engine) -> None:
    for name in "abcdefg":
        discs = (particle(k, 4 + k / 7, particle_class="stacking_fault") for k in range(1, 9))
        commit(owner, name, *discs)


def no_calibration(owner: Engine) -> None:
    unknown = {"pixel_size_nm": None, "pixel_size_source": "unknown"}
    for name in "abcdef":
        commit(owner, name, particle(1, None), particle(2, None), image=unknown)


def out_of_domain(owner: Engine) -> None:
    reason = "this is a STEM image; the model knows TEM"
    for name in "ab":
        commit(owner, name, in_domain=False, domain_reason=reason, segmented=False)


def no_forest(owner: Engine) -> None:
    for name in "abcdef":
        discs = (
            particle(k, 4 + k / 7, particle_class=None, class_probabilities=None)
            for k in range(1, 9)
        )
        commit(owner, name, *discs)


def only_refused(owner: Engine) -> None:
    refused = seen(owner, b"/data/a.dm4")
    with owner.begin() as connection:
        ledger.refuse(connection, refused, "spectrum", "This is a spectrum.", NOW)


LITTLE = [
    (nothing, "No file of this selection has been seen: there is nothing to report yet."),
    (no_result_yet, "Of 1 file seen none has a result yet."),
    (only_refused, "Of 1 file seen none has a result yet."),
    (no_particle, "In 1 micrograph no particle was found."),
    (one_particle, "1 particle of 5.00 nm in 1 micrograph."),
    (two_particles, "2 particles of 5.00 and 6.00 nm in 1 micrograph."),
    (one_image, "nm (fewer than 8 fields of view: no interval)."),
    (one_size, "have a median diameter of 5.00 nm (95 % 5.00 to 5.00 nm)."),
    (one_class, "No particle is observable, so nothing can be said of stacking faults."),
    (all_faulted, "stacking fault: 56 of 56 observable particles, 100.0 % (95 % 93.6 to 100.0 %"),
    (background_alone, "Of 8 regions found: 8 not classified as crystalline single particles."),
    (no_calibration, "Of 12 regions found: 12 without pixel size."),
    (out_of_domain, "this is a STEM image; the model knows TEM"),
    (no_forest, "Of 48 regions found: 48 not classified as crystalline single particles."),
]


@pytest.mark.parametrize(("made", "words"), LITTLE, ids=[made.__name__ for made, _ in LITTLE])
def test_too_little_is_a_sentence(owner, config, target, made, words):
    made(owner)
    page = Page(written(config, target, per_class=6))
    assert words in page.section("says")
    assert NOTHING_KNOWN.findall(page.text) == []
    assert [table for table in page.tagged("tbody") if not table.children] == []


def test_a_drawing_that_cannot_be_is_a_sentence_and_one_that_can_says_its_numbers(
    owner, config, target
):
    two_particles(owner)
    page = Page(written(config, target))
    missing = [each.text for each in page.tagged("p") if each.attributes.get("class") == "nothing"]
    assert "2 particles: a distribution of sizes needs at least 10." in missing
    drawn = {each.attributes["aria-labelledby"] for each in page.tagged("svg")}
    assert drawn == {"classes-caption", "fractions-caption"}
    (caption,) = [
        each.text for each in page.elements if each.attributes.get("id") == "classes-caption"
    ]
    assert "1 stacking fault, 1 no stacking fault, 0 misoriented" in caption


HOSTILE = '<script>alert(1)</script><img src="x" onerror=alert(1)>&amp;"\'\x1b[31m\u202e'


def test_names_are_shown_as_they_are_and_never_become_tags(owner, config, target):
    about = dict.fromkeys(("sample", "run", "operator", "instrument"), HOSTILE)
    session_id = session(owner, HOSTILE, 1, **about)
    commit(
        owner,
        "a",
        particle(1),
        session_id=session_id,
        in_domain=False,
        domain_reason=HOSTILE,
        image={"instrument": HOSTILE, "suspect": HOSTILE},
        device=HOSTILE,
    )
    refused = seen(owner, HOSTILE.encode(), session_id)
    with owner.begin() as connection:
        ledger.refuse(connection, refused, "spectrum", HOSTILE, NOW)
    page = Page(written(config, target, Selection(sample=HOSTILE), title=HOSTILE))
    assert {"script", "img"} & {element.tag for element in page.elements} == set()
    visible = HOSTILE.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e")
    assert page.tagged("h1")[0].text == visible
    assert page.row(visible)[1:6] == (visible, "—", visible, visible, visible)
    assert page.text.count("<script>alert(1)</script>") > 8


def test_the_page_refers_to_nothing_outside_itself_and_runs_nothing(populated, config, target):
    source = written(config, target)
    page = Page(source)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {
        element.tag for element in page.elements
    }
    for element in page.elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on"), (element.tag, name)
            if name in ("src", "href", "xlink:href", "srcset", "action", "poster", "data"):
                assert value and value.startswith(("#", "data:image/")), (element.tag, name, value)
            elif not name.startswith("xmlns"):
                assert "//" not in (value or ""), (element.tag, name, value)
    assert re.findall(r"url\((?!#)[^)]*\)|@import|javascript:", source) == []
    policy = [each.attributes.get("content") for each in page.tagged("meta")]
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in policy


def test_every_reference_leads_somewhere_and_every_name_is_given_once(populated, config, target):
    page = Page(written(config, target))
    names = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
    assert len(names) == len(set(names))
    references = [pair for each in page.elements for pair in each.attributes.items()]
    wanted = {
        (value or "").removeprefix("#")
        for name, value in references
        if name == "aria-labelledby" or (name.endswith("href") and (value or "")[:1] == "#")
    }
    assert {"size", "sizes-caption"} < wanted
    assert wanted <= set(names)


def test_the_page_can_be_heard_as_well_as_seen(populated, config, target):
    page = Page(written(config, target))
    assert page.tagged("html")[0].attributes["lang"] == "en"
    levels = [int(each.tag[1]) for each in page.elements if re.fullmatch("h[1-6]", each.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(each.attributes.get("role") == "img" for each in page.tagged("svg"))
    assert all(each.attributes.get("scope") for each in page.tagged("th"))


def test_the_same_results_make_the_same_page(populated, config, target, tmp_path):
    assert written(config, target) == written(config, tmp_path / "again.html")


def test_the_command_of_the_page_makes_the_same_page(
    populated, config, target, tmp_path, monkeypatch
):
    monkeypatch.setattr("daemon.clock.SYSTEM_CLOCK", FixedClock())
    rules = Rules(
        suspect=True,
        out_of_domain=True,
        every_frame=True,
        border_weights=False,
        min_nm=2.5,
        max_nm=7.0,
        size_classes=("stacking_fault", "misoriented"),
    )
    chosen = Selection(
        session="evening",
        sample="Au on carbon",
        run="18",
        since=NOW - timedelta(days=1),
        rules=rules,
    )
    first = written(config, target, chosen, title="the same")
    (command,) = [each.text for each in Page(first).tagged("pre")]
    again = tmp_path / "again.html"
    _, *arguments = shlex.split(command.replace("FILE.html", shlex.quote(str(again))))
    result = CliRunner().invoke(
        app, [*arguments, "--title", "the same", "--no-gallery"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert again.read_text(encoding="utf-8") == first


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "two words",
        "it's",
        "a\nb",
        "a\nb'c\\d$(x)",
        "\x1b[31m",
        "\x85f",
        "\u202ex",
        "\udcff",
        "é\n",
    ],
)
def test_a_shell_reads_the_command_of_the_page_as_it_was_meant(config, name):
    line = repeat.command_line(config.state.folder / name, Selection(session=name, run=name))
    assert line.isprintable()
    script = f"fringewatch() {{ printf '%s\\0' \"$@\"; }}; {line}"
    read = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, check=True).stdout
    expected = ["report", "FILE.html", "--state", str(config.state.folder / name)]
    expected += ["--session", name, "--run", name]
    assert read.split(b"\0")[:-1] == [os.fsencode(word) for word in expected]


class FixedClock:
    """Stands still."""

    def utc(self):
        return NOW


def test_a_page_that_cannot_be_made_leaves_the_one_that_is_there(
    populated, config, target, monkeypatch
):
    target.write_text("the last one", encoding="utf-8")
    monkeypatch.setattr(writing, "page", lambda *_: "\ud800")
    with pytest.raises(UnicodeEncodeError):
        written(config, target)
    assert target.read_text(encoding="utf-8") == "the last one"
    assert [path.name for path in target.parent.glob("*report*")] == ["report.html"]


def test_a_folder_that_is_not_there_is_said_so(populated, config, tmp_path):
    with pytest.raises(DaemonError, match=r"cannot write .*nowhere.*: No such file or directory"):
        written(config, tmp_path / "nowhere" / "report.html")


def test_a_report_leaves_the_state_folder_as_it_was(populated, config, target):
    populated.dispose()
    before = {path: path.stat().st_mtime_ns for path in config.state.folder.rglob("*")}
    written(config, target, per_class=6)
    after = {
        path: path.stat().st_mtime_ns
        for path in config.state.folder.rglob("*")
        if not path.name.endswith(("-wal", "-shm"))
    }
    assert {path: after[path] for path in before} == before


def test_thousands_of_fields_do_not_make_the_page_large():
    from daemon.report.course_chart import course_chart
    from daemon.report.style import inline_svg, styled
    from schema.portrait import Histogram, Moment, Portrait

    empty = Histogram(edges=(), counts=())

    def size(fields: int) -> int:
        course = tuple(
            Moment(
                seen_at_utc=NOW + timedelta(seconds=k),
                particles=3,
                median_nm=5 + np.sin(k),
                faults=1,
                observable=3,
            )
            for k in range(fields)
        )
        shown = Portrait(
            few_nm=(), size_quantiles_nm=(), aspect_ratio=empty, circularity=empty, course=course
        )
        with styled():
            return len(inline_svg(course_chart(shown), "course"))

    assert size(10_000) < 200_000
    assert size(200) < 200_000


def test_help_names_the_selection_and_loads_nothing_heavy():
    asked = (
        "import sys; from typer.testing import CliRunner; from daemon.cli import app; "
        "found = CliRunner().invoke(app, ['report', '--help']); print(found.output); "
        "print('LOADED', *sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    text, _, loaded = said.stdout.partition("LOADED")
    for option in ("--session", "--min-nm", "--title", "--no-gallery", "--gallery-per-class"):
        assert option in text
    heavy = {"tensorflow", "sqlalchemy", "numpy", "scipy", "matplotlib", "jinja2", "cv2", "h5py"}
    assert heavy & set(loaded.split()) == set()
