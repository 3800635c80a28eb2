"""`fringewatch compare`: sessions, synthesis runs or samples in one table."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict

from rich.table import Table
from sqlalchemy import Connection

from daemon.config import Config
from daemon.errors import Misused
from daemon.figures import interval_of
from daemon.jsons import print_json
from daemon.names import printable
from daemon.population_table import console
from daemon.reading import BOOTSTRAP_SEED, open_for_reading
from daemon.selection import Selection, session_uuid
from daemon.words import signed
from schema import sessions
from schema.distribution import Estimate
from schema.fractions import Fraction
from schema.groups import By, Group, groups, keys
from schema.records import SessionRecord
from schema.statement import statement

NONE = "—"
UUID_SHOWN = 8


def compare(
    config: Config, by: str, names: Sequence[str], selection: Selection, as_json: bool
) -> None:
    """Print several groups and how each differs from the first.

    Args:
        config: whole configuration.
        by: `session`, `run` or `sample`.
        names: of them, the first to be held against; none named are all.
        selection: what of each may count.
        as_json: for programs.

    Raises:
        Misused: there is no such group, or fewer than two.
    """
    if by not in ("session", "run", "sample"):
        raise Misused(f"--by is session, run or sample, not {by!r}")
    kind: By = by  # type: ignore[assignment]
    _, engine = open_for_reading(config.state.folder)
    with engine.begin() as connection:
        known = sessions.all_sessions(connection) if kind == "session" else ()
        scope = selection.scope(connection)
        chosen = _chosen(kind, keys(connection, kind, scope), names, connection)
        about = (connection, kind, chosen, scope, selection.rules)
        found = groups(*about, seed=BOOTSTRAP_SEED, tested=as_json)
    if as_json:
        names_of = {session.uuid: session.name for session in known}
        plain = [_plain(group, names_of) for group in found]
        print_json({"by": kind, "selection": selection.plain(), "groups": plain})
        return
    out, titles = console(), _titles(known)
    out.print(_figures(kind, found, titles))
    out.print()
    out.print(_differences(kind, found, titles))
    first = printable(titles.get(found[0].key, found[0].key))
    notes = (
        f"differences are against {first}; intervals are of 95 % over fields of view",
        f"counting rule: {found[0].population.counting_rule}",
    )
    for note in notes:
        out.print(note, style="dim", soft_wrap=True)


def _titles(known: Sequence[SessionRecord]) -> dict[str, str]:
    """Names of sessions by their uuids; one that several have with its day and the uuid's start."""
    often = Counter(session.name for session in known)
    return {
        each.uuid: each.name
        if often[each.name] == 1
        else f"{each.name} ({each.started_at_utc:%Y-%m-%d}, {each.uuid[:UUID_SHOWN]})"
        for each in known
    }


def _chosen(
    by: By, every: Sequence[str], names: Sequence[str], connection: Connection
) -> list[str]:
    chosen = [_key(by, name, every, connection) for name in names] or list(every)
    if len(chosen) < 2:
        raise Misused(f"there is nothing to compare: {len(chosen)} {by} with a name")
    if len(set(chosen)) < len(chosen):
        raise Misused(f"a {by} is named twice")
    return chosen


def _key(by: By, name: str, every: Sequence[str], connection: Connection) -> str:
    key = session_uuid(connection, name) if by == "session" else name
    if key not in every:
        raise Misused(f"there is no {by} {name!r} in this selection")
    return key


def _table(by: By, columns: Sequence[str]) -> Table:
    """A figure and its interval stay on one line of eighty; where it is narrow, names fold."""
    table = Table(by, box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _figures(by: By, found: Sequence[Group], titles: dict[str, str]) -> Table:
    columns = ("fields", "particles", "median nm", "GSD", "visible\nfaults %", "corrected\n%")
    table = _table(by, columns)
    for group in found:
        population = group.population
        corrected = population.stacking_fault_fraction.corrected
        table.add_row(
            printable(titles.get(group.key, group.key)),
            str(population.fields_of_view),
            str(population.particles),
            _estimate(population.diameter_nm.d50, 2),
            _estimate(population.moments_nm.geometric_standard_deviation, 2),
            _classified(population.stacking_fault_fraction),
            _percent(corrected.value, corrected.low, corrected.high),
        )
    return table


def _differences(by: By, found: Sequence[Group], titles: dict[str, str]) -> Table:
    columns = (
        "median nm",
        "visible faults,\npoints",
        "corrected,\npoints",
        "p of\nfields",
        "distance",
    )
    table = _table(by, columns)
    for group in found:
        against = group.against_first
        if against is None:
            continue
        p_value = against.field_p_value
        table.add_row(
            printable(titles.get(group.key, group.key)),
            _difference(against.median_nm, 2),
            _difference(against.faults, 0, 100),
            _difference(against.corrected_faults, 0, 100),
            NONE if p_value is None else f"{p_value:.2g}",
            NONE if against.distance is None else f"{against.distance:.3f}",
        )
    return table


def _classified(fraction: Fraction) -> str:
    low, high, _ = interval_of(fraction) or (None, None, "")
    return _percent(fraction.wilson.value, low, high)


def _percent(value: float | None, low: float | None, high: float | None) -> str:
    return _bounded(value, low, high, lambda share: f"{100 * share:.0f}", "–")


def _estimate(found: Estimate, digits: int) -> str:
    return _bounded(found.value, found.low, found.high, lambda each: f"{each:.{digits}f}", "–")


def _difference(found: Estimate, digits: int, factor: float = 1.0) -> str:
    def shown(each: float) -> str:
        return signed(factor * each, digits)

    return _bounded(found.value, found.low, found.high, shown, ", ")


def _bounded(
    value: float | None,
    low: float | None,
    high: float | None,
    shown: Callable[[float], str],
    between: str,
) -> str:
    if value is None:
        return NONE
    if low is None or high is None:
        return shown(value)
    return f"{shown(value)} [{shown(low)}{between}{shown(high)}]"


def _plain(group: Group, names: dict[str, str]) -> dict[str, object]:
    against = group.against_first
    return {
        "key": group.key,
        "name": names.get(group.key, group.key),
        **statement(group.population),
        "against_first": None if against is None else asdict(against),
    }
