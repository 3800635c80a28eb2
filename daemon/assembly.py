"""Put a supervisor together from a configuration: state folder, database, model, children."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from analysis.bundle import Manifest, default_folder, read_manifest
from analysis.errors import BundleError
from analysis.pipeline import AnalysisSettings
from analysis.readers import ReadLimits
from daemon.children import Child
from daemon.clock import Clock
from daemon.config import AnalysisConfig, Config, LimitsConfig
from daemon.errors import ConfigError, StateFolderError
from daemon.lock import owned
from daemon.mounts import file_system_type, is_network
from daemon.parser import parser_main
from daemon.record import KnownResults
from daemon.runner import Runner, RunnerLimits
from daemon.supervisor import Moment, Supervisor
from daemon.worker import worker_main
from schema import engine as database
from schema import migrate
from schema.errors import StateError
from schema.state import StateFolder, prepare


@dataclass(frozen=True, kw_only=True)
class OwnedState:
    """A state folder this process owns, with its database open for writing."""

    folder: StateFolder
    engine: Engine


@contextmanager
def own_state(path: Path, clock: Clock) -> Iterator[OwnedState]:
    """Own a state folder: made where it is missing, its database migrated.

    Raises:
        StateFolderError: in use, on a network share, from a newer release, or without database.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateFolderError(f"cannot make the state folder {path}: {error.strerror}") from error
    _refuse_network(path)
    with owned(path):
        try:
            folder = prepare(path)
            migrate.upgrade(folder.database, clock.utc())
        except (StateError, SQLAlchemyError, OSError) as error:
            raise StateFolderError(str(error)) from error
        engine = database.writer(folder.database)
        try:
            yield OwnedState(folder=folder, engine=engine)
        finally:
            engine.dispose()


@contextmanager
def supervisor(
    config: Config,
    owned_state: OwnedState,
    clock: Clock,
    *,
    once: bool,
    only: frozenset[int] | None = None,
    show: Callable[[Moment], None] = lambda _: None,
) -> Iterator[Supervisor]:
    """A supervisor ready to run; its children are ended afterwards.

    Raises:
        ConfigError: a watched folder or the bundle is missing or damaged.
    """
    manifest = bundle_manifest(config.analysis)
    settings = analysis_settings(config.analysis)
    reader = database.reader(owned_state.folder.database)
    runner = Runner(
        parser=Child("parser", parser_main, _parser_arguments(config.limits)),
        worker=Child(
            "worker",
            worker_main,
            (bundle_folder(config.analysis), config.analysis.device, settings),
        ),
        known=KnownResults(reader, owned_state.folder.path, manifest, settings),
        state_folder=owned_state.folder.path,
        limits=RunnerLimits(
            file_bytes=config.limits.file_bytes,
            parser_seconds=config.limits.parser_seconds,
            worker_seconds=config.limits.worker_seconds,
        ),
    )
    try:
        yield Supervisor(
            config,
            owned_state.folder,
            owned_state.engine,
            runner,
            clock,
            once=once,
            only=only,
            show=show,
        )
    except FileNotFoundError as error:
        raise ConfigError(f"the watched folder {error.filename!r} is not there") from error
    finally:
        runner.stop(grace_seconds=0)
        reader.dispose()


def bundle_folder(config: AnalysisConfig) -> Path:
    """Where the configured model lies."""
    return default_folder() if config.bundle == "default" else Path(config.bundle).expanduser()


def bundle_manifest(config: AnalysisConfig) -> Manifest:
    """What the configured model says of itself.

    Raises:
        ConfigError: there is no such model.
    """
    try:
        return read_manifest(bundle_folder(config))
    except BundleError as error:
        raise ConfigError(str(error)) from error


def analysis_settings(config: AnalysisConfig) -> AnalysisSettings:
    """What of the model's settings the operator overrides."""
    return AnalysisSettings(
        preprocess_recipe=config.preprocess,
        threshold=config.threshold,
        min_diameter_nm=config.min_diameter_nm,
    )


def _parser_arguments(limits: LimitsConfig) -> tuple[ReadLimits, int]:
    read_limits = ReadLimits(
        decoded_bytes=limits.decoded_bytes, side_px=limits.side_px, frames=limits.frames
    )
    return read_limits, limits.parser_memory_bytes


def _refuse_network(path: Path) -> None:
    kind = file_system_type(path)
    if is_network(kind):
        raise StateFolderError(
            f"the state folder {path} lies on {kind}: SQLite is safe on local disks only"
        )
