"""Who may write on the terminal: real file descriptors, in a process of their own."""

import os
import subprocess
import sys

PROGRAM = """
import os, subprocess, sys, threading
from rich.console import Console
from daemon.stray import sole_writer

heard, said = [], threading.Event()

def hear(line):
    heard.append(line)
    said.set()

console = Console(stderr=True)
with sole_writer(console, hear):
    console.print("the picture")
    subprocess.run(["sh", "-c", "echo CUDA is unhappy >&2"])
    said.wait(20)
os.write(2, b"stderr again\\n")
print(heard)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_child_that_writes_to_stderr_is_heard_and_does_not_reach_the_terminal() -> None:
    done = run(PROGRAM)
    assert done.stderr == "the picture\nstderr again\n"
    assert done.stdout == "['CUDA is unhappy']\n"


def test_a_console_that_writes_elsewhere_changes_nothing() -> None:
    done = run(PROGRAM.replace("stderr=True", "").replace("said.wait(20)", ""))
    assert "is unhappy" in done.stderr
    assert done.stdout == "the picture\n[]\n"
