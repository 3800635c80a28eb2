"""What the worker does when memory runs out."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.bundle import default_folder, read_manifest
from analysis.errors import BundleError
from analysis.pipeline import AnalysisSettings
from analysis.segment import OutOfMemory
from daemon import worker
from daemon.worker import AnalyseRequest, Analyst
from tests.daemon.results import result_of
from tests.daemon.scripted_children import frame
from tests.schema.examples import origin


class Segmenter:
    """Stands for one on a device, and remembers."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.is_small = False

    def use_smallest_tiles(self) -> None:
        self.is_small = True


class Bundle:
    """Stands for one that was loaded."""

    def __init__(self, device: str) -> None:
        self.segmenter = Segmenter(device)


@pytest.fixture
def request_(tmp_path: Path) -> AnalyseRequest:
    """Analyse a frame."""
    return AnalyseRequest(
        frame=frame(tmp_path), state_folder=tmp_path, origin=origin(), force=False
    )


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """On what each analysis was tried; the GPU has no memory, the processor has."""
    tried: list[str] = []

    def analyse(pixels: object, bundle: Bundle, *_: object, **__: object) -> Any:
        tried.append(bundle.segmenter.device)
        if bundle.segmenter.device.startswith("gpu"):
            raise OutOfMemory("tiles of 512 px do not fit on gpu:0")
        return result_of("0" * 64)

    monkeypatch.setattr("daemon.parser.ParsedFrame.micrograph", lambda _: None)
    monkeypatch.setattr("daemon.record.analyse_and_store", analyse)
    return tried


def analyst(device: str, fallback: Callable[[], Any] | None) -> Analyst:
    return Analyst(Bundle(device), AnalysisSettings(), fallback)  # type: ignore[arg-type]


def test_what_does_not_fit_on_the_gpu_is_analysed_on_the_processor_from_then_on(devices, request_):
    made = analyst("gpu:0", lambda: Bundle("cpu:0"))
    assert made.analyse(request_) == result_of("0" * 64)
    made.analyse(request_)
    assert devices == ["gpu:0", "cpu:0", "cpu:0"]


def test_a_gpu_that_the_operator_insists_on_is_not_left(devices, request_):
    with pytest.raises(OutOfMemory):
        analyst("gpu:0", None).analyse(request_)
    assert devices == ["gpu:0"]


@pytest.mark.parametrize("careful", [True, False])
def test_after_a_death_the_tiles_are_small(devices, request_, careful):
    bundle = Bundle("cpu:0")
    made = Analyst(bundle, AnalysisSettings(), None)  # type: ignore[arg-type]
    made.analyse(AnalyseRequest(**{**vars(request_), "careful": careful}))
    assert bundle.segmenter.is_small == careful


def test_a_model_that_was_exchanged_is_refused():
    """While the daemon runs: its results would stand under the name of the first."""
    folder = default_folder()
    begun_with = read_manifest(folder).sha256
    assert worker._loaded(folder, begun_with, "cpu").manifest.sha256 == begun_with
    with pytest.raises(BundleError, match="another model than at the start"):
        worker._loaded(folder, "0" * 64, "cpu")


def test_the_worker_takes_its_part_of_the_memory_and_no_more():
    program = """
import numpy as np
from daemon.worker import _limit_memory
np.ones(50_000_000)
_limit_memory(0.01)
try:
    np.ones(1_000_000_000)
except MemoryError:
    print("no more")
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert run.stdout == "no more\n", run.stderr
