"""What every room's tests share: real data, settings of hypothesis, reports of plain text."""

import logging
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from daemon.logs import ROOMS

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"

# Derandomised: a red run is red again. No deadline: two cores shared with a network in training.
settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# Looks for new examples; chosen with `pytest --hypothesis-profile=explore`.
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real micrographs beside the repository: `formats/` and `real/`."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real micrographs: the folder {SHARED_DATA} is absent")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """A command that ran inside one test sets levels; the next test begins without them."""
    loggers = [logging.getLogger(name) for name in ("", *ROOMS)]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(autouse=True)
def _network_seed() -> None:
    """A network's first weights are the same whichever tests ran before; who needs none waits for
    no Keras."""
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """File names that are no UTF-8 are logged as they are; no report with one could be sent on."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report
