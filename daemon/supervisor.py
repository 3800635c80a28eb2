"""The daemon: owns the state folder, and brings every file from first sight to its rows.

One thread owns the database; the files themselves go through `runner` beside it. Signal handlers
only set a flag.
"""

import contextlib
import logging
import os
import shutil
import time
from collections import deque
from dataclasses import replace
from functools import partial
from types import FrameType

from sqlalchemy.exc import OperationalError

from daemon import requests
from daemon.beside import NOBODY, Company
from daemon.clock import Clock
from daemon.config import Config
from daemon.desk import Desk
from daemon.errors import Exit, StateFolderLost
from daemon.folders import Folders, MakeLookout, opened_roots
from daemon.holds import Holds
from daemon.ladder import ONCE_IO_TRIES
from daemon.lookout import Lookout
from daemon.names import printable
from daemon.notices import Notices
from daemon.notify import READY, STOPPING, extend_timeout, notify, status
from daemon.orphans import Leftovers, settle_orphans
from daemon.outcomes import Outcome, OutcomeKind
from daemon.owning import OwnedState
from daemon.runner import Runner
from daemon.snapshot import CurrentFile, Moment
from daemon.space import free_share
from daemon.timetable import Timetable
from daemon.turns import Turns
from daemon.verdicts import Verdict, Verdicts
from schema import ledger, sessions, standing
from schema.engine import is_passing
from schema.errors import DatabaseLost
from schema.records import SessionRecord

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
DATABASE_WAIT_SECONDS = 10.0
HEAR_SECONDS = 0.5
WATCH_SECONDS = 1.0
ASSURE_SECONDS = 5.0
STOP_GRACE_SECONDS = 15.0
LOADING_SECONDS = 5.0
STATUS_SECONDS = 10.0
TURN_SECONDS = 60.0


