"""Which micrographs and particles a command is about, with the same options for every command."""

import functools
import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from daemon.errors import Misused
from daemon.names import printable
from schema.choice import DEFAULT_RULES, SIZE_CLASSES, Rules
from schema.records import CLASS_NAMES

if TYPE_CHECKING:  # `--help` loads no SQLAlchemy
    from sqlalchemy import Connection

    from schema.scope import Scope

R = TypeVar("R")

MOST_NAMED = 8

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(min|h|d)", re.ASCII)
_UNITS = {"min": "minutes", "h": "hours", "d": "days"}
_PARAMETER = inspect.Parameter.KEYWORD_ONLY


SessionOption = Annotated[
    str | None, typer.Option("--session", help="Only this session (name or uuid).")
]
SampleOption = Annotated[str | None, typer.Option("--sample", help="Only this sample.")]
RunOption = Annotated[str | None, typer.Option("--run", help="Only this synthesis run.")]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only files first seen since: a date, or 2h, 3d."),
]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a person chose; None leaves a criterion open.

    `session` is a name or a uuid, `since` aware UTC: files first seen from then on. `classes` are
    those that were named; a statistic has them in `rules`.
    """

    session: str | None = None
    sample: str | None = None
    run: str | None = None
    since: datetime | None = None
    classes: tuple[str, ...] | None = None
    rules: Rules = DEFAULT_RULES

    def scope(self, connection: "Connection") -> "Scope":
        """The same for the database.

        Raises:
            Misused: there is no such session, sample or run, or several sessions have this name.
        """
        from schema import sessions
        from schema.scope import Scope

        known = sessions.all_sessions(connection)
        _check_known("sample", self.sample, [each.sample for each in known])
        _check_known("run", self.run, [each.run for each in known])
        uuid = None if self.session is None else session_uuid(connection, self.session)
        return Scope(session_uuid=uuid, sample=self.sample, run=self.run, since=self.since)

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        since = None if self.since is None else self.since.isoformat()
        return asdict(self) | {"since": since, "rules": asdict(self.rules)}

    @property
    def words(self) -> str:
        """The same for people; nothing chosen is everything."""
        about = (("session", self.session), ("sample", self.sample), ("run", self.run))
        parts = [f"{name} {printable(value)}" for name, value in about if value is not None]
        if self.since is not None:
            parts.append(f"first seen since {self.since:%Y-%m-%d %H:%M} UTC")
        return ", ".join(parts) or "everything"


def session_uuid(connection: "Connection", name: str) -> str:
    """The session of this name, where that is unique, or of this uuid.

    Raises:
        Misused: there is none, or several have the name.
    """
    from schema import sessions

    known = sessions.all_sessions(connection)
    matching = [session for session in known if name in (session.uuid, session.name)]
    if not matching:
        raise Misused(f"there is no session {name!r}")
    if len(matching) > 1:
        uuids = ", ".join(session.uuid for session in matching)
        raise Misused(f"several sessions are called {name!r}; name one by its uuid: {uuids}")
    return matching[0].uuid


def _check_known(kind: str, name: str | None, known: Sequence[str | None]) -> None:
    if name is None or name in known:
        return
    named = list(dict.fromkeys(printable(each) for each in known if each is not None))
    some = ", ".join(named[-MOST_NAMED:]) + (" and others" if len(named) > MOST_NAMED else "")
    has = f"there are {some}" if named else f"no session states its {kind}"
    raise Misused(f"there is no {kind} {printable(name)!r}; {has}")


def moment(text: str, now: datetime) -> datetime:
    """A time that was typed: `2026-11-27`, `2026-11-27T14:00`, or `2h`, `30min`, `3d` ago.

    Args:
        text: UTC, where it names no offset.
        now: aware.

    Raises:
        Misused: it is no time.
    """
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = f"{text!r} is no time such as 2026-11-27, 2026-11-27T14:00, 30min, 2h or 3d"
        raise Misused(message) from error


def of_files(
    *, session: str | None, sample: str | None, run: str | None, since: str | None
) -> Selection:
    """The micrographs that were chosen on the command line, with all their particles.

    Raises:
        Misused: a name is no text, or `since` no time.
    """
    for name in (session, sample, run):
        _check_text(name)
    at = None if since is None else moment(since, datetime.now(UTC))
    return Selection(session=session, sample=sample, run=run, since=at)


def selecting(command: Callable[..., R]) -> Callable[..., R]:
    """A command that takes `selection`, with an option for each of its criteria in its place."""
    own = inspect.signature(command)
    kept = [each for each in own.parameters.values() if each.name != "selection"]
    added = inspect.signature(_selection)

    @functools.wraps(command)
    def with_options(**values: Any) -> R:
        chosen = {name: values.pop(name) for name in added.parameters}
        return command(**values, selection=_selection(**chosen))

    parameters = [
        *(each.replace(kind=_PARAMETER) for each in kept),
        *added.parameters.values(),
    ]
    with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options


def _selection(  # noqa: PLR0913 - an argument for each option
    *,
    session: SessionOption = None,
    sample: SampleOption = None,
    run: RunOption = None,
    since: SinceOption = None,
    min_nm: Annotated[
        float | None, typer.Option("--min-nm", help="Only particles of at least this diameter.")
    ] = None,
    max_nm: Annotated[
        float | None, typer.Option("--max-nm", help="Only particles below this diameter.")
    ] = None,
    class_: Annotated[
        list[str] | None,
        typer.Option("--class", help="Sizes and shapes of this class alone; may be repeated."),
    ] = None,
    every_frame: Annotated[
        bool, typer.Option("--every-frame", help="Count every frame of a series, not its sum.")
    ] = False,
    border_weights: Annotated[
        bool,
        typer.Option(
            "--border-weights/--no-border-weights", help="Correct for the border of the field."
        ),
    ] = True,
    out_of_domain: Annotated[
        bool, typer.Option("--out-of-domain", help="Count what the model is not known to see.")
    ] = False,
    suspect: Annotated[bool, typer.Option("--suspect", help="Count suspect images.")] = False,
    uncalibrated: Annotated[
        bool,
        typer.Option("--uncalibrated", help="Count images without a pixel size in the fractions."),
    ] = False,
) -> Selection:
    about = of_files(session=session, sample=sample, run=run, since=since)
    _check_range(min_nm, max_nm, uncalibrated)
    classes = _classes(class_ or [])
    rules = Rules(
        suspect=suspect,
        out_of_domain=out_of_domain,
        uncalibrated=uncalibrated,
        every_frame=every_frame,
        border_weights=border_weights,
        min_nm=min_nm,
        max_nm=max_nm,
        size_classes=classes or SIZE_CLASSES,
    )
    return replace(about, rules=rules, classes=classes or None)


def _check_text(name: str | None) -> None:
    try:
        (name or "").encode("utf-8")
    except UnicodeEncodeError as error:
        raise Misused(f"{printable(name or '')} is no text that a database could hold") from error


def _classes(names: list[str]) -> tuple[str, ...]:
    for name in names:
        if name not in CLASS_NAMES:
            raise Misused(f"there is no class {name!r}; there are {', '.join(CLASS_NAMES)}")
    return tuple(name for name in CLASS_NAMES if name in names)


def _check_range(min_nm: float | None, max_nm: float | None, uncalibrated: bool) -> None:
    for name, value in (("--min-nm", min_nm), ("--max-nm", max_nm)):
        if value is not None and not 0 <= value < math.inf:
            raise Misused(f"{name} is a diameter in nm, not {value:g}")
    if min_nm is not None and max_nm is not None and max_nm <= min_nm:
        raise Misused(f"no particle has {min_nm:g} nm or more and less than {max_nm:g} nm")
    if uncalibrated and (min_nm is not None or max_nm is not None):
        raise Misused("--uncalibrated goes with no range of sizes: nobody knows theirs in nm")
