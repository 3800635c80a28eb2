"""The page of a report in a real browser: nothing is asked of the network, it prints cleanly."""

import re
import shutil
import subprocess
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon.config import Config, StateConfig
from daemon.report.writing import write_report
from daemon.selection import Selection
from schema.state import StateFolder
from tests.daemon.moments import NOW
from tests.daemon.populated import populate

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
SECONDS = 120
QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
    "--enable-logging=stderr",
    "--proxy-bypass-list=<-loopback>",
)
OWN_ERRANDS = ("google.com", "googleapis.com", "gvt1.com")  # of the browser, whatever it shows
A4_POINTS = (595, 842)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium here")


@dataclass(frozen=True)
class Printed:
    """What a browser made of a page: the sheets, what it asked for, and what it complained of."""

    pdf: bytes
    asked: tuple[str, ...]
    complaints: tuple[str, ...]


@pytest.fixture
def proxy() -> Iterator[tuple[int, list[str]]]:
    """A port that stands for the whole network, and what was asked of it; it answers nothing."""
    asked: list[str] = []

    class Nothing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_CONNECT = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Nothing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, asked
    server.shutdown()
    thread.join()
    server.server_close()


def printed(page: Path, proxy: tuple[int, list[str]], folder: Path) -> Printed:
    port, asked = proxy
    target = folder / "printed.pdf"
    command = [
        str(BROWSER),
        *QUIET,
        f"--proxy-server=127.0.0.1:{port}",
        f"--user-data-dir={folder / 'profile'}",
        f"--print-to-pdf={target}",
        page.as_uri(),
    ]
    run = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    return Printed(
        pdf=target.read_bytes(),
        asked=tuple(each for each in asked if not any(host in each for host in OWN_ERRANDS)),
        complaints=tuple(line for line in run.stderr.splitlines() if "CONSOLE" in line),
    )


def sheets(pdf: bytes) -> list[bytes]:
    """What is drawn on each sheet."""
    objects = {
        int(number): body
        for number, body in re.findall(rb"(\d+) 0 obj\s(.*?)endobj", pdf, flags=re.DOTALL)
    }
    drawn = []
    for body in objects.values():
        if re.search(rb"/Type\s*/Page\b(?!s)", body):
            (content,) = re.findall(rb"/Contents (\d+) 0 R", body)
            packed = objects[int(content)].partition(b"stream")[2].lstrip(b"\r\n")
            drawn.append(zlib.decompressobj().decompress(packed))
    return drawn


def runs_of_text(sheet: bytes) -> int:
    return len(re.findall(rb"\bBT\b", sheet))


@pytest.fixture
def page(owner: Engine, state: StateFolder, tmp_path: Path) -> Path:
    """The report of two runs."""
    populate(owner)
    target = tmp_path / "report <&> é.html"
    config = Config(state=StateConfig(folder=state.path))
    write_report(config, Selection(), target, title=None, per_class=6, now=NOW)
    return target


def test_the_page_asks_nothing_of_the_network_and_nothing_is_wrong_with_it(page, proxy, tmp_path):
    found = printed(page, proxy, tmp_path)
    assert found.asked == ()
    assert found.complaints == ()


def test_what_a_page_asks_for_and_complains_of_would_be_seen(proxy, tmp_path):
    page = tmp_path / "a.html"
    page.write_text(
        '<!DOCTYPE html><img src="http://example.invalid/x.png"><script>throw 1</script>'
    )
    found = printed(page, proxy, tmp_path)
    assert found.asked == ("http://example.invalid/x.png",)
    assert len(found.complaints) == 1


def test_it_prints_on_sheets_of_a4_none_of_which_is_empty(page, proxy, tmp_path):
    found = printed(page, proxy, tmp_path)
    with_one_more = page.with_name("one more.html")
    text = page.read_text(encoding="utf-8")
    empty = '<div style="break-before: page"></div><div>&nbsp;</div></body>'
    with_one_more.write_text(text.replace("</body>", empty), encoding="utf-8")
    drawn = sheets(found.pdf)
    drawn_and_empty = sheets(printed(with_one_more, proxy, tmp_path).pdf)
    assert 4 <= len(drawn) <= 9
    assert len(drawn_and_empty) == len(drawn) + 1
    number_alone = min(map(runs_of_text, drawn_and_empty))
    assert min(map(runs_of_text, drawn)) > number_alone + 4
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", found.pdf)
    assert {(round(float(wide)), round(float(high))) for wide, high in boxes} == {A4_POINTS}


def test_a_report_of_nothing_prints_as_well(owner, state, proxy, tmp_path):
    target = tmp_path / "nothing.html"
    config = Config(state=StateConfig(folder=state.path))
    write_report(config, Selection(), target, title=None, per_class=6, now=NOW)
    found = printed(target, proxy, tmp_path)
    assert (found.asked, found.complaints) == ((), ())
    assert 1 <= len(sheets(found.pdf)) <= 4
