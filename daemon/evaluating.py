"""`fringewatch evaluate`: load the models, show how far it is, write what was found."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import typer

from analysis.bundle import load
from analysis.errors import BundleError
from analysis.training.evaluation import goals, sets
from analysis.training.evaluation.curves import FEW_VARIABLES, VARIABLES
from analysis.training.evaluation.document import write_document, write_json
from analysis.training.evaluation.methods import BundleMethod
from analysis.training.evaluation.run import Made, Plan
from analysis.training.evaluation.run import evaluate as run
from analysis.training.evaluation.views import write_overlays
from daemon import shelf
from daemon.clock import SYSTEM_CLOCK
from daemon.errors import DaemonError, Exit, Misused
from daemon.progress import shown
from daemon.quiet import start_backend

_NAMED = re.compile(r"(?:(?P<label>[^=/@]+)=)?(?P<named>.+?)(?:@(?P<scales>[\d.]+(?:,[\d.]+)*))?")
_LARGEST_SCALE_NM = 0.2
_WORDS = {True: "reached", False: "not reached", None: "not measured"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of the command."""

    data: Path
    bundles: tuple[str, ...]
    real: Path | None
    report: Path
    notes: Path
    json: Path | None
    overlays: Path | None
    work: Path
    margin_nm: float
    seed: int
    processes: int
    quick: bool


def evaluate(state: Path, asked: Asked) -> int:
    """Run the evaluation and write its report; the exit code.

    Args:
        state: folder, where bundles are looked up by name.
        asked: on the command line.

    Raises:
        Misused: a bundle is named in a way that makes no sense, or there is no such folder.
        DaemonError: a bundle is damaged.
        OSError: a file cannot be read or written.
    """
    _check(asked)
    wanted = _checked([each for text in asked.bundles for each in _wanted(text)])
    plan = Plan(
        bundles=_methods(state, wanted),
        data=asked.data,
        work=asked.work,
        real=asked.real,
        counts=sets.QUICK if asked.quick else sets.FULL,
        seed=asked.seed,
        margin_nm=asked.margin_nm,
        processes=asked.processes,
        variables=FEW_VARIABLES if asked.quick else VARIABLES,
    )
    date = SYSTEM_CLOCK.utc().date().isoformat()
    with shown() as show:
        made = run(
            plan, date, command(asked), lambda stage, done, total: show(stage, done, total, "")
        )
    _written(made, asked)
    return Exit.DONE


def command(asked: Asked) -> str:
    """The command as the report gives it: without the folders of one computer."""
    words = ["fringewatch", "evaluate", "DATA"]
    for named in asked.bundles:
        words += ["--bundle", re.sub(r"[^=]*/", "", named)]
    if asked.real is not None:
        words += ["--real", "REAL"]
    words += ["--margin-nm", f"{asked.margin_nm:g}", "--seed", str(asked.seed)]
    return shlex.join(words + ["--quick"] * asked.quick)


def _check(asked: Asked) -> None:
    if asked.overlays is not None and asked.real is None:
        raise Misused("--overlays shows real patches, and needs --real")
    if asked.real is not None and not (asked.real / "manifest.csv").is_file():
        raise Misused(f"{asked.real} holds no manifest.csv")
    if not asked.report.parent.is_dir():
        raise Misused(f"{asked.report.parent} is not a folder")


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A bundle as it was asked for: what to call it, where it lies, at which pixel size."""

    group: str
    named: str
    scale_nm: float | None

    @property
    def name(self) -> str:
        return f"{self.group} at {self.scale_nm} nm/px" if self.scale_nm else self.group


def _wanted(text: str) -> list[_Wanted]:
    """The bundle of `[LABEL=]NAME[@NM,...]`, once for each scale."""
    found = _NAMED.fullmatch(text)
    if found is None:
        raise Misused(f"{text!r} names no bundle")
    named = found["named"]
    group = found["label"] or Path(named).name
    scales = [None] if found["scales"] is None else _scales(found["scales"])
    return [_Wanted(group=group, named=named, scale_nm=scale_nm) for scale_nm in scales]


def _checked(wanted: list[_Wanted]) -> list[_Wanted]:
    names = [each.name for each in wanted]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Misused(f"two bundles are called {twice[0]!r}; label one: --bundle LABEL=NAME")
    if wanted[0].scale_nm is not None:
        raise Misused("the first --bundle is the one that is judged, at its own pixel size")
    return wanted


def _methods(state: Path, wanted: list[_Wanted]) -> tuple[BundleMethod, ...]:
    """The methods, each folder loaded once."""
    start_backend()
    try:
        loaded = {named: load(shelf.found(state, named)) for named in {w.named for w in wanted}}
    except BundleError as error:
        raise DaemonError(str(error)) from error
    return tuple(
        BundleMethod(group=each.group, bundle=loaded[each.named], scale_nm=each.scale_nm)
        for each in wanted
    )


def _scales(text: str) -> list[float]:
    try:
        scales = [float(number) for number in text.split(",")]
    except ValueError as error:
        raise Misused(f"@{text} is no list of pixel sizes in nm") from error
    if not all(0 < scale <= _LARGEST_SCALE_NM for scale in scales):
        raise Misused(f"@{text}: a pixel size above 0 and up to {_LARGEST_SCALE_NM} nm, please")
    return scales


def _written(made: Made, asked: Asked) -> None:
    paths = write_document(made, asked.report, asked.notes)
    if asked.json is not None:
        write_json(made.evaluation, asked.json)
        paths.append(asked.json)
    if asked.overlays is not None:
        cases = [source.make() for source in made.sources["real"]]
        paths += write_overlays(asked.overlays, cases, made.methods)
    typer.echo(f"{asked.report}, and {len(paths) - 1} files with it")
    for goal in goals.goals(made.evaluation.methods):
        typer.echo(f"{goal.what}: {goal.found}, asked {goal.asked}: {_WORDS[goal.reached]}")
