"""Bring a wish to the owner of the state folder: the running daemon, else this process."""

from collections.abc import Mapping
from typing import Any

from daemon import requests
from daemon.clock import SYSTEM_CLOCK
from daemon.config import Config
from daemon.desk import Answer, Desk
from daemon.lock import is_owned
from daemon.owning import own_state


def ask(config: Config, kind: str, values: Mapping[str, Any]) -> Answer:
    """The answer to a request.

    Raises:
        DaemonError: it was declined, nobody answered, or the state folder needs a person.
    """
    folder = config.state.folder
    if is_owned(folder):
        return requests.ask(folder, kind, values)
    with own_state(folder, SYSTEM_CLOCK) as owned:
        return Desk(owned.engine, owned.folder).serve(kind, SYSTEM_CLOCK.utc(), values)
