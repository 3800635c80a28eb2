"""What every room's tests share: the real data and the settings of hypothesis."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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
