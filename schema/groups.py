"""Sessions, synthesis runs or samples beside each other, all by one pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from sqlalchemy import Connection, select

from schema.choice import DEFAULT_RULES, Rules, choose
from schema.classifier import classifier_of
from schema.comparison import Comparison, compare
from schema.gathering import Gathered, gathered, results
from schema.population import Population
from schema.scope import EVERYTHING, Scope
from schema.tables import Session

By = Literal["session", "run", "sample"]

_COLUMNS = {"session": Session.uuid, "run": Session.run, "sample": Session.sample}


@dataclass(frozen=True, kw_only=True)
class Group:
    """One of them; `against_first` is None for the first, which the others are held against.

    `key` is its run, its sample, or the uuid of its session.
    """

    key: str
    population: Population
    against_first: Comparison | None


def keys(connection: Connection, by: By, scope: Scope = EVERYTHING) -> tuple[str, ...]:
    """All of them whose sessions are in scope, in the order of their first session."""
    column = _COLUMNS[by]
    query = select(column).where(column.is_not(None)).order_by(Session.started_at_utc, Session.id)
    for kind, wanted in (
        ("session", scope.session_uuid),
        ("run", scope.run),
        ("sample", scope.sample),
    ):
        query = query if wanted is None else query.where(_COLUMNS[kind] == wanted)
    return tuple(dict.fromkeys(str(key) for key in connection.execute(query).scalars()))


def groups(
    connection: Connection,
    by: By,
    chosen: Sequence[str],
    scope: Scope = EVERYTHING,
    rules: Rules = DEFAULT_RULES,
    *,
    seed: int,
    tested: bool = False,
) -> tuple[Group, ...]:
    """The population of each, and its difference from the first.

    All are of the pipeline of the newest result that may count in any of them: results of two
    models are never held against each other.

    Args:
        connection: to read from.
        by: what they are.
        chosen: of `keys`, in the order wanted.
        scope: what of each is asked about.
        rules: what may count.
        seed: of the bootstrap; each group has the figures that it has alone.
        tested: whether the fits are tested as well.
    """
    scopes = [_narrowed(scope, by, key) for key in chosen]
    every = [result for its in scopes for result in results(connection, its)]
    rules = replace(rules, pipeline_fingerprint=choose(every, rules).pipeline_fingerprint)
    found: list[Group] = []
    first: Gathered | None = None
    for key, its in zip(chosen, scopes, strict=True):
        one, against = gathered(connection, its, rules), None
        if first is None:
            first = one
        else:
            both = classifier_of(one.bundle, (*first.materials, *one.materials), rules)
            against = compare(first.sample, one.sample, np.random.default_rng(seed), both)
        population = one.population(np.random.default_rng(seed), tested=tested)
        found.append(Group(key=key, population=population, against_first=against))
    return tuple(found)


def _narrowed(scope: Scope, by: By, key: str) -> Scope:
    if by == "session":
        return replace(scope, session_uuid=key)
    return replace(scope, run=key) if by == "run" else replace(scope, sample=key)
