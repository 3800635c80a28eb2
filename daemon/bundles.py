"""What the `bundle` commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from analysis.bundle import FOREST_NAME, Manifest, read_manifest
from analysis.errors import BundleError
from analysis.published import UNKNOWN_LICENCE
from daemon import shelf
from daemon.config import DEFAULT_BUNDLE, Config
from daemon.names import printable

KEY_WIDTH = 40
USE_IT = 'choose it with `--bundle {name}`, or `bundle = "{name}"` below [analysis]'


def list_all(config: Config, as_json: bool) -> None:
    """Print every model with its name; one that is damaged is listed as that."""
    state = config.state.folder
    rows = [_row(state, name, config.analysis.bundle) for name in shelf.names(state)]
    if as_json:
        _print_json(rows)
        return
    table = Table("", box=None)
    table.add_column("name", no_wrap=True)
    for title in ("network", "nm/px", "classes", "licence"):
        table.add_column(title, overflow="fold")
    for row in rows:
        chosen, name = "*" if row["configured"] else "", printable(row["name"])
        if row["problem"] is not None:
            table.add_row(chosen, name, printable(row["problem"]))
            continue
        low, high = row["pixel_size_range_nm"]
        table.add_row(
            chosen,
            name + (" (built in)" if row["built_in"] else ""),
            printable(f"{row['architecture']} {row['filters']}"),
            f"{low:g} to {high:g}",
            "yes" if row["classifies"] else "no",
            printable(row["licence"]),
        )
    _console().print(table)


def show(config: Config, name: str, as_json: bool) -> None:
    """Print what a model says of itself, its files checked first.

    Raises:
        BundleRefused: there is none of this name, or it is damaged.
    """
    manifest = shelf.manifest_of(config.state.folder, name)
    folder = shelf.bundle_folder(config.state.folder, name)
    if as_json:
        _print_json({"folder": str(folder), **asdict(manifest)})
        return
    out = _console()
    out.print(f"{printable(manifest.name)} {printable(manifest.version)}")
    out.print(printable(folder), soft_wrap=True)
    out.print("every file has the SHA-256 that the manifest states", style="dim")
    for title, values in _chapters(manifest):
        if values:
            table = Table(title=title, title_justify="left", show_header=False, box=None)
            table.add_column(overflow="fold", max_width=KEY_WIDTH)
            table.add_column(overflow="fold")
            for key, value in _flat(values):
                table.add_row(printable(key), printable(value))
            out.print()
            out.print(table)


def take(config: Config, source: Path, name: str | None) -> None:
    """Take in a zip or a folder and say under which name."""
    _say_taken(*shelf.take(config.state.folder, source, name))


def take_published(config: Config, source: Path, name: str | None) -> None:
    """Take in the paper's weights and say under which name."""
    _say_taken(*shelf.take_published(config.state.folder, source, name))


def give(config: Config, name: str, target: Path) -> None:
    """Write a zip; whose licence is unknown is said, for whoever means to hand it on."""
    manifest = shelf.give(config.state.folder, name, target)
    typer.echo(f"{name} is written to {target} ({target.stat().st_size / 1e6:.1f} MB)")
    if manifest.licence == UNKNOWN_LICENCE:
        typer.echo(
            "fringewatch: its licence is unknown: do not hand it on before you know that you may",
            err=True,
        )


def _say_taken(name: str, manifest: Manifest) -> None:
    forest = "with a forest" if FOREST_NAME in manifest.files else "without a forest: no classes"
    typer.echo(f"taken in as {name}: {manifest.architecture} network, {forest}")
    if manifest.licence == UNKNOWN_LICENCE:
        typer.echo("its licence is unknown")
    typer.echo(USE_IT.format(name=name))


def _row(state: Path, name: str, configured: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name,
        "built_in": name == DEFAULT_BUNDLE,
        "configured": name == configured,
        "folder": str(shelf.bundle_folder(state, name)),
        "problem": None,
    }
    try:
        manifest = read_manifest(shelf.bundle_folder(state, name))
    except BundleError as error:
        return row | {"problem": str(error)}
    return row | {
        "model": manifest.name,
        "version": manifest.version,
        "architecture": manifest.architecture,
        "filters": manifest.filters,
        "pixel_size_range_nm": list(manifest.pixel_size_range_nm),
        "classifies": FOREST_NAME in manifest.files,
        "licence": manifest.licence,
        "sha256": manifest.sha256,
    }


def _chapters(manifest: Manifest) -> Iterator[tuple[str, Mapping[str, Any]]]:
    low, high = manifest.pixel_size_range_nm
    yield (
        "model",
        {
            "licence": manifest.licence,
            "network": f"{manifest.architecture}, {manifest.filters} first filters",
            "sees pixels of": f"{manifest.model_pixel_size_nm:g} nm",
            "preprocessing": manifest.preprocess_recipe,
            "threshold": manifest.threshold,
            "forest": f"{manifest.feature_set}, {len(manifest.feature_names)} features"
            if FOREST_NAME in manifest.files
            else "none",
            "sha256": manifest.sha256,
        },
    )
    yield (
        "domain",
        {
            "pixel size": f"{low:g} to {high:g} nm",
            "imaging modes": ", ".join(manifest.imaging_modes),
            "smallest counted diameter": f"{manifest.reliable_diameter_nm:g} nm",
            **manifest.domain,
        },
    )
    yield "training", manifest.training
    yield "metrics", manifest.metrics
    yield "libraries", manifest.libraries


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every value with the keys that lead to it; a list of tables by its length alone."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            yield f"{above}{key}", f"{len(value)} entries: --json lists them"
        else:
            yield f"{above}{key}", _text(value)


def _text(value: object) -> str:
    if isinstance(value, list):
        between = " | " if any(isinstance(one, list) for one in value) else ", "
        return between.join(_text(one) for one in value)
    return f"{value:.4g}" if isinstance(value, float) else "—" if value is None else str(value)


def _console() -> Console:
    return Console(highlight=False, markup=False)


def _print_json(values: object) -> None:
    json.dump(values, sys.stdout, indent=2, ensure_ascii=True)
    sys.stdout.write("\n")
