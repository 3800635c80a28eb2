"""The parser in its own process: frames one at a time, refusals with a code, limits that hold."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from analysis.errors import ErrorCode
from analysis.micrograph import Acquisition, Calibration, CalibrationSource, ImagingMode, Source
from analysis.readers import ReadLimits
from analysis.simulation.files import write_mrc, write_tiff
from daemon.children import Child
from daemon.parser import (
    NextFrame,
    ParsedFrame,
    ParseEnd,
    ParseFailure,
    ParseRequest,
    ParserLimits,
    _last_marked,
    decoded,
    parser_main,
)
from daemon.untrusted import encoded
from tests.daemon.moments import NOW

LONG = 120.0
MEMORY_BYTES = 2 * 2**30  # of addresses; Python, NumPy and their threads alone take about 1 GiB


LIMITS = ParserLimits(
    read=ReadLimits(decoded_bytes=8 * 2**30, side_px=65536, frames=10),
    memory_bytes=MEMORY_BYTES,
    seconds=LONG,
)


@pytest.fixture(scope="module")
def parser() -> Iterator[Child]:
    """One parser for many files, as in the daemon, but free to reach every test's folder."""
    child = Child("parser", parser_main, (LIMITS,), decoded)
    yield child
    child.stop(grace_seconds=0)


def ask(parser: Child, path: Path, pixel_size_nm: float | None = None) -> object:
    """The first answer about a file."""
    parser.start()
    parser.send(ParseRequest(primary=path, folder=path.parent, pixel_size_nm=pixel_size_nm))
    return parser.receive(LONG)


def arrays_in(folder: Path) -> list[Path]:
    return list(folder.glob(".frame-*.npy"))


def checkerboard(height_px: int = 64, width_px: int = 80) -> np.ndarray:
    return (np.indices((height_px, width_px)).sum(axis=0) % 7).astype(np.uint16)


def test_a_good_file_comes_as_one_frame_with_its_pixels_in_the_spool(parser, tmp_path):
    write_tiff(tmp_path / "a.tif", checkerboard(), 0.02)
    frame = ask(parser, tmp_path / "a.tif")
    assert isinstance(frame, ParsedFrame)
    assert frame.calibration.pixel_size_nm == pytest.approx(0.02, rel=1e-5)
    micrograph = frame.micrograph()
    assert np.array_equal(micrograph.image, checkerboard())
    assert micrograph.pixel_sha256 == frame.pixel_sha256
    del micrograph
    parser.send(NextFrame())
    assert parser.receive(LONG) == ParseEnd(frames=1)
    assert arrays_in(tmp_path) == []


def test_of_a_series_two_arrays_at_most_are_in_the_spool_and_the_last_is_marked(parser, tmp_path):
    """Which is the last is known once the next was looked for."""
    frames = np.stack([checkerboard() + number for number in range(4)]).astype(np.uint16)
    write_mrc(tmp_path / "a.mrc", frames, 0.02)
    message = ask(parser, tmp_path / "a.mrc")
    seen = []
    while isinstance(message, ParsedFrame):
        there = arrays_in(tmp_path)
        assert message.pixels in there
        assert len(there) == (1 if message.is_last else 2)
        frame = int(message.micrograph().image[0, 0])
        seen.append((message.source.frame_index, frame, message.is_last))
        parser.send(NextFrame())
        message = parser.receive(LONG)
    assert message == ParseEnd(frames=4)
    assert seen == [(number, number, number == 3) for number in range(4)]


def test_what_comes_before_a_failure_is_a_frame_like_any_other_and_none_is_the_last():
    def frames():
        yield SAID
        yield replace(SAID, pixel_sha256="1" * 64)
        raise OSError("gone")

    marked = _last_marked(frames())
    assert [next(marked), next(marked)] == [SAID, replace(SAID, pixel_sha256="1" * 64)]
    with pytest.raises(OSError, match="gone"):
        next(marked)


