"""What native libraries print past Python, kept from the operator's terminal."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_stderr_held() -> Iterator[None]:
    """Keep what TensorFlow's C++ prints while it loads from the operator's terminal.

    It tells of missing CUDA libraries, whatever its log level; failures are exceptions.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def start_backend() -> None:
    """Load the network's backend and its devices now, when what it prints is kept away."""
    with native_stderr_held():
        import keras

        keras.distribution.list_devices()
