"""The command `fringewatch`: parse, call one function, print.

Nothing heavy is imported before a command needs it: `--help` loads no TensorFlow and no SQLAlchemy.
"""

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from daemon.arguments import BundleOption, ConfigOption, JsonOption, PixelSizeOption, StateOption
from daemon.bundle_commands import bundle_app
from daemon.errors import DaemonError, Exit, Misused
from daemon.evaluate_command import evaluate
from daemon.export_command import export
from daemon.overlays_command import overlays
from daemon.query_command import query
from daemon.report_command import report
from daemon.selection import Selection, selecting
from daemon.training_commands import simulate, train_app

app = typer.Typer(
    name="fringewatch",
    help="Watch a microscope's folders, find the nanoparticles in every new HRTEM micrograph, "
    "and keep their sizes, shapes and visible stacking faults.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
session_app = typer.Typer(
    help="Name what is on the microscope: sample, synthesis run, operator.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(session_app, name="session")
app.add_typer(bundle_app, name="bundle")

ForceOption = Annotated[
    bool, typer.Option("--force", help="Segment images outside the model's domain, marked so.")
]
SampleOption = Annotated[str | None, typer.Option("--sample", help="What lies on the grid.")]
MaterialOption = Annotated[
    str | None, typer.Option("--material", help="Formula of the particles: Au, CdSe.")
]
UncertaintyOption = Annotated[
    float | None,
    typer.Option(
        "--pixel-size-uncertainty-percent", help="Half the 95 % interval of the calibration."
    ),
]
RunOption = Annotated[str | None, typer.Option("--run", help="Synthesis run.")]
OperatorOption = Annotated[str | None, typer.Option("--operator")]
InstrumentOption = Annotated[str | None, typer.Option("--instrument")]


@app.callback(invoke_without_command=True)
def common(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the traceback of an error.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Options that stand before any command."""
    del verbose  # read by `main`, which meets the errors
    if version:
        from importlib.metadata import version as version_of

        typer.echo(version_of("fringewatch"))
        raise typer.Exit


@app.command()
def watch(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR...", help="Folders to watch.")
    ] = None,
    state: StateOption = None,
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Work off what is there, then end.")] = False,
    pixel_size_nm: PixelSizeOption = None,
    force: ForceOption = False,
    bundle: BundleOption = None,
    overlays: Annotated[
        Path | None,
        typer.Option("--overlays", metavar="DIR", help="Draw a picture of each result there."),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Log lines, no live view.")] = False,
    session: Annotated[
        str | None, typer.Option("--session", help="Start a session of this name.")
    ] = None,
    sample: SampleOption = None,
    material: MaterialOption = None,
    pixel_size_uncertainty_percent: UncertaintyOption = None,
    run: RunOption = None,
    operator: OperatorOption = None,
    instrument: InstrumentOption = None,
) -> None:
    """Watch folders and analyse every micrograph that arrives, until stopped."""
    from daemon import watching
    from daemon.options import settings

    chosen = settings(
        config,
        state,
        folders or [],
        pixel_size_nm=pixel_size_nm,
        force=force,
        bundle=bundle,
        overlays=overlays,
    )
    about = _session_values(
        session,
        sample=sample,
        material=material,
        pixel_size_uncertainty_percent=pixel_size_uncertainty_percent,
        run=run,
        operator=operator,
        instrument=instrument,
    )
    raise typer.Exit(watching.watch(chosen, once=once, plain=plain, session=about))


@app.command()
def analyse(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    state: StateOption = None,
    config: ConfigOption = None,
    pixel_size_nm: PixelSizeOption = None,
    force: ForceOption = False,
    bundle: BundleOption = None,
    json: JsonOption = False,
) -> None:
    """Analyse files by hand, exactly as if they had just arrived."""
    from daemon import byhand
    from daemon.options import settings

    chosen = settings(config, state, [], pixel_size_nm=None, force=force, bundle=bundle)
    code = byhand.analyse(
        chosen, files, pixel_size_nm=pixel_size_nm, force=force, bundle=bundle, as_json=json
    )
    raise typer.Exit(code)


@app.command()
def live(
    state: StateOption = None,
    config: ConfigOption = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Write one picture of it and end.")
    ] = None,
    size: Annotated[str, typer.Option("--size", help="Of the picture, in characters.")] = "120x40",
) -> None:
    """Show the population of a state folder, live, from any terminal."""
    from daemon import looking
    from daemon.options import settings

    raise typer.Exit(looking.live(settings(config, state, []), svg, size))


@app.command()
def status(
    state: StateOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Where the files stand: done, waiting, refused, failed, and why."""
    from daemon import reporting
    from daemon.options import settings

    reporting.status(settings(config, state, []), json)


@app.command()
@selecting
def compare(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="The first is held against; none named are all."),
    ] = None,
    state: StateOption = None,
    config: ConfigOption = None,
    by: Annotated[str, typer.Option("--by", help="session, run or sample.")] = "session",
    json: JsonOption = False,
    *,
    selection: Selection,
) -> None:
    """Sessions, synthesis runs or samples in one table, and how each differs from the first."""
    from daemon import comparing
    from daemon.options import settings

    comparing.compare(settings(config, state, []), by, names or [], selection, json)


@app.command()
@selecting
def summary(
    state: StateOption = None,
    config: ConfigOption = None,
    correlations: Annotated[
        bool,
        typer.Option("--correlations", help="Faults with size, features with each other, drift."),
    ] = False,
    json: JsonOption = False,
    *,
    selection: Selection,
) -> None:
    """The population in numbers: sizes, classes, visible faults, with intervals."""
    from daemon import reporting
    from daemon.options import settings

    reporting.summary(settings(config, state, []), selection, json, correlations)


@app.command()
def retry(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE...")] = None,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Try failed files again: those named, or all of them."""
    from daemon import asking
    from daemon.options import named, settings

    paths = [str(named(path)) for path in files or []]
    answer = asking.ask(settings(config, state, []), "retry", {"paths": paths})
    typer.echo(f"{answer['count']} files will be tried again")


@app.command(name="check-config")
def check_config(
    file: Annotated[Path, typer.Argument(metavar="FILE")], json: JsonOption = False
) -> None:
    """Read a configuration, say what is wrong with it, or what it means."""
    from daemon import reporting

    reporting.check_config(file, json)


@app.command(name="upgrade-db")
def upgrade_db(state: StateOption = None, config: ConfigOption = None) -> None:
    """Bring an old database to this version, after a backup; the daemon must be stopped."""
    from daemon.clock import SYSTEM_CLOCK
    from daemon.options import settings
    from daemon.owning import own_state

    folder = settings(config, state, []).state.folder
    with own_state(folder, SYSTEM_CLOCK) as owned:
        typer.echo(f"{owned.folder.database} is up to date")


@app.command()
def doctor(
    state: StateOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Read every mask file, too.")
    ] = False,
) -> None:
    """Look at everything an installation needs; changes nothing. 1 where something is bad."""
    from daemon.clock import SYSTEM_CLOCK
    from daemon.doctor import examine
    from daemon.findings import Health
    from daemon.options import settings
    from daemon.reporting import print_findings

    found = examine(settings(config, state, []), SYSTEM_CLOCK, thorough=thorough)
    print_findings(found, json)
    bad = any(finding.health is Health.BAD for finding in found)
    raise typer.Exit(Exit.FAILED if bad else Exit.DONE)


@app.command(name="rebuild")
def rebuild_(
    state: StateOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Make the database anew from the mask files; the daemon must be stopped."""
    from daemon.clock import SYSTEM_CLOCK
    from daemon.options import settings
    from daemon.progress import shown
    from daemon.rebuilding import rebuild_database
    from daemon.reporting import print_rebuilt

    folder = settings(config, state, []).state.folder
    with shown() as show:
        made, aside = rebuild_database(
            folder, SYSTEM_CLOCK, lambda done, total: show("mask files", done, total, "")
        )
    print_rebuilt(made, aside, json)
    raise typer.Exit(Exit.FAILED if made.left_out else Exit.DONE)


@app.command()
def demo(
    folder: Annotated[
        Path, typer.Option("--folder", help="Where the demonstration may write.")
    ] = Path("demo"),
    micrographs: Annotated[int, typer.Option("--micrographs", min=4)] = 12,
) -> None:
    """A simulated microscope writes micrographs while the daemon watches it."""
    from daemon.demo import run_demo

    raise typer.Exit(run_demo(folder, micrographs))


app.command()(query)
app.command()(export)
app.command()(overlays)
app.command()(simulate)
app.add_typer(train_app, name="train")
app.command()(evaluate)
app.command()(report)


@session_app.command("start")
def session_start(
    name: str,
    state: StateOption = None,
    config: ConfigOption = None,
    sample: SampleOption = None,
    material: MaterialOption = None,
    pixel_size_uncertainty_percent: UncertaintyOption = None,
    run: RunOption = None,
    operator: OperatorOption = None,
    instrument: InstrumentOption = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Only files below this folder belong to it.")
    ] = None,
) -> None:
    """Start a session; files first seen from now on belong to it."""
    from daemon import asking
    from daemon.options import settings

    values: dict[str, Any] = {"name": name, "sample": sample, "material": material, "run": run}
    values |= {"operator": operator, "instrument": instrument}
    values["pixel_size_uncertainty_percent"] = pixel_size_uncertainty_percent
    values["folder"] = str(folder.resolve()) if folder else None
    asking.ask(settings(config, state, []), "session_start", values)
    typer.echo(f"session {name!r} has started")


@session_app.command("end")
def session_end(state: StateOption = None, config: ConfigOption = None) -> None:
    """End the open session."""
    from daemon import asking
    from daemon.options import settings

    answer = asking.ask(settings(config, state, []), "session_end", {})
    typer.echo(f"session {answer['name']!r} has ended")


@session_app.command("list")
def session_list(
    state: StateOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Every session with its sample, run and times."""
    from daemon import reporting
    from daemon.options import settings

    reporting.list_sessions(settings(config, state, []), json)


def main() -> None:
    """Entry point: errors become one sentence on stderr and an exit code."""
    try:
        app()
    except DaemonError as error:
        _end(error, error.exit_code)
    except Exception as error:
        from sqlalchemy.exc import SQLAlchemyError  # here, because `--help` needs none of it

        from schema.errors import SchemaError

        if not isinstance(error, (OSError, SQLAlchemyError, SchemaError)):
            raise
        _end(error, Exit.FAILED)


def _end(error: Exception, exit_code: Exit) -> NoReturn:
    if {"-v", "--verbose"} & set(sys.argv):
        raise error
    typer.echo(f"fringewatch: {error}", err=True)
    sys.exit(exit_code)


def _session_values(name: str | None, **about: str | float | None) -> dict[str, Any] | None:
    """What a session is to be called and what is said of it; None where none is asked for."""
    if name is None:
        if any(about.values()):
            *most, last = (f"--{word.replace('_', '-')}" for word in about)
            raise Misused(f"{', '.join(most)} and {last} need --session NAME")
        return None
    return {"name": name, **about}