def test_the_pixel_size_of_the_request_is_used_where_the_file_states_none(parser, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", checkerboard())
    frame = ask(parser, tmp_path / "a.tif", pixel_size_nm=0.05)
    assert isinstance(frame, ParsedFrame)
    assert (frame.calibration.pixel_size_nm, frame.calibration.source) == (0.05, "config")
    parser.send(NextFrame())
    assert isinstance(parser.receive(LONG), ParseEnd)


def write_colour(path: Path) -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[:, :16, 0] = 200
    tifffile.imwrite(path, red, photometric="rgb")


def write_truncated(path: Path) -> None:
    write_tiff(path, checkerboard(256, 256), 0.02)
    path.write_bytes(path.read_bytes()[:20_000])


def write_wide(path: Path) -> None:
    tifffile.imwrite(path, checkerboard(2, 70_000))


@pytest.mark.parametrize(
    ("name", "write", "kind", "codes"),
    [
        ("colour.tif", write_colour, "refused", {ErrorCode.COLOUR}),
        ("text.txt", lambda path: path.write_text("x"), "refused", {ErrorCode.UNKNOWN_SUFFIX}),
        ("lone.emi", lambda path: path.write_text("x"), "refused", {ErrorCode.METADATA_ONLY}),
        ("empty.tif", lambda path: path.touch(), "unreadable", {ErrorCode.EMPTY_FILE}),
        ("cut.tif", write_truncated, "unreadable", {ErrorCode.TRUNCATED, ErrorCode.UNREADABLE}),
        ("noise.dm4", lambda path: path.write_bytes(b"\0no" * 99), "unreadable", {*ErrorCode}),
        ("wide.tif", write_wide, "unreadable", {ErrorCode.TOO_LARGE}),
        ("absent.tif", lambda path: None, "io", {"io_error"}),
    ],
)
def test_what_cannot_be_read_is_named_and_the_next_file_is_read(
    parser, tmp_path, name, write, kind, codes
):
    write(tmp_path / name)
    failure = ask(parser, tmp_path / name)
    assert isinstance(failure, ParseFailure)
    assert failure.kind == kind
    assert failure.code in codes
    assert failure.message.endswith(".")
    assert str(tmp_path) not in failure.message
    write_tiff(tmp_path / "good.tif", checkerboard(), 0.02)
    assert isinstance(ask(parser, tmp_path / "good.tif"), ParsedFrame)
    parser.send(NextFrame())
    assert parser.receive(LONG) == ParseEnd(frames=1)


def test_a_file_that_needs_more_memory_than_allowed_fails_and_the_next_is_read(parser, tmp_path):
    # 40,000² px of 16 bit: 3.2 GB decoded, a hole on the disk but for its first and last strip.
    path = tmp_path / "huge.tif"
    image = tifffile.memmap(path, shape=(40_000, 40_000), dtype=np.uint16)
    image[0, :], image[-1, :] = 7, 9
    del image
    failure = ask(parser, path)
    assert isinstance(failure, ParseFailure)
    assert (failure.kind, failure.code) == ("unreadable", ErrorCode.TOO_LARGE)
    write_tiff(tmp_path / "good.tif", checkerboard(), 0.02)
    assert isinstance(ask(parser, tmp_path / "good.tif"), ParsedFrame)
    parser.send(NextFrame())
    assert parser.receive(LONG) == ParseEnd(frames=1)


def limit_of(pid: int | None, name: str) -> int:
    """What the kernel grants a process, by the name of it in proc(5)."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(name)]
    return int(line.removeprefix(name).split()[0])


def test_the_kernel_holds_the_limits_and_a_frame_within_them_is_read(tmp_path):
    """Half-precision numbers take twice their room once they are read."""
    image = checkerboard(128, 128).astype(np.float16)
    write_mrc(tmp_path / "half.mrc", image, 0.02)
    most = replace(LIMITS, read=ReadLimits(decoded_bytes=image.nbytes), seconds=10.0)
    child = Child("parser", parser_main, (most,), decoded)
    assert isinstance(ask(child, tmp_path / "half.mrc"), ParsedFrame)
    assert limit_of(child.pid, "Max address space") == MEMORY_BYTES
    assert limit_of(child.pid, "Max file size") < 3 * image.nbytes
    spent_at_most = 60
    assert 0 < limit_of(child.pid, "Max cpu time") - 10 * (os.cpu_count() or 1) < spent_at_most
    child.stop(grace_seconds=0)


def test_a_spool_that_cannot_be_written_is_an_error_of_the_disk(parser, tmp_path):
    write_tiff(tmp_path / "a.tif", checkerboard(), 0.02)
    parser.start()
    parser.send(
        ParseRequest(
            primary=tmp_path / "a.tif", folder=tmp_path / "no such folder", pixel_size_nm=None
        )
    )
    failure = parser.receive(LONG)
    assert isinstance(failure, ParseFailure)
    assert (failure.kind, failure.code) == ("io", "io_error")


SAID = ParsedFrame(
    source=Source(file_name=os.fsdecode(b"\xff.dm4"), frame_index=3, frame_count=9),
    calibration=Calibration(pixel_size_nm=0.1 + 0.2, source=CalibrationSource.SIDECAR),
    acquisition=Acquisition(
        imaging_mode=ImagingMode.TEM, acquired_at_utc=NOW, high_tension_kv=300.0, instrument="Titan"
    ),
    pixel_sha256="0" * 64,
    suspect="its end is empty",
    pixels=Path(os.fsdecode(b"/spool/\xff/.frame-000003.npy")),
)


@pytest.mark.parametrize(
    "message", [SAID, ParseEnd(frames=4), ParseFailure(kind="io", code="a", message="b\n")]
)
def test_what_the_parser_says_is_understood_exactly(message):
    assert decoded(encoded(message)) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"ParseEnd": {}}',
        b'{"ParseEnd": {"frames": "4"}}',
        b'{"NextFrame": {}}',
        b'{"ParseEnd": {"frames": 1}, "ParseFailure": {}}',
        b"[" * 100_000,
        b"\x80\x04K\x01.",  # a pickle
    ],
)
def test_anything_else_is_refused_and_runs_nothing(data):
    with pytest.raises(ValueError, match="no message of a parser"):
        decoded(data)