class Supervisor:
    """Runs until it is told to stop, or, with `once`, until everything has been worked off.

    Args:
        config: whole configuration.
        owned: the state folder; every 5 s it is asked whether it still is this process's own.
        runner: works the files off.
        clock: wall clock and monotonic clock.
        once: end when every file has reached a terminal state.
        only: work on these files alone, whatever else waits.
        beside: goes along; with `once` it is waited for at the end.
        make_lookout: makes what looks at one watched folder.

    Raises:
        ConfigError: a watched folder is not there and never was.
    """

    def __init__(
        self,
        config: Config,
        owned: OwnedState,
        runner: Runner,
        clock: Clock,
        *,
        once: bool = False,
        only: frozenset[int] | None = None,
        beside: Company = NOBODY,
        make_lookout: MakeLookout = Lookout,
    ) -> None:
        self._owned = owned
        self._state = owned.folder
        self._engine = owned.engine
        self._runner = runner
        self._clock = clock
        self._once = once
        self._only = only
        self._beside = beside
        self.pulse = runner.pulse
        self._holds = Holds(0.0 if once else config.limits.min_free_fraction)
        self._own_warnings: tuple[str, ...] = ()
        self._notices = Notices(owned.folder)
        self._turns = Turns(config, owned.engine, accepts_suspects=once, only=only)
        self._folders = Folders(
            config,
            owned.engine,
            clock,
            roots=opened_roots(config, owned.engine) if only is None else (),
            strays=only is None,
            limited=not once,
            make_lookout=make_lookout,
            beat=self._beat,
        )
        self._verdicts = Verdicts(owned.engine, once, config.intake.retry_seconds)
        self._leftovers = Leftovers(owned.engine, owned.folder)
        self._desk = Desk(owned.engine, owned.folder, self._session_changed)
        self._timetable = Timetable(clock.monotonic)
        self._stopping = False
        self._starts_over = False
        self._announced = False
        self._outcomes: deque[Outcome] = deque()
        self._settled: deque[Verdict] = deque()

    def stop(self, signal_number: int = 0, frame: FrameType | None = None) -> None:
        """Ask the daemon to end; also a signal handler, which only sets a flag."""
        del signal_number, frame
        self._stopping = True

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping

    def run(self) -> Exit:
        """Work until told to stop; the exit code of the command.

        Raises:
            DaemonError: it cannot go on: model, state folder or database.
        """
        try:
            self._start()
            while not self._stopping and not self._worked_off():
                self._turn_or_wait()
        except DatabaseLost as error:
            raise StateFolderLost(str(error)) from error
        finally:
            self._end()
        return Exit.FAILED if self._once and self._left_over() else Exit.DONE

    def _start(self) -> None:
        self._beat()
        self._empty_spool()
        self._notices.take_down()  # those of one that was killed
        requests.open_folder(self._state.path)
        now = self._clock.utc()
        with self._engine.begin() as connection:
            interrupted = ledger.recover(connection, now)
            if self._once and self._only is None:
                ledger.reopen(
                    connection, standing.waiting(connection, self._folders.paths), now=now
                )
            self._folders.session = sessions.open_session(connection)
        settle_orphans(self._engine, self._state, now)
        if interrupted:
            log.info("%d files were interrupted and are taken up again", interrupted)
        self._runner.start()
        self._folders.start()
        self._beside.start()

    def _announce(self) -> None:
        """Say once that everything is there: model, database, and the first walk."""
        if self._announced:
            return
        if not self._runner.is_ready or not self._folders.have_been_walked:
            if self._timetable.is_due("loading", LOADING_SECONDS):
                waits_for = "walking the folders" if self._runner.is_ready else "loading the model"
                notify(extend_timeout(4 * LOADING_SECONDS), status(waits_for))
            return
        self._announced = True
        notify(READY)
        absent = self._folders.absent
        folders = ", ".join(
            f"{printable(path)} (away)" if path in absent else printable(path)
            for path in sorted(self._folders.paths)
        )
        log.info("watching %s, analysing on %s", folders or "no folder", self._runner.device)

    def _beat(self) -> None:
        self.pulse.beat("the main loop", time.monotonic(), TURN_SECONDS)

    def _turn_or_wait(self) -> None:
        """One turn; while the database cannot be written, nothing is lost and nothing goes on.

        What was seen meanwhile was rolled back, so the folders are looked at anew.
        """
        try:
            self._turn()
        except OperationalError as error:
            if self._once or not is_passing(error):
                raise
            log.error(
                "the database cannot be written now (%s); tried again in %.0f s",
                error.orig,
                DATABASE_WAIT_SECONDS,
            )
            self._starts_over = True
            until = self._clock.monotonic() + DATABASE_WAIT_SECONDS
            while not self._stopping and self._clock.monotonic() < until:
                self._beat()
                time.sleep(TICK_SECONDS)

    def _turn(self) -> None:
        """One turn of the loop: finish, begin, look, listen, show."""
        self._beat()
        if self._starts_over:
            self._folders.start_over()
            self._starts_over = False
        self._runner.check()
        self._announce()
        self._finish_all(TICK_SECONDS)
        self._begin_next()
        self._folders.take_in()
        if self._timetable.is_due("hear", HEAR_SECONDS):
            self._folders.hear()
            self._serve_requests()
        if self._timetable.is_due("watch", WATCH_SECONDS):
            self._folders.watch()
        if self._timetable.is_due("assure", ASSURE_SECONDS):
            self._look_after_state()
        if self._timetable.is_due("show", HEAR_SECONDS):
            self._beside.show(self._moment())
        if self._announced and self._timetable.is_due("status", STATUS_SECONDS):
            self._report_status()

    def _report_status(self) -> None:
        """The counts, for `systemctl status`."""
        with self._engine.begin() as connection:
            found = standing.counts(connection)
        failed = found.refused + found.quarantined
        words = (
            f"{found.done} done, {found.pending} waiting, {found.retry} to retry, {failed} failed"
        )
        notify(status("; ".join((words, *self._notices.current))))

    def _look_after_state(self) -> None:
        warnings = self._owned.assure()
        self._holds.looked(free_share(self._state.path))
        self._own_warnings = warnings + self._holds.warnings()
        self._notices.tell(self._warnings())

    def _warnings(self) -> tuple[str, ...]:
        return self._own_warnings + self._folders.warnings() + self._beside.warnings()

    def _end(self) -> None:
        notify(STOPPING, status("stopping"))
        try:
            self._beside.stop()
            self._folders.stop()
            self._runner.stop(STOP_GRACE_SECONDS)
            self._finish_last()
            self._beside.show(replace(self._moment(), finished=True))
        finally:
            self._notices.take_down()
            with contextlib.suppress(OSError):  # the state folder may be gone
                self._empty_spool()

    def _finish_last(self) -> None:
        """Write down what ended last, where that can be done; the masks are kept in any case."""
        try:
            self._finish_all(0.0)
        except DatabaseLost:
            pass  # which is why it ends
        except OperationalError as error:
            if not is_passing(error):
                raise
            log.warning(
                "the database cannot be written now (%s): the next start makes up for it",
                error.orig,
            )

    def _empty_spool(self) -> None:
        shutil.rmtree(self._state.spool, ignore_errors=True)
        self._state.spool.mkdir(mode=0o700, exist_ok=True)

    def _finish_all(self, wait_seconds: float) -> None:
        """Write down what has ended; an outcome is kept until it is written, and is written once.

        What follows from it may find the database busy: that alone is then done later.
        """
        self._outcomes.extend(self._runner.outcomes(wait_seconds))
        self._follow_up()
        while self._outcomes:
            self._settled.append(self._verdicts.settle(self._outcomes[0], self._clock.utc()))
            self._holds.ended(self._outcomes.popleft(), self._clock.monotonic())
            self._follow_up()

    def _follow_up(self) -> None:
        """What the verdicts mean for mask files and folders; kept until it is done."""
        while self._settled:
            verdict = self._settled[0]
            self._leftovers.ended(verdict)
            if verdict.outcome.kind in (OutcomeKind.CHANGED, OutcomeKind.IO_FAILED):
                self._folders.look_again(verdict.outcome.job.arrival)
            self._settled.popleft()

    def _begin_next(self) -> None:
        if self._stopping or not self._runner.is_ready or self._runner.current is not None:
            return
        if self._holds.blocks(self._clock.monotonic()):
            return
        if job := self._turns.take(self._clock.utc(), self._folders.absent):
            self._runner.submit(job)

    def _serve_requests(self) -> None:
        for request in requests.pending(self._state.path):
            now, key = self._clock.utc(), request.path.stem
            verb = partial(self._desk.serve, request.kind, now, key=key)
            requests.serve(request, verb)

    def _session_changed(self, session: tuple[int, SessionRecord] | None) -> None:
        self._folders.session = session

    def _worked_off(self) -> bool:
        if not self._once or self._runner.current is not None or self._folders.unsettled:
            return False
        if not self._folders.have_been_walked:
            return False
        with self._engine.begin() as connection:
            if standing.unfinished(connection, self._watched(), self._only, ONCE_IO_TRIES):
                return False
        return self._beside.is_through()

    def _left_over(self) -> bool:
        """Whether files, or whole folders, could not be read in this run."""
        self._notices.tell(self._warnings())
        if self._folders.absent or self._folders.unwalked:
            return True
        with self._engine.begin() as connection:
            return standing.unfinished(connection, self._watched(), self._only) > 0

    def _watched(self) -> frozenset[bytes] | None:
        """The folders whose files this run must work off; None where files were named by hand."""
        return None if self._only is not None else self._folders.paths - self._folders.absent

    def _moment(self) -> Moment:
        return Moment(
            current=self._current(),
            device=self._runner.device or None,
            folders=self._folders.shown(),
            warnings=self._warnings(),
        )

    def _current(self) -> CurrentFile | None:
        job = self._runner.current
        if job is None:
            return None
        name = printable(os.path.basename(job.arrival.path))
        return CurrentFile(name=name, stage=self._runner.stage or "waiting")
