"""`fringewatch watch`: the daemon in the foreground or under a service manager."""

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from sqlalchemy.exc import OperationalError

from daemon import logs
from daemon.alerting import Alerting
from daemon.assembly import bundle_manifest, supervisor
from daemon.attending import attend
from daemon.beside import Beside, Company
from daemon.clock import SYSTEM_CLOCK
from daemon.config import Config, under_service_manager
from daemon.confinement import write_only_below
from daemon.desk import Desk
from daemon.errors import DaemonError, Misused
from daemon.heap import give_back_large_blocks
from daemon.live import LiveView
from daemon.onlooker import Eyes, Onlooker
from daemon.owning import OwnedState, own_state
from daemon.painting import Painting
from daemon.reading import open_for_reading
from daemon.record import bundle_record
from daemon.requests import sweep
from daemon.snapshot import Moment
from schema.engine import is_passing
from schema.errors import DatabaseLost

log = logging.getLogger(__name__)

KERNELS_OWN = (Path("/dev"), Path("/proc"))
CACHES = (".cache", ".keras", ".nv")  # of TensorFlow, Keras and the GPU's driver


def watch(
    config: Config, *, once: bool, plain: bool, session: Mapping[str, Any] | None = None
) -> int:
    """Run the daemon until it is stopped; its exit code.

    Args:
        config: names at least one folder.
        once: work off what is there and end.
        plain: log lines even on a terminal.
        session: started for the time of this run, where given.

    Raises:
        Misused: there is no folder to watch.
        DaemonError: configuration or state need a person.
    """
    if not config.watch:
        raise Misused("name a folder to watch, or a configuration that has a [[watch]] table")
    give_back_large_blocks()
    view = LiveView(Console(stderr=True))
    drawn = view.is_drawn and not plain
    _set_up_logs(config, view.say if drawn else None)
    with own_state(config.state.folder, SYSTEM_CLOCK) as owned:
        _give_up_writing_elsewhere(config)
        sweep(owned.folder.path, SYSTEM_CLOCK.utc().timestamp())
        with (
            session_while(owned, session),
            _onlooker(config, owned, view, drawn) as show,
            supervisor(
                config, owned, SYSTEM_CLOCK, once=once, beside=company(config, owned, once, show)
            ) as running,
        ):
            return int(attend(running))


def company(
    config: Config, owned: OwnedState, once: bool, show: Callable[[Moment], None]
) -> Company:
    """Who goes along; what was not asked for has no thread."""
    members: list[Beside] = []
    if config.overlays.folder is not None:
        least_free = 0.0 if once else config.limits.min_free_fraction
        limits = config.limits.model_copy(update={"min_free_fraction": least_free})
        members.append(Painting(owned.folder, config.overlays.folder, limits, SYSTEM_CLOCK))
    # With `once` no file is waited for.
    alerts = config.alerts.model_copy(update={"no_file_seconds": None} if once else {})
    if alerts.is_asked_for:
        members.append(Alerting(alerts, owned.folder, SYSTEM_CLOCK))
    return Company(members, show)


def _give_up_writing_elsewhere(config: Config) -> None:
    """Raw files cannot be changed any more, by whatever fault; its children cannot either."""
    written = [config.state.folder, Path(tempfile.gettempdir()), *KERNELS_OWN]
    written += [Path.home() / name for name in CACHES]
    if config.log.file is not None:
        written.append(config.log.file.parent)
    if config.overlays.folder is not None:
        with contextlib.suppress(OSError):  # the painter says so, and results do not wait for it
            config.overlays.folder.mkdir(parents=True, exist_ok=True)
        written.append(config.overlays.folder)
    if not write_only_below(written):
        log.info("this kernel's Landlock is too old: only rights and mounts protect raw files")


@contextmanager
def session_while(owned: OwnedState, values: Mapping[str, Any] | None) -> Iterator[None]:
    """A session as long as the daemon, where one was asked for."""
    if values is None:
        yield
        return
    desk = Desk(owned.engine, owned.folder)
    started = desk.start_session(values, SYSTEM_CLOCK.utc())
    try:
        yield
    finally:
        try:
            desk.end_session({"uuid": started["uuid"]}, SYSTEM_CLOCK.utc())
        except (DaemonError, DatabaseLost):
            pass  # somebody has ended it already, or all of it
        except OperationalError as error:
            if not is_passing(error):
                raise
            log.warning(
                "the session stays open, as the database cannot be written now (%s): end it with "
                "`fringewatch session end`",
                error.orig,
            )


@contextmanager
def _onlooker(
    config: Config, owned: OwnedState, view: LiveView, drawn: bool
) -> Iterator[Callable[[Moment], None]]:
    """Where the daemon shows what it knows: the live view, or nowhere."""
    if not drawn:
        yield lambda _: None
        return
    bundle = bundle_record(bundle_manifest(config))
    state, engine = open_for_reading(owned.folder.path)
    with view:
        onlooker = Onlooker(Eyes(engine, state, SYSTEM_CLOCK, bundle), view)
        onlooker.start()
        try:
            yield onlooker.show
        finally:
            onlooker.stop()
            engine.dispose()


def _set_up_logs(config: Config, say: Callable[[Text], None] | None) -> None:
    style = config.log.format
    if style == "auto":
        style = "json" if under_service_manager() else "text"
    level = logging.getLevelNamesMapping()[config.log.level.upper()]
    logs.set_up(style=style, level=level, say=say, file=config.log.file)
