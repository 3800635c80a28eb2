"""The options of `fringewatch evaluate`; nothing heavy is imported before it runs."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.arguments import ConfigOption, StateOption


def evaluate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="Folder of simulated sets; a missing one is simulated into it."
        ),
    ],
    bundles: Annotated[
        list[str] | None,
        typer.Option(
            "--bundle",
            metavar="[LABEL=]NAME[@NM,...]",
            help="Model: its name, or a folder with a /; repeat it. The first is judged, the "
            "others are compared. @0.02,0.03 tries it at these pixel sizes.",
        ),
    ] = None,
    real: Annotated[
        Path | None,
        typer.Option("--real", metavar="DIR", help="Real patches: manifest.csv, files, masks."),
    ] = None,
    report: Annotated[
        Path, typer.Option("--report", metavar="FILE", help="Written with pictures beside it.")
    ] = Path("docs/evaluation.md"),
    notes: Annotated[
        Path | None,
        typer.Option("--notes", metavar="FILE", help="Paragraphs to take over, by `## key`."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write every number.")
    ] = None,
    overlays: Annotated[
        Path | None,
        typer.Option("--overlays", metavar="DIR", help="Write real patches with outlines."),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option("--work", metavar="DIR", help="Keep scores here; DATA/evaluation if unset."),
    ] = None,
    margin_nm: Annotated[
        float, typer.Option("--margin-nm", min=0.0, max=1.0, help="For human outlines.")
    ] = 0.2,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of optics, dose, pixel size.")] = 3,
    processes: Annotated[
        int, typer.Option("--processes", min=1, help="For a set that must be simulated.")
    ] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="A few fields only: a trial.")] = False,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Compare models with the paper's methods and write the report."""
    from daemon.options import settings
    from daemon.simulating import need_simulator

    need_simulator("an evaluation")  # also of sets that are there: their pictures are made now
    from daemon import evaluating

    asked = evaluating.Asked(
        data=data,
        bundles=tuple(bundles or ["default"]),
        real=real,
        report=report,
        notes=notes or report.with_name(f"{report.stem}_notes.md"),
        json=json,
        overlays=overlays,
        work=work or data / "evaluation",
        margin_nm=margin_nm,
        seed=seed,
        processes=processes,
        quick=quick,
    )
    raise typer.Exit(evaluating.evaluate(settings(config, state, []).state.folder, asked))
