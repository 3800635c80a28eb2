"""A configuration from what stands on the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon import config as configuration
from daemon.config import Config, OverlaysConfig, StateConfig, WatchConfig
from daemon.errors import Misused


def settings(
    config_file: Path | None,
    state_folder: Path | None,
    folders: Sequence[Path],
    *,
    pixel_size_nm: float | None = None,
    force: bool = False,
    bundle: str | None = None,
    overlays: Path | None = None,
) -> Config:
    """The file's configuration, or the defaults, with the command line on top.

    Raises:
        ConfigError: the file is wrong, or its folders contradict each other.
        Misused: a number or a folder of the command line makes no sense.
    """
    config = configuration.load(config_file) if config_file else Config()
    changes: dict[str, Any] = {}
    if state_folder is not None:
        changes["state"] = StateConfig(folder=state_folder.absolute())
    if folders:
        changes["watch"] = tuple(WatchConfig(folder=_existing(folder)) for folder in folders)
    watched: tuple[WatchConfig, ...] = changes.get("watch", config.watch)
    if pixel_size_nm is not None:
        if not 0 < pixel_size_nm < configuration.LARGEST_PIXEL_NM:
            raise Misused(f"a pixel size of {pixel_size_nm} nm makes no sense")
        update = {"pixel_size_nm": pixel_size_nm}
        changes["watch"] = tuple(watch.model_copy(update=update) for watch in watched)
    analysis: dict[str, Any] = {"force_out_of_domain": force or config.analysis.force_out_of_domain}
    if bundle is not None:
        analysis["bundle"] = bundle
    if overlays is not None:
        changes["overlays"] = OverlaysConfig(folder=overlays.absolute())
    changes["analysis"] = config.analysis.model_copy(update=analysis)
    return configuration.checked(config.model_copy(update=changes))


def named(file: Path) -> Path:
    """A file named by hand under the path the walk would give it: its folder without links.

    The last part stays as it is, so that a link is seen as one.
    """
    return file.absolute().parent.resolve() / file.name


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise Misused(f"{folder} is not a folder")
    return folder.absolute()
