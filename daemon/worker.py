"""The worker child: holds the network, analyses one frame at a time, writes its masks.

It never opens the database. What it returns is small: the records the owner of the database
commits.
"""

import logging
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from analysis.bundle import Bundle
from analysis.pipeline import AnalysisSettings
from daemon.parser import ParsedFrame
from daemon.quiet import native_stderr_held
from schema.records import OriginRecord, ResultRecord

TRIAL_PX = 128


@dataclass(frozen=True, kw_only=True)
class WorkerReady:
    """The bundle is loaded and the network compiled."""

    device: str


@dataclass(frozen=True, kw_only=True)
class WorkerFailed:
    """The bundle cannot be loaded: a person must act."""

    message: str


@dataclass(frozen=True, kw_only=True)
class AnalyseRequest:
    """Analyse this frame; the masks go below `state_folder`."""

    frame: ParsedFrame
    state_folder: Path
    origin: OriginRecord
    force: bool


@dataclass(frozen=True, kw_only=True)
class AnalysedFrame:
    """The masks are durable; these are the rows."""

    result: ResultRecord


@dataclass(frozen=True, kw_only=True)
class AnalysisFailure:
    """The frame could not be analysed; `kind` is `io` or `bug`."""

    kind: str
    message: str
    detail: str


def worker_main(
    connection: Connection, bundle_folder: Path, device: str, settings: AnalysisSettings
) -> None:
    """Load the bundle once, then serve requests until the pipe closes."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from analysis.bundle import load  # here, so that only this process pays for TensorFlow
    from analysis.errors import BundleError

    try:
        with native_stderr_held():
            bundle = load(bundle_folder, device)
            # A device that fails, fails here, before a file could be blamed for it.
            bundle.segmenter.probabilities(np.zeros((TRIAL_PX, TRIAL_PX), np.float32))
    except BundleError as error:
        connection.send(WorkerFailed(message=str(error)))
        return
    connection.send(WorkerReady(device=bundle.segmenter.device))
    _serve(connection, bundle, settings)


def _serve(connection: Connection, bundle: Bundle, settings: AnalysisSettings) -> None:
    from daemon.record import analyse_and_store

    while True:
        request = connection.recv()
        try:
            result = analyse_and_store(
                request.frame.micrograph(),
                bundle,
                settings,
                state_folder=request.state_folder,
                origin=request.origin,
                force=request.force,
                analysed_at_utc=datetime.now(UTC),
            )
            connection.send(AnalysedFrame(result=result))
        except OSError as error:
            connection.send(
                AnalysisFailure(kind="io", message=str(error), detail=traceback.format_exc())
            )
        except Exception as error:  # noqa: BLE001 - a bug must not end the service
            message = f"{type(error).__name__}: {error}"
            connection.send(
                AnalysisFailure(kind="bug", message=message, detail=traceback.format_exc())
            )
