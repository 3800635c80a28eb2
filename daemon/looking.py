"""`fringewatch live`: the population of a state folder on any terminal, or as one picture."""

import re
from pathlib import Path

from rich.console import Console

from daemon.clock import SYSTEM_CLOCK
from daemon.config import Config
from daemon.errors import Misused
from daemon.live import save_svg
from daemon.onlooker import Eyes, follow
from daemon.reading import open_for_reading
from daemon.targets import check_target


def live(config: Config, svg: Path | None, size: str) -> int:
    """Show a state folder until interrupted, or write one picture of it.

    Raises:
        Misused: the size is not of the form 120x40, the picture may not be written, or there is no
            terminal to show it on.
        StateFolderError: nothing was watched with this state folder.
    """
    path = config.state.folder
    if svg is None:
        console = Console()
        if not console.is_terminal:
            raise Misused("the live view needs a terminal; `fringewatch status` does not")
        follow(path, console, SYSTEM_CLOCK)
        return 0
    width, height = _size(size)
    state, engine = open_for_reading(path)
    with engine.begin() as connection:
        check_target(connection, config, svg, (".svg",))
    eyes = Eyes(engine, state, SYSTEM_CLOCK)
    eyes.look(None)
    eyes.reckoner.turn()
    save_svg(eyes.look(None), svg, width, height)
    return 0


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,3})x(\d{2,3})", text)
    if match is None:
        raise Misused(f"{text!r} is not a size in characters, such as 120x40")
    return int(match[1]), int(match[2])
