"""A pool of training samples, renewed by other processes while the network trains.

Rendering a micrograph takes longer than a training step may wait. So renderers put whole prepared
fields into a queue as fast as they can, and every batch is cut from the pool as it stands.
"""

import multiprocessing
import os
import queue as queues
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.queues import Queue
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analysis.processes import end_with_parent
from analysis.training.checkpoint import TrainingError
from analysis.training.crops import Marks, Sample, draw_batch
from analysis.training.sources import SimulatedFields, Source

Batch = tuple[NDArray[np.float16], Marks]

NICENESS = 5
WAIT_SECONDS = 1.0


class SamplePool:
    """Prepared samples of one or several sources; a context that owns its renderers.

    Each source has its share, however many fields or images it holds; fields that arrive in a
    folder of simulated ones meanwhile are used from then on.

    Args:
        sources: what is drawn from; a path is a folder of simulated fields.
        seed: of what is drawn; the order of arrival depends on the machine.
        renderers: processes that render.
        start_samples: to wait for before the first batch.
        pool_samples: that are kept, the newest; 0.6 MB each.
        batches_per_sample: a new sample is taken once in so many batches, so that rendering
            leaves the processor to the network; 0 takes all there are.
        shares: of the sources; equal where None.
    """

    def __init__(
        self,
        sources: Path | Sequence[Source],
        seed: int,
        renderers: int = 1,
        start_samples: int = 1,
        pool_samples: int = 700,
        batches_per_sample: int = 0,
        shares: Sequence[float] | None = None,
    ) -> None:
        if isinstance(sources, Path):
            sources = (SimulatedFields(folder=sources),)
        context = multiprocessing.get_context("spawn")
        self._queue: Queue[Sample] = context.Queue(maxsize=32)
        self._rng = np.random.default_rng([seed, renderers])
        self._samples: deque[Sample] = deque(maxlen=pool_samples)
        self._cutter = ThreadPoolExecutor(1, "batches")
        self._next: Future[Batch] | None = None
        chances = _normalised(shares, len(sources))
        self._processes = [
            context.Process(
                target=_render,
                args=(tuple(sources), chances, (seed, index), self._queue),
                daemon=True,
            )
            for index in range(renderers)
        ]
        self._start_samples = start_samples
        self._batches_per_sample, self._batches = batches_per_sample, 0
        self.rendered = 0

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        try:
            while len(self._samples) < self._start_samples:
                self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def batch(self, size: int) -> Batch:
        """Inputs and marks, both (size, 256, 256, 1), as `crops.draw_batch`.

        The one after it, of the same size, is cut meanwhile.

        Raises:
            TrainingError: a renderer died.
        """
        self._check()
        ready = self._cut(size) if self._next is None else self._next.result()
        self._next = self._cutter.submit(self._cut, size)
        return ready

    def _cut(self, size: int) -> Batch:
        self._batches += 1
        self._renew()
        chosen = self._rng.integers(0, len(self._samples), size)
        return draw_batch([self._samples[index] for index in chosen], self._rng)

    def _renew(self) -> None:
        if self._batches_per_sample:
            if self._batches % self._batches_per_sample == 0 and not self._queue.empty():
                self._take(self._queue.get())
            return
        while not self._queue.empty():
            self._take(self._queue.get())

    def _wait(self) -> None:
        self._check()
        try:
            self._take(self._queue.get(timeout=WAIT_SECONDS))
        except queues.Empty:
            return

    def _check(self) -> None:
        """A renderer that died would leave the pool as it is for ever.

        Raises:
            TrainingError: a renderer died.
        """
        if dead := [process.exitcode for process in self._processes if not process.is_alive()]:
            raise TrainingError(f"the renderers of samples ended with exit codes {dead}")

    def _take(self, sample: Sample) -> None:
        self._samples.append(sample)
        self.rendered += 1

    def _stop(self) -> None:
        self._cutter.shutdown()
        for process in self._processes:
            process.terminate()
            process.join()


def _normalised(shares: Sequence[float] | None, sources: int) -> list[float]:
    """Probabilities of the sources, adding up to one."""
    shares = [1.0] * sources if shares is None else shares
    return [share / sum(shares) for share in shares]


def _render(
    sources: Sequence[Source],
    shares: Sequence[float],
    seed: tuple[int, int],
    queue: "Queue[Sample]",
) -> None:
    """Render micrographs of random fields and images for ever."""
    import cv2

    end_with_parent()
    os.nice(NICENESS)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    while True:
        source = sources[int(rng.choice(len(sources), p=shares))]
        if not len(source):
            time.sleep(WAIT_SECONDS)  # the simulation has only begun
            continue
        queue.put(source.draw(int(rng.integers(0, len(source))), rng))
