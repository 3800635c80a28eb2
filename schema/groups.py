"""Sessions, synthesis runs or samples beside each other, all by one pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from sqlalchemy import Connection, select

from schema import queries
from schema.choice import DEFAULT_RULES, Rules, choose
from schema.classifier import classifier_of
from schema.comparison import Comparison, compare
from schema.population import Population, describe
from schema.queries import EVERYTHING, Scope
from schema.sample import Sample, sample
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
    """
    scopes = [_narrowed(scope, by, key) for key in chosen]
    every = [result for its in scopes for result in queries.results(connection, its)]
    rules = replace(rules, pipeline_fingerprint=choose(every, rules).pipeline_fingerprint)
    bundle = queries.bundle_of(connection, rules.pipeline_fingerprint)
    found: list[Group] = []
    first: tuple[Sample, tuple[str, ...]] | None = None
    for key, its in zip(chosen, scopes, strict=True):
        choice = choose(queries.results(connection, its), rules)
        particles = queries.particles(connection, choice.analysis_ids)
        materials = queries.materials(connection, its)
        classifier = classifier_of(bundle, materials, rules)
        population = describe(
            choice,
            particles,
            np.random.default_rng(seed),
            classifier=classifier,
            pixel_size_uncertainty=queries.pixel_size_uncertainty(connection, its),
        )
        counted, against = sample(choice, particles), None
        if first is None:
            first = counted, materials
        else:
            both = classifier_of(bundle, (*first[1], *materials), rules)
            against = compare(first[0], counted, np.random.default_rng(seed), both)
        found.append(Group(key=key, population=population, against_first=against))
    return tuple(found)


def _narrowed(scope: Scope, by: By, key: str) -> Scope:
    if by == "session":
        return replace(scope, session_uuid=key)
    return replace(scope, run=key) if by == "run" else replace(scope, sample=key)
