"""Memory that is given up goes back to the system."""

import subprocess
import sys

import pytest

# A block of 4 MB is freed that lies below something that stays, after a larger one was freed once.
FREED = """
import ctypes, sys
from daemon.heap import give_back_large_blocks

def resident_mb():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024

if sys.argv[1] == "given back":
    give_back_large_blocks()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.free(libc.malloc(16 * 2**20))
large, stays = libc.malloc(4 * 2**20), libc.malloc(1000)
ctypes.memset(large, 1, 4 * 2**20)
before = resident_mb()
libc.free(large)
print(before - resident_mb())
"""


def freed_mb(how: str) -> float:
    """How much smaller a process is after 4 MB were freed from below something that stays."""
    ran = subprocess.run(
        [sys.executable, "-c", FREED, how], check=True, capture_output=True, text=True
    )
    return float(ran.stdout)


def test_a_large_block_that_is_freed_goes_back_to_the_system():
    assert freed_mb("given back") == pytest.approx(4.0, abs=0.2)
    assert freed_mb("kept") < 1.0  # what glibc does by itself
