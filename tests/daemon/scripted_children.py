"""A parser and a worker that speak as the real ones and do what the file's text says."""

import os
import signal
import threading
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from analysis.micrograph import Acquisition, Calibration, CalibrationSource, Source
from daemon.parser import NextFrame, ParsedFrame, ParseEnd, ParseFailure
from daemon.untrusted import encoded
from daemon.worker import AnalysedFrame, AnalysisFailure, WorkerFailed, WorkerReady
from tests.daemon.results import result_of

FRAME_COUNT = 3


def frame(folder: Path, number: int | None = None, sha256: str = "0" * 64) -> ParsedFrame:
    """A frame without pixels."""
    return ParsedFrame(
        source=Source(
            file_name="a.tif", frame_index=number, frame_count=1 if number is None else FRAME_COUNT
        ),
        calibration=Calibration(pixel_size_nm=0.02, source=CalibrationSource.FILE),
        acquisition=Acquisition(),
        pixel_sha256=sha256,
        suspect=None,
        pixels=folder / "nowhere.npy",
    )


def scripted_parser(connection: Connection) -> None:
    """Speaks as `parser_main`, and does what the file's text says."""
    while True:
        request = connection.recv()
        if isinstance(request, NextFrame):
            raise RuntimeError("a frame was asked for that nobody has")
        script = request.primary.read_text()
        sha256 = sha_of(script)
        if script.startswith("die"):
            os._exit(9)
        if script.startswith("nonsense"):
            connection.send({"a pickle": "may run anything"})
            continue
        if script.startswith("elsewhere"):
            connection.send_bytes(encoded(frame(Path("/etc"))))
            continue
        if script.startswith("hang"):
            threading.Event().wait()
        kind = script.split(":", maxsplit=1)[0]
        if kind in ("refused", "unreadable", "io", "bug"):
            connection.send_bytes(
                encoded(ParseFailure(kind=kind, code="a_code", message="So it is."))
            )
            continue
        if not script.startswith("series"):
            suspect = "its end looks unwritten" if "suspect" in script else None
            said = frame(request.folder, sha256=sha256)
            connection.send_bytes(encoded(replace(said, suspect=suspect)))
            connection.recv()
            connection.send_bytes(encoded(ParseEnd(frames=1)))
            continue
        for number in range(FRAME_COUNT):
            connection.send_bytes(encoded(frame(request.folder, number, sha256)))
            if script.startswith("series, die"):
                os._exit(9)
            connection.recv()
        connection.send_bytes(encoded(ParseEnd(frames=FRAME_COUNT)))


def sha_of(script: str) -> str:
    """What stands for the hash of the pixels: the beginning of the script."""
    return script.encode()[:32].hex().ljust(64, "0")


def scripted_worker(connection: Connection, started: Path, failing_start: str = "") -> None:
    """Speaks as `worker_main`, and does what stands in the file the frame came from.

    `started` counts its starts; it loads or fails to load as `failing_start` says.
    """
    with started.open("a") as file:
        file.write("started\n")
    if failing_start == "hangs":
        threading.Event().wait()
    if failing_start == "failed" or (
        failing_start == "failed the second time" and _starts(started) > 1
    ):
        connection.send(WorkerFailed(message="the bundle is damaged"))
        return
    if failing_start == "dies" or (
        failing_start == "dies the second time" and _starts(started) > 1
    ):
        os._exit(5)
    connection.send(WorkerReady(device="cpu"))
    while True:
        request = connection.recv()
        script = Path(os.fsdecode(request.origin.path)).read_text()
        number = request.frame.source.frame_index
        if "worker dies" in script:
            os.kill(os.getpid(), signal.SIGKILL)
        if "worker hangs" in script:
            threading.Event().wait()
        if "worker fails" in script and number in (None, 1):
            kind = "io" if "io" in script else "bug"
            connection.send(AnalysisFailure(kind=kind, message="No.", detail="a traceback"))
            continue
        found = result_of(request.frame.pixel_sha256, number)
        if "worker mixes up" in script:
            image = replace(found.image, pixel_sha256="f" * 64)
            found = replace(found, image=image)
        connection.send(AnalysedFrame(result=found))


def _starts(path: Path) -> int:
    return len(path.read_text().splitlines())
