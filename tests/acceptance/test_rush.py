"""More files at once than the kernel can tell of."""

import os
import signal

from tests.acceptance.conftest import Bench

FILES = 30_000  # the kernel keeps 16,384 events
WALK_SECONDS = 3600.0  # so that only the loss of events can make it look
FOUND_SECONDS = 70.0  # a walk period of the defaults, and ten seconds


def test_thirty_thousand_files_made_while_nobody_listens_are_all_found(quick: Bench):
    quick.configure()
    text = quick.config.read_text().replace("walk_seconds = 2.0", f"walk_seconds = {WALK_SECONDS}")
    quick.config.write_text(text)
    process = quick.start("--plain")
    quick.until(lambda: "watching" in quick.log.read_text())
    os.kill(process.pid, signal.SIGSTOP)
    for number in range(FILES):
        (quick.folder / f"{number}.txt").touch()
    os.kill(process.pid, signal.SIGCONT)
    quick.until(
        lambda: quick.query("SELECT count(*) FROM source_file") == [(FILES,)],
        seconds=FOUND_SECONDS,
    )
    states = quick.query("SELECT DISTINCT state FROM source_file")
    output = quick.stop(process)
    assert states == [("refused",)]
    assert output.count("file events were lost") == 1
    assert "overflowed" not in output
