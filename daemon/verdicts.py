"""The end of an attempt, written into the ledger."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from daemon.errors import DaemonCode
from daemon.ladder import ONCE_IO_TRIES, Decision, Step, decide
from daemon.logs import FileLog, file_log
from daemon.names import printable
from daemon.outcomes import Outcome, OutcomeKind
from schema import ledger, standing, store
from schema.errors import DatabaseLost
from schema.records import ResultRecord

log = logging.getLogger(__name__)

GIVEN_UP_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was decided about a file; `analysis_ids` are its results."""

    outcome: Outcome
    step: Step
    given_up: bool = False
    analysis_ids: tuple[int, ...] = ()


class Verdicts:
    """Turns outcomes into ledger states; results and state change in one transaction.

    Args:
        engine: of the database this process owns.
        once: see `ladder.decide`.
        retry_seconds: the rungs of the retry ladder.
    """

    def __init__(self, engine: Engine, once: bool, retry_seconds: Sequence[float]) -> None:
        self._engine = engine
        self._once = once
        self._retry_seconds = retry_seconds

    def settle(self, outcome: Outcome, now: datetime) -> Verdict:
        """Write the outcome down and say in the log what became of the file."""
        try:
            with self._engine.begin() as connection:
                verdict = self._apply(connection, outcome, now)
        except Exception as error:
            if outcome.kind is not OutcomeKind.DONE:
                raise
            if isinstance(error, OperationalError | DatabaseLost):  # no fault of these results
                raise
            log.exception("the results of file %d could not be stored", outcome.job.source_file_id)
            verdict = self.settle(_not_stored(outcome, error), now)
        _report(verdict)
        return verdict

    def _apply(self, connection: Connection, outcome: Outcome, now: datetime) -> Verdict:
        file_id = outcome.job.source_file_id
        deaths = 0
        if outcome.kind is OutcomeKind.CHILD_DIED:
            deaths = ledger.child_died(connection, file_id)
        attempts = standing.entry(connection, file_id).attempts
        decision = decide(
            outcome.kind,
            failed_attempts=attempts,
            child_deaths=deaths,
            once=self._once,
            retry_seconds=self._retry_seconds,
        )
        if decision.step is Step.COMMIT:
            ids = store.commit_results(
                connection,
                file_id,
                outcome.file_sha256,
                outcome.results,
                now,
                outcome.content_sha256,
            )
            return Verdict(outcome=outcome, step=Step.COMMIT, analysis_ids=ids)
        given_up = self._once and decision.step is Step.RETRY and attempts + 1 >= ONCE_IO_TRIES
        _mark(connection, outcome, decision, given_up, now)
        return Verdict(outcome=outcome, step=decision.step, given_up=given_up)


def _mark(
    connection: Connection, outcome: Outcome, decision: Decision, given_up: bool, now: datetime
) -> None:
    # A message may quote a file name that is no text.
    file_id, code, message = outcome.job.source_file_id, outcome.code, printable(outcome.message)
    if decision.step is Step.REFUSE:
        ledger.refuse(connection, file_id, code, message, now)
    elif decision.step is Step.QUARANTINE:
        ledger.quarantine(connection, file_id, code, message, now)
    elif decision.step is Step.RETRY:
        seconds = GIVEN_UP_SECONDS if given_up else decision.wait_seconds
        next_at = now + timedelta(seconds=seconds)
        ledger.retry_later(connection, file_id, code, message, next_at, now)
    elif outcome.kind is not OutcomeKind.CHILD_DIED:  # a death has already made it ready again
        ledger.release(connection, file_id)


def _not_stored(outcome: Outcome, error: Exception) -> Outcome:
    """Values that fit no column are a bug."""
    return Outcome(
        job=outcome.job,
        kind=OutcomeKind.BUG,
        code=DaemonCode.INTERNAL_ERROR,
        message=f"The results could not be stored: {type(error).__name__}.",
    )


def _report(verdict: Verdict) -> None:
    outcome = verdict.outcome
    name = printable(os.path.basename(outcome.job.arrival.path))
    line = file_log(log, outcome.job.source_file_id)
    if verdict.step is Step.COMMIT:
        for analysis_id, result in zip(verdict.analysis_ids, outcome.results, strict=True):
            _report_result(name, line.about(analysis_id), result, outcome.seconds)
        return
    extra = {"code": outcome.code, "state": verdict.step.value}
    if verdict.step is Step.REFUSE:
        line.info("refused %s: %s", name, outcome.message, extra=extra)
    elif verdict.step in (Step.RETRY, Step.QUARANTINE):
        word = "will try again" if verdict.step is Step.RETRY else "quarantined"
        line.warning("%s %s: %s", word, name, outcome.message, extra=extra)
    elif outcome.kind is OutcomeKind.CHILD_DIED:
        line.warning("%s: %s It is tried again.", name, outcome.message, extra=extra)


def _report_result(name: str, line: FileLog, result: ResultRecord, seconds: float) -> None:
    if not result.analysis.segmented:
        reason = result.analysis.domain_reason
        line.info("not analysed %s: outside the model's domain, %s", name, reason)
        return
    frame = "" if result.image.frame_index is None else f" frame {result.image.frame_index}"
    count = len(result.particles)
    line.info("analysed %s%s: %d regions in %.1f s", name, frame, count, seconds)
