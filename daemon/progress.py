"""How far something is: bars on a terminal, a line for each finished stage elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Show = Callable[[str, int, int, str], None]
"""Stage, done, in all, and a word about how it goes."""


@contextmanager
def shown() -> Iterator[Show]:
    """Takes (stage, done, in all, note) as often as there is something to show."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}
        said: dict[str, str] = {}

        def show(stage: str, done: int, total: int, note: str) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total, note="")
            progress.update(tasks[stage], completed=done, total=total, note=note)
            news = note != said.get(stage, "") or done == total
            if news and not console.is_terminal:
                typer.echo(f"{stage}: {done} of {total}" + (f", {note}" if note else ""), err=True)
            said[stage] = note

        yield show
