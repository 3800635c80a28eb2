"""The worker child: holds the network, analyses one frame at a time, writes its masks.

It never opens the database. What it returns is small: the records the owner of the database
commits.
"""

import logging
import os
import resource
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from analysis.bundle import Bundle
from analysis.pipeline import AnalysisSettings
from daemon.parser import ParsedFrame
from daemon.quiet import native_stderr_held
from schema.records import OriginRecord, ResultRecord

log = logging.getLogger(__name__)

TRIAL_PX = 128
CPU = "cpu:0"


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
    """Analyse this frame; the masks go below `state_folder`.

    `careful`: with as little memory as possible, for a process died with it before.
    """

    frame: ParsedFrame
    state_folder: Path
    origin: OriginRecord
    force: bool
    careful: bool = False


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
    connection: Connection,
    bundle_folder: Path,
    bundle_sha256: str,
    device: str,
    settings: AnalysisSettings,
    memory_fraction: float,
) -> None:
    """Load the bundle once, then serve requests until the pipe closes.

    `bundle_sha256` is that of the model that the daemon began with, whose results it expects;
    `memory_fraction` is the part of the machine's memory it may take.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from analysis.errors import BundleError

    try:
        with native_stderr_held():
            bundle = _loaded(bundle_folder, bundle_sha256, device)
            # A device that fails, fails here, before a file could be blamed for it.
            bundle.segmenter.probabilities(np.zeros((TRIAL_PX, TRIAL_PX), np.float32))
    except BundleError as error:
        connection.send(WorkerFailed(message=str(error)))
        return
    _limit_memory(memory_fraction)
    connection.send(WorkerReady(device=bundle.segmenter.device))
    falls_back = device == "auto" and bundle.segmenter.device != CPU
    on_cpu = partial(_loaded, bundle_folder, bundle_sha256, "cpu")
    _serve(connection, Analyst(bundle, settings, on_cpu if falls_back else None))


class Analyst:
    """Analyses frames, with less memory or on the processor where it has to.

    Args:
        bundle: loaded.
        settings: of the operator.
        fallback: loads it on the processor instead, where that may be done.
    """

    def __init__(
        self,
        bundle: Bundle,
        settings: AnalysisSettings,
        fallback: Callable[[], Bundle] | None,
    ) -> None:
        self._bundle = bundle
        self._settings = settings
        self._fallback = fallback

    def analyse(self, request: AnalyseRequest) -> ResultRecord:
        """The result of one frame, its masks durable."""
        from analysis.segment import OutOfMemory

        if request.careful:
            self._bundle.segmenter.use_smallest_tiles()
        try:
            return self._analyse(request)
        except OutOfMemory as error:
            if self._fallback is None:
                raise
            log.warning("%s: on the processor from here on", error)
        self._bundle, self._fallback = self._fallback(), None
        return self._analyse(request)

    def _analyse(self, request: AnalyseRequest) -> ResultRecord:
        from daemon.record import analyse_and_store

        return analyse_and_store(
            request.frame.micrograph(),
            self._bundle,
            self._settings,
            state_folder=request.state_folder,
            origin=request.origin,
            force=request.force,
            analysed_at_utc=datetime.now(UTC),
        )


def _loaded(folder: Path, sha256: str, device: str) -> Bundle:
    from analysis.bundle import load  # here, so that only this process pays for TensorFlow
    from analysis.errors import BundleError

    bundle = load(folder, device)
    if bundle.manifest.sha256 != sha256:
        raise BundleError(f"{folder} holds another model than at the start; start the daemon anew")
    return bundle


def _limit_memory(fraction: float) -> None:
    """What would go beyond ends this process, and not another program of the machine.

    Not the address space: CUDA reserves more of it than any machine has memory.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    most = int(fraction * memory)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _serve(connection: Connection, analyst: Analyst) -> None:
    while True:
        request = connection.recv()
        try:
            connection.send(AnalysedFrame(result=analyst.analyse(request)))
        except OSError as error:
            connection.send(
                AnalysisFailure(kind="io", message=str(error), detail=traceback.format_exc())
            )
        except Exception as error:  # noqa: BLE001 - a bug must not end the service
            message = f"{type(error).__name__}: {error}"
            connection.send(
                AnalysisFailure(kind="bug", message=message, detail=traceback.format_exc())
            )
