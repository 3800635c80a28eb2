"""One reader, given mutated files until its time is up: a process that may die of what it reads.

Atheris mutates by coverage where it is installed, else a seeded generator mutates blindly. The file
that was read last stays on the disk, so whatever ends this process can be looked at.
"""

import errno
import random
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

MEMORY_BYTES = 4 * 2**30
HANG_SECONDS = 10
COUNT_EVERY = 64
LARGEST_BYTES = 2**16
BLOCK_BYTES = 16
TELLING = (0, 1, 0x7F, 0x80, 0xFF)


class Reader:
    """Reads one file after the other at the same place, or beside one that stays; counts them."""

    def __init__(self, path: Path, primary: Path) -> None:
        from analysis.errors import AnalysisError
        from analysis.readers import read_micrographs

        self._read, self._declared = read_micrographs, AnalysisError
        self._path, self._primary = path, primary
        self._count = 0

    def __call__(self, content: bytes) -> None:
        """Read it: only a declared error may come of it, or memory that runs out."""
        self._path.write_bytes(content)
        signal.alarm(HANG_SECONDS)
        try:
            for micrograph in self._read(self._primary):
                del micrograph
        except self._declared:
            pass
        except OSError as error:
            if error.errno != errno.ENOMEM:
                raise
        finally:
            signal.alarm(0)
        self._count += 1
        if self._count % COUNT_EVERY == 0:
            self.tell()

    def tell(self) -> None:
        """Write down how many files were read: the fuzzer ends this process without a word."""
        self._path.parent.with_suffix(".count").write_text(str(self._count))


def mutated(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A few random changes: bits, telling bytes, numbers, blocks moved, cut or from other files."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        if not found:
            break
        # Headers are short and pixels many.
        at = rng.randrange(min(len(found), rng.choice((64, 1024, len(found)))))
        change = rng.randrange(7)
        if change == 0:
            found[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            found[at] = rng.choice(TELLING)
        elif change == 2:
            width = rng.choice((2, 4, 8))
            value = rng.choice((0, 1, 2**31 - 1, 2**31, 2 ** (8 * width) - 1, rng.getrandbits(32)))
            packed = (value % 2 ** (8 * width)).to_bytes(width, rng.choice(("little", "big")))
            found[at : at + width] = packed
        elif change == 3:
            found[at : at + BLOCK_BYTES] = rng.randbytes(BLOCK_BYTES)
        elif change == 4:
            del found[at : at + rng.randrange(1, BLOCK_BYTES)]
        elif change == 5:
            other = rng.choice(others)
            start = rng.randrange(max(1, len(other) - BLOCK_BYTES))
            found[at:at] = other[start : start + rng.randrange(1, 4 * BLOCK_BYTES)]
        else:
            del found[rng.randrange(len(found)) :]
    return bytes(found)


def blindly(read: Callable[[bytes], None], seeds: Path, seconds: float, seed: int) -> None:
    """Mutations of the seeds, one after the other."""
    rng = random.Random(seed)
    contents = [path.read_bytes() for path in sorted(seeds.iterdir())]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        read(mutated(rng.choice(contents), contents, rng))


def by_coverage(read: Callable[[bytes], None], seeds: Path, seconds: float, seed: int) -> None:
    """Mutations that reach new code are mutated on; ends the process."""
    import atheris

    options = (f"-max_total_time={seconds:.0f}", f"-seed={seed + 1}", f"-max_len={LARGEST_BYTES}")
    quiet = ("-verbosity=0", "-rss_limit_mb=0", "-timeout=0")  # limits and alarms are our own
    atheris.Setup([sys.argv[0], *options, *quiet, f"-artifact_prefix={seeds}-", str(seeds)], read)
    atheris.Fuzz()


def main(path: Path, primary: Path, seeds: Path, seconds: float, seed: int) -> None:
    """Fuzz the reader that the suffix of `primary` chooses, with the file `path`."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # also where a library never comes back
    guided = find_spec("atheris") is not None
    if guided:
        import atheris

        with atheris.instrument_imports(include=["analysis", "rsciio", "tifffile", "mrcfile"]):
            read = Reader(path, primary)
            import analysis.readers.micrographs as family

            for module in set(family.MODULE_OF_SUFFIX.values()):
                __import__(f"analysis.readers.{module}")
    else:
        read = Reader(path, primary)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    (by_coverage if guided else blindly)(read, seeds, seconds, seed)
    read.tell()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), float(sys.argv[4]), int(sys.argv[5]))
