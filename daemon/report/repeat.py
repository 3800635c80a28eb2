"""What it takes to make a report again: pipelines, settings, versions, the command line."""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from daemon.names import printable
from daemon.report.contents import Report
from daemon.report.tables import Table
from daemon.selection import Selection
from schema.choice import DEFAULT_RULES

LIBRARIES = ("numpy", "scipy", "scikit-learn", "statsmodels", "tensorflow", "rosettasciio")


def pipelines(report: Report) -> Table:
    """Which pipelines made results of this selection; one of them is in the statistics."""
    chosen = report.population.pipeline_fingerprint
    return Table(
        columns=("pipeline", "model", "analysis", "features", "micrographs", "in the figures"),
        rows=tuple(
            (
                each.pipeline.fingerprint[:12],
                printable(each.bundle),
                str(each.pipeline.analysis_version),
                each.pipeline.feature_set_version,
                str(each.micrographs),
                "yes" if each.pipeline.fingerprint == chosen else "no",
            )
            for each in report.provenance.pipelines
        ),
        numbers=(2, 4),
    )


def settings(report: Report) -> Table:
    """The settings of the pipeline that counts."""
    chosen = report.population.pipeline_fingerprint
    found = (each.pipeline for each in report.provenance.pipelines)
    text = next((each.settings_json for each in found if each.fingerprint == chosen), "{}")
    return Table(
        columns=("setting", "value"),
        rows=tuple(
            (name.replace("_", " "), "the model's" if value is None else printable(str(value)))
            for name, value in json.loads(text).items()
        ),
    )


def versions(report: Report) -> Table:
    """What made the results."""
    made = [(f"fringewatch {printable(name)}", n) for name, n in report.provenance.software]
    made += [(f"device {printable(name)}", n) for name, n in report.provenance.devices]
    return Table(
        columns=("made by", "micrographs"),
        rows=tuple((name, str(count)) for name, count in made),
        numbers=(1,),
    )


def environment(report: Report) -> str:
    """What made this page, and what is installed beside it."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    python = sys.version.split()[0]
    return f"fringewatch {report.software_version} with Python {python}, {libraries}"


def command_line(state_folder: Path, selection: Selection) -> str:
    """What makes the same report again, in a shell such as bash."""
    words = ["fringewatch", "report", "FILE.html", "--state", os.fspath(state_folder)]
    return " ".join(map(_quoted, [*words, *_options(selection)]))


def _quoted(word: str) -> str:
    r"""What a shell reads as this word; what cannot be seen stands as its bytes: `$'a\x0ab'`."""
    if printable(word) == word:
        return shlex.quote(word)
    return "$'" + "".join(_escaped(character) for character in word) + "'"


def _escaped(character: str) -> str:
    if character.isprintable() and character not in "\\'":
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def _options(selection: Selection) -> Iterator[str]:
    rules = selection.rules
    since = None if selection.since is None else selection.since.isoformat()
    for name, value in (
        ("--session", selection.session),
        ("--sample", selection.sample),
        ("--run", selection.run),
        ("--since", since),
        ("--min-nm", rules.min_nm),
        ("--max-nm", rules.max_nm),
    ):
        if value is not None:
            yield from (name, str(value))
    if rules.size_classes != DEFAULT_RULES.size_classes:
        for each in rules.size_classes:
            yield from ("--class", each)
    for name, is_set in (
        ("--every-frame", rules.every_frame),
        ("--no-border-weights", not rules.border_weights),
        ("--out-of-domain", rules.out_of_domain),
        ("--suspect", rules.suspect),
        ("--uncalibrated", rules.uncalibrated),
    ):
        if is_set:
            yield name
