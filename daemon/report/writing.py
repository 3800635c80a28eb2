"""`fringewatch report`: gather, draw, write; the file appears whole or not at all."""

from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from daemon.config import Config
from daemon.reading import open_for_reading
from daemon.report.contents import gather
from daemon.report.page import page
from daemon.report.pictures import gallery
from daemon.selection import Selection
from daemon.targets import check_target
from daemon.written import replacing

SUFFIXES = (".html", ".htm")


def write_report(
    config: Config,
    selection: Selection,
    target: Path,
    *,
    title: str | None,
    per_class: int,
    now: datetime,
) -> int:
    """Write the page; its size in bytes.

    Args:
        config: whole configuration.
        selection: what the report is about.
        target: the file; one that is there is replaced.
        title: over the page; None makes one.
        per_class: pictures of particles of each class; 0 is no gallery.
        now: aware UTC.

    Raises:
        DaemonError: nothing was watched yet, or the file cannot be written.
        Misused: the selection names a session that is not there, or the file may not be written.
    """
    state, engine = open_for_reading(config.state.folder)
    with engine.begin() as connection:
        check_target(connection, config, target, SUFFIXES)
        report = gather(
            connection,
            selection,
            title=title,
            per_class=per_class,
            now=now,
            software_version=version("fringewatch"),
            state_folder=state.path.absolute(),
        )
    shown = None
    if report.exhibition is not None:
        shown = gallery(state, report.exhibition, config.limits, target.absolute().parent)
    content = page(report, shown).encode("utf-8")
    with replacing(target) as unfinished:
        unfinished.write_bytes(content)
    return len(content)
