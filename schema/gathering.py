"""What a statistic is made from: results of a scope, those that may count, and their regions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, func, select

from schema.choice import DEFAULT_RULES, Choice, Result, Rules, choose
from schema.classifier import classifier_of
from schema.columns import AnyRow
from schema.correction import Classifier
from schema.correlation import Relations, relations
from schema.engine import driver_connection
from schema.population import Population, describe
from schema.records import BundleRecord
from schema.sample import Particles, Sample, is_counted, sample
from schema.scope import EVERYTHING, Scope, in_scope
from schema.summaries import unpacked
from schema.tables import Analysis, AnalysisSummary, Bundle, Image, Pipeline, Session, SourceFile

_PACKED = """
    SELECT packed FROM json_each(?) JOIN analysis_summary ON analysis_id = value ORDER BY key
"""
RANKED = (
    "equivalent_diameter_nm",
    "aspect_ratio",
    "circularity",
    "p_stacking_fault",
    "reflection_strength",
    "bragg_fraction",
    "lattice_cover",
    "disorder_mean",
)
"""Columns of the rank correlations: size, shape, class and lattice."""


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """The results that count, all their regions in their order, and what is known beside them.

    `bundle` made them, None where there is none. `materials` and `pixel_size_uncertainty` are what
    their sessions state; the latter is None where it is not stated for each.
    """

    choice: Choice
    particles: Particles
    bundle: BundleRecord | None
    materials: tuple[str, ...]
    pixel_size_uncertainty: float | None

    @property
    def classifier(self) -> Classifier:
        """What is known of its errors on these."""
        return classifier_of(self.bundle, self.materials, self.choice.rules)

    @property
    def sample(self) -> Sample:
        """The regions that count."""
        return sample(self.choice, self.particles)

    def population(
        self, rng: np.random.Generator | None = None, *, tested: bool = False
    ) -> Population:
        """The figures; with a generator they have intervals, and the fits are tested if wanted."""
        return describe(
            self.choice,
            self.particles,
            rng,
            classifier=self.classifier,
            pixel_size_uncertainty=self.pixel_size_uncertainty,
            tested=tested,
        )


def gathered(
    connection: Connection, scope: Scope = EVERYTHING, rules: Rules = DEFAULT_RULES
) -> Gathered:
    """What the statistics of these micrographs are made from."""
    choice = choose(results(connection, scope), rules)
    materials, pixel_size_uncertainty = _stated(connection, scope)
    return Gathered(
        choice=choice,
        particles=particles(connection, choice.analysis_ids),
        bundle=bundle_of(connection, choice.pipeline_fingerprint),
        materials=materials,
        pixel_size_uncertainty=pixel_size_uncertainty,
    )


def correlations(connection: Connection, found: Gathered) -> Relations:
    """What goes with what in these micrographs."""
    counted = is_counted(found.particles.table, found.choice.rules)
    columns = columns_of(connection, found.choice.analysis_ids, RANKED)[counted]
    return relations(found.sample, RANKED, columns)


def results(connection: Connection, scope: Scope = EVERYTHING) -> tuple[Result, ...]:
    """The current result of every picture, each once, without its particles."""
    shown = _shown(scope).subquery()
    query = (
        select(
            Analysis.id.label("analysis_id"),
            Image.id.label("micrograph_id"),
            Image.field_of_view_id,
            Image.pixel_sha256,
            Pipeline.fingerprint.label("pipeline_fingerprint"),
            Analysis.activated_at_utc,
            SourceFile.first_seen_at_utc,
            Analysis.in_domain,
            Image.suspect,
            Image.is_sum,
            Image.signal_index,
            Image.frame_index,
            Image.height_px,
            Image.width_px,
            Image.pixel_size_nm,
            Analysis.size_limit_nm,
            AnalysisSummary.particle_count,
        )
        .select_from(shown)
        .join(Analysis, Analysis.id == shown.c.analysis_id)
        .join(Image, Image.id == shown.c.image_id)
        .join(SourceFile, SourceFile.id == Image.source_file_id)
        .join(Pipeline, Pipeline.id == Analysis.pipeline_id)
        .join(AnalysisSummary, AnalysisSummary.analysis_id == Analysis.id)
        .order_by(Image.id)
    )
    return tuple(_result(row) for row in connection.execute(query))


def particles(connection: Connection, analysis_ids: Sequence[int]) -> Particles:
    """The regions of these analyses, in their order."""
    rows = driver_connection(connection).execute(_PACKED, (json.dumps(analysis_ids),)).fetchall()
    table, result = unpacked([row[0] for row in rows])
    return Particles(table=table, result=result)


def bundle_of(connection: Connection, pipeline_fingerprint: str | None) -> BundleRecord | None:
    """The model of a pipeline, None where the pipeline is not known."""
    query = (
        select(Bundle.sha256, Bundle.name, Bundle.version, Bundle.manifest_json)
        .join(Pipeline, Pipeline.bundle_id == Bundle.id)
        .where(Pipeline.fingerprint == pipeline_fingerprint)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else BundleRecord(**row._mapping)


def _stated(connection: Connection, scope: Scope) -> tuple[tuple[str, ...], float | None]:
    """What the sessions of these micrographs state: materials, and the largest uncertainty.

    The latter is half the 95 % interval of the pixel size, as a share of it; None where it is not
    stated for each micrograph.
    """
    columns = select(Session.material, Session.pixel_size_uncertainty).distinct()
    found = connection.execute(in_scope(columns, scope)).all()
    known = [uncertainty for _, uncertainty in found if uncertainty is not None]
    materials = tuple(sorted({material for material, _ in found if material}))
    return materials, max(known) if known and len(known) == len(found) else None


def columns_of(
    connection: Connection, analysis_ids: Sequence[int], names: Sequence[str]
) -> NDArray[np.float64]:
    """(N, K) of K columns of the regions of these analyses, in their order; NaN where one is empty.

    An analysis at a time: its regions lie beside each other, and nothing has to be put in order.
    """
    statement = f"""
        SELECT {", ".join(names)} FROM particle WHERE analysis_id = ? ORDER BY label
    """  # noqa: S608 - names of the program
    driver = driver_connection(connection)
    found = (driver.execute(statement, (each,)).fetchall() for each in analysis_ids)
    parts = [np.array(rows, np.float64).reshape(-1, len(names)) for rows in found]
    return np.concatenate([np.empty((0, len(names))), *parts])


def _shown(scope: Scope) -> Select[int, int]:
    """Each current analysis once, with the first image in scope that stands for it."""
    columns = select(Analysis.id.label("analysis_id"), func.min(Image.id).label("image_id"))
    return in_scope(columns, scope).group_by(Analysis.id)


def _result(row: AnyRow) -> Result:
    """A row of `results`; taken apart at once, as each look at a name of it takes a microsecond."""
    (
        analysis_id, micrograph_id, field_of_view_id, pixel_sha256, pipeline_fingerprint,
        activated_at_utc, seen_at_utc, in_domain, suspect, is_sum, signal_index, frame_index,
        height_px, width_px, size, size_limit_nm, particle_count,
    ) = row  # fmt: skip
    return Result(
        analysis_id=analysis_id,
        micrograph_id=micrograph_id,
        field_of_view_id=field_of_view_id,
        pixel_sha256=pixel_sha256,
        pipeline_fingerprint=pipeline_fingerprint,
        activated_at_utc=activated_at_utc,
        seen_at_utc=seen_at_utc,
        in_domain=bool(in_domain),
        suspect=suspect is not None,
        is_sum=bool(is_sum),
        signal_index=signal_index,
        frame_index=frame_index,
        height_nm=None if size is None else height_px * size,
        width_nm=None if size is None else width_px * size,
        size_limit_nm=size_limit_nm,
        particle_count=particle_count,
    )
