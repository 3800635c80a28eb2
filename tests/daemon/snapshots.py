"""A busy afternoon at the microscope, and its first second, as snapshots."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from daemon.snapshot import (
    BundleLine,
    CurrentFile,
    MicrographLine,
    SessionLine,
    Snapshot,
    WatchedFolder,
)
from schema.correlation import Drift
from schema.distribution import Deciles, Estimate, Moments, proportion
from schema.fits import Fit
from schema.fractions import Corrected, Fraction
from schema.outlook import Outlook
from schema.population import Population
from schema.records import FileState, LedgerCounts

NOW = datetime(2026, 3, 1, 14, 3, 22, tzinfo=UTC)
EDGES_NM = tuple(float(edge) for edge in np.arange(2.0, 10.5, 0.5))
COUNTS = (2, 3, 19, 44, 74, 84, 71, 51, 31, 17, 8, 4, 2, 1, 1, 0)

POPULATION = Population(
    found=531,
    particles=sum(COUNTS),
    micrographs=38,
    fields_of_view=38,
    area_imaged_nm2=255_512.0,
    excluded={"below_size_limit": 14, "touches_border": 63, "out_of_domain": 2},
    class_counts={
        "stacking_fault": 57,
        "no_stacking_fault": 92,
        "misoriented": 263,
        "agglomeration": 31,
        "background": 9,
    },
    unclassified=0,
    counting_rule="particles that touch the border are left out",
    pipeline_fingerprint="f" * 64,
    pixel_size_uncertainty=None,
    size_limit_nm=1.0,
    interval_method="bootstrap over 38 fields of view, 1000 resamples",
    diameter_nm=Deciles(
        d10=Estimate(value=3.7, low=3.6, high=3.8),
        d50=Estimate(value=4.82, low=4.70, high=4.95),
        d90=Estimate(value=6.3, low=6.1, high=6.5),
    ),
    moments_nm=Moments(
        mean=Estimate(value=4.9, low=4.78, high=5.03),
        standard_deviation=Estimate(value=1.0, low=0.93, high=1.07),
        coefficient_of_variation=Estimate(value=0.2, low=0.19, high=0.22),
        geometric_mean=Estimate(value=4.8, low=4.69, high=4.92),
        geometric_standard_deviation=Estimate(value=1.22, low=1.21, high=1.24),
    ),
    aspect_ratio=Deciles(d50=Estimate(value=1.14, low=1.13, high=1.15)),
    circularity=Deciles(d50=Estimate(value=0.94, low=0.93, high=0.94)),
    lognormal=Fit(
        model="lognormal",
        centre_nm=Estimate(value=4.8, low=4.69, high=4.92),
        spread=Estimate(value=1.22, low=1.21, high=1.24),
        unseen=0.0,
        distance=0.03,
        p_value=0.2,
        log_likelihood=-1.4,
    ),
    normal=None,
    size_edges_nm=EDGES_NM,
    size_histogram=COUNTS,
    observable_fraction=Fraction(
        wilson=proportion(149, 412),
        by_field=Estimate(value=149 / 412, low=0.30, high=0.42),
        corrected=Corrected(value=0.35, low=0.29, high=0.41, source="simulation-based"),
    ),
    stacking_fault_fraction=Fraction(
        wilson=proportion(57, 149),
        by_field=Estimate(value=57 / 149, low=0.29, high=0.48),
        corrected=Corrected(value=0.21, low=0.1, high=0.33, source="simulation-based"),
    ),
)

OUTLOOK = Outlook(
    population=POPULATION,
    drift_of_median=Drift(rho=-0.45, p_value=0.004, fields=38),
    drift_of_faults=Drift(rho=0.1, p_value=0.6, fields=38),
    per_minute=4.2,
)

RECENT = (
    MicrographLine(
        name="20260301_Au_0042.dm4",
        state=FileState.DONE,
        particles=12,
        median_nm=4.8,
        seconds=1.2,
    ),
    MicrographLine(
        name="20260301_Au_0041_survey.emd",
        state=FileState.DONE,
        note="outside the model's domain: STEM imaging",
    ),
    MicrographLine(
        name="20260301_Au_0040_eels.dm3",
        state=FileState.REFUSED,
        note="the file holds a spectrum, not an image",
    ),
    MicrographLine(
        name="20260301_Au_0039.dm4",
        state=FileState.RETRY,
        note="the file ends early, tried again in 30 s",
    ),
    MicrographLine(
        name="20260301_Au_0038.tif",
        state=FileState.QUARANTINED,
        note="this is not a TIFF file",
    ),
    *(
        MicrographLine(
            name=f"20260301_Au_00{number}.dm4",
            state=FileState.DONE,
            particles=number - 20,
            median_nm=4.0 + number / 40,
            seconds=1.1,
        )
        for number in range(37, 27, -1)
    ),
)

BUSY = Snapshot(
    now=NOW,
    started_at=NOW - timedelta(hours=1, minutes=23),
    software_version="0.1.0",
    state_folder=Path("/var/lib/fringewatch"),
    folders=(WatchedFolder(path=Path("/data/titan/2026-03-01"), mode="events"),),
    session=SessionLine(name="Au day 3", sample="Au-12", run="S-044", operator="M. Curie"),
    bundle=BundleLine(
        name="default",
        version="1.0",
        balanced_accuracy=0.65,
        classifier_note="balanced accuracy 0.65 on simulated particles",
    ),
    device="CPU",
    ledger=LedgerCounts(seen=48, pending=3, retry=1, done=41, refused=2, quarantined=1),
    current=CurrentFile(name="20260301_Au_0043.dm4", stage="segmenting", seconds=3),
    queue_length=3,
    rate_per_minute=4.2,
    seconds_since_last=8,
    recent=RECENT,
    outlook=OUTLOOK,
    outlook_age_seconds=0.0,
    warnings=(
        "no new file in /data/titan/2026-03-01 for 12 min",
        "disk: 4 % free on /var/lib/fringewatch",
    ),
)

FIRST_SECOND = Snapshot(
    now=NOW,
    started_at=NOW - timedelta(seconds=1),
    software_version="0.1.0",
    state_folder=Path("/var/lib/fringewatch"),
    folders=BUSY.folders,
)

NO_FRACTION = Fraction(
    wilson=proportion(0, 0),
    by_field=Estimate(value=None),
    corrected=Corrected(reason="no observable particle"),
)

EMPTY = replace(
    POPULATION,
    found=0,
    particles=0,
    excluded={},
    class_counts=dict.fromkeys(POPULATION.class_counts, 0),
    size_limit_nm=None,
    interval_method="fewer than 8 fields of view: no interval",
    diameter_nm=Deciles(),
    moments_nm=Moments(),
    aspect_ratio=Deciles(),
    circularity=Deciles(),
    lognormal=None,
    size_edges_nm=(),
    size_histogram=(),
    observable_fraction=NO_FRACTION,
    stacking_fault_fraction=NO_FRACTION,
)

NOTHING_FOUND = replace(
    BUSY,
    outlook=Outlook(
        population=EMPTY,
        drift_of_median=Drift(reason="fewer than 8 fields of view have particles"),
        drift_of_faults=Drift(reason="fewer than 8 fields of view have particles"),
        per_minute=None,
    ),
)


def with_figures(population: Population) -> Snapshot:
    """The busy afternoon with other figures."""
    return replace(BUSY, outlook=replace(OUTLOOK, population=population))
