"""The population as tables for people: each figure with its interval and what it rests on."""

from rich.console import Console
from rich.table import Table

from daemon import words
from schema.correlation import Relations
from schema.population import Population


def console() -> Console:
    """Where commands print: names are shown as they are, whatever stands in them."""
    return Console(highlight=False, markup=False)


def print_population(
    population: Population, classifier_note: str | None, per_minute: float | None = None
) -> None:
    """Print the figures of a population as a table, each with the count it rests on.

    Args:
        population: what is stated.
        classifier_note: how well its classes agree with the truth.
        per_minute: micrographs that come now.
    """
    out = console()
    out.print(words.heading(population), soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for name in ("quantity", "value", "95 % interval"):
        table.add_column(name, no_wrap=True)
    table.add_column("from")
    for row in words.figures(population):
        table.add_row(*row)
    out.print(table)
    for name, count in population.class_counts.items():
        out.print(f"  {count:6d}  {name}")
    if population.unclassified:
        out.print(f"  {population.unclassified:6d}  without a class")
    for reason, count in population.excluded.items():
        out.print(f"  {count:6d}  left out: {reason}")
    for line in words.still_needed(population, per_minute):
        out.print(line)
    out.print(f"intervals: {population.interval_method}", style="dim", soft_wrap=True)
    out.print(f"counting rule: {population.counting_rule}", style="dim", soft_wrap=True)
    if classifier_note:
        out.print(
            f"classes are as the classifier gave them; {classifier_note}",
            style="dim",
            soft_wrap=True,
        )


def print_correlations(found: Relations) -> None:
    """Print what goes with what."""
    out = console()
    out.print()
    out.print("what goes with what")
    for what, said in words.what_goes_with_what(found):
        out.print(f"  {what}: {said}", soft_wrap=True)
    if found.fault_by_size:
        table = Table(*words.SIZE_COLUMNS, box=None, pad_edge=False)
        for each in found.fault_by_size:
            table.add_row(*words.size_row(each))
        out.print(table)
    out.print("Spearman's rank correlation")
    out.print(_ranks(found))


def _ranks(found: Relations) -> Table:
    """The lower triangle, numbered as its rows."""
    names = found.ranks.names
    numbers = (str(number) for number in range(1, len(names)))
    table = Table("", *numbers, box=None, pad_edge=False)
    for row, name in enumerate(names):
        values = (words.rank(found.ranks.rho[row][column]) for column in range(row))
        table.add_row(f"{row + 1} {name}", *values)
    return table
