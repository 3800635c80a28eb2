"""A pool of training samples, renewed by other processes while the network trains.

Rendering a micrograph takes longer than a training step may wait. So renderers put whole prepared
fields into a queue as fast as they can, and every batch is cut from the pool as it stands.
"""

import multiprocessing
import os
import time
from collections import deque
from multiprocessing.queues import Queue
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analysis.simulation.dataset import field_paths, load_field
from analysis.training.samples import CROP_PX, USUAL, Conditions, Sample, draw_crop, draw_sample

POOL_SAMPLES = 700  # 0.5 GB
NICENESS = 5
WAIT_SECONDS = 1.0


class SamplePool:
    """Prepared samples of a folder of simulated fields; a context that owns its renderers.

    Fields that arrive in the folder meanwhile are used from then on.

    Args:
        folder: of `analysis.simulation.dataset`.
        seed: of what is drawn; the order of arrival depends on the machine.
        renderers: processes that render.
        conditions: how often what happens to a micrograph.
        start_samples: to wait for before the first batch.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        renderers: int = 1,
        conditions: Conditions = USUAL,
        start_samples: int = 1,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._queue: Queue[Sample] = context.Queue(maxsize=32)
        self._rng = np.random.default_rng([seed, renderers])
        self._samples: deque[Sample] = deque(maxlen=POOL_SAMPLES)
        self._processes = [
            context.Process(
                target=_render, args=(folder, (seed, index), conditions, self._queue), daemon=True
            )
            for index in range(renderers)
        ]
        self._start_samples = start_samples
        self.rendered = 0

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        while len(self._samples) < self._start_samples:
            self._take(self._queue.get(timeout=300))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.terminate()
            process.join()

    def batch(self, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Inputs (size, 256, 256, 1) and targets (size, 256, 256, 2): background, particle."""
        self._drain()
        chosen = self._rng.integers(0, len(self._samples), size)
        crops = [draw_crop(self._samples[index], self._rng) for index in chosen]
        inputs = np.empty((size, CROP_PX, CROP_PX, 1), np.float32)
        targets = np.empty((size, CROP_PX, CROP_PX, 2), np.float32)
        for index, (pixels, particle) in enumerate(crops):
            inputs[index, :, :, 0] = pixels
            targets[index, :, :, 0] = ~particle
            targets[index, :, :, 1] = particle
        return inputs, targets

    def _drain(self) -> None:
        """Take what is ready; a renderer that died would leave the pool as it is for ever.

        Raises:
            RuntimeError: a renderer died.
        """
        if dead := [process.exitcode for process in self._processes if not process.is_alive()]:
            raise RuntimeError(f"renderers ended with exit codes {dead}")
        while not self._queue.empty():
            self._take(self._queue.get())

    def _take(self, sample: Sample) -> None:
        self._samples.append(sample)
        self.rendered += 1


def _render(
    folder: Path, seed: tuple[int, int], conditions: Conditions, queue: "Queue[Sample]"
) -> None:
    """Render micrographs of random fields for ever."""
    import cv2

    os.nice(NICENESS)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    while True:
        paths = field_paths(folder)
        if not paths:
            time.sleep(WAIT_SECONDS)  # the simulation has only begun
            continue
        field = load_field(paths[int(rng.integers(0, len(paths)))])
        queue.put(draw_sample(field, rng, conditions))
