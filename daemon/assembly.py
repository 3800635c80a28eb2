"""Put a supervisor together from a configuration: database, model, children."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.bundle import Manifest, read_manifest
from analysis.errors import BundleError
from analysis.pipeline import AnalysisSettings
from analysis.readers import ReadLimits
from daemon import confinement, shelf
from daemon.attempt import AttemptLimits, Attempts
from daemon.beside import NOBODY, Company
from daemon.children import Child
from daemon.clock import Clock
from daemon.config import AnalysisConfig, Config, LimitsConfig
from daemon.errors import ConfigError
from daemon.owning import OwnedState
from daemon.parser import ParserLimits, decoded, parser_main
from daemon.pulse import Pulse
from daemon.record import KnownResults
from daemon.runner import Runner
from daemon.supervisor import Supervisor
from daemon.worker import worker_main
from schema import engine as database

log = logging.getLogger(__name__)


@contextmanager
def supervisor(
    config: Config,
    owned_state: OwnedState,
    clock: Clock,
    *,
    once: bool,
    only: frozenset[int] | None = None,
    beside: Company = NOBODY,
) -> Iterator[Supervisor]:
    """A supervisor ready to run; its children are ended afterwards.

    Raises:
        ConfigError: a watched folder or the bundle is missing or damaged.
    """
    manifest = bundle_manifest(config)
    settings = analysis_settings(config.analysis)
    reader = database.reader(owned_state.folder.database)
    pulse = Pulse()
    attempts = Attempts(
        parser=_parser(config.limits, owned_state.folder.spool),
        worker=Child(
            "worker",
            worker_main,
            (
                bundle_folder(config),
                manifest.sha256,
                config.analysis.device,
                settings,
                config.limits.worker_memory_fraction,
            ),
        ),
        known=KnownResults(reader, owned_state.folder.path, manifest, settings),
        state_folder=owned_state.folder.path,
        limits=AttemptLimits(
            file_bytes=config.limits.file_bytes,
            parser_seconds=config.limits.parser_seconds,
            worker_seconds=config.limits.worker_seconds,
        ),
        pulse=pulse,
    )
    runner = Runner(attempts)
    try:
        yield Supervisor(
            config,
            owned_state,
            runner,
            clock,
            once=once,
            only=only,
            beside=beside,
        )
    finally:
        runner.stop(grace_seconds=0)
        reader.dispose()


def bundle_folder(config: Config) -> Path:
    """Where the configured model lies."""
    return shelf.bundle_folder(config.state.folder, config.analysis.bundle)


def bundle_manifest(config: Config) -> Manifest:
    """What the configured model says of itself.

    Raises:
        ConfigError: there is no such model, or it is another one than was pinned.
    """
    named, pinned = config.analysis.bundle, config.analysis.bundle_sha256
    try:
        manifest = read_manifest(shelf.found(config.state.folder, named))
    except (BundleError, shelf.BundleRefused) as error:
        raise ConfigError(str(error)) from error
    if pinned is not None and manifest.sha256 != pinned:
        raise ConfigError(
            f"the bundle {named!r} has the SHA-256 {manifest.sha256}, "
            f"but analysis.bundle_sha256 asks for {pinned}"
        )
    return manifest


def analysis_settings(config: AnalysisConfig) -> AnalysisSettings:
    """What of the model's settings the operator overrides."""
    return AnalysisSettings(
        preprocess_recipe=config.preprocess,
        threshold=config.threshold,
        min_diameter_nm=config.min_diameter_nm,
    )


def _parser(limits: LimitsConfig, spool: Path) -> Child:
    read = ReadLimits(
        decoded_bytes=limits.decoded_bytes, side_px=limits.side_px, frames=limits.frames
    )
    most = ParserLimits(
        read=read, memory_bytes=limits.parser_memory_bytes, seconds=limits.parser_seconds
    )
    if confinement.landlock_version() == 0:
        log.warning("this kernel has no Landlock: the parser could read whatever this user can")
    return Child("parser", parser_main, (most,), decoded, confinement.to_folder(spool))
