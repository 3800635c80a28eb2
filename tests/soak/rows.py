"""The rows of RELIABILITY's table at the sizes it names."""

from tests.acceptance.corrupt import corrupt_corpus
from tests.acceptance.deaths import parts_fail
from tests.acceptance.faults import faults_at_every_call
from tests.acceptance.fuzzing import fuzz_readers
from tests.acceptance.held_database import database_held
from tests.acceptance.killing import killed_in_recovery, killed_while_files_arrive
from tests.acceptance.migration import migration_killed_at_calls, migration_killed_at_random
from tests.acceptance.power_loss import power_lost
from tests.acceptance.row_clock import clock_jumps
from tests.acceptance.row_cuts import every_cut_waits
from tests.acceptance.row_sequences import every_sequence_equals_the_model
from tests.acceptance.row_writers import every_writer_gives_one_result
from tests.acceptance.swapping import swap_race
from tests.conftest import SHARED_DATA
from tests.soak.burst import burst
from tests.soak.endurance import endured
from tests.soak.row import Row, tested
from tests.soak.share import share_comes_and_goes

PLACE = "tests/acceptance"
ALL = 10**6  # more than there are
AT_ONCE = 4  # runs of row 2
REAL = SHARED_DATA / "formats" if SHARED_DATA.is_dir() else None


def rows(hours: float, fuzz_hours: float) -> tuple[Row, ...]:
    """All of them, in their order.

    Args:
        hours: that row 6 takes.
        fuzz_hours: that row 13 takes for each reader.
    """
    return (
        Row(
            number="1",
            marks="N",
            test="kill -9 at random while files arrive",
            size="200 kills, 500 files",
            run=lambda folder: killed_while_files_arrive(folder, kills=200, files=500),
        ),
        Row(
            number="1m",
            marks="N",
            test="the same with the shipped model",
            size="20 kills, 20 files",
            run=lambda folder: killed_while_files_arrive(
                folder, kills=20, files=20, program="daemon"
            ),
        ),
        Row(
            number="2",
            marks="CI",
            test="SIGKILL, EIO, ENOSPC at the k-th call, once and for good",
            size="7 calls, 5 faults, k = 1 to 6 and on in steps until a run is not hit",
            run=lambda folder: faults_at_every_call(folder, dense=6, at_once=AT_ONCE),
        ),
        Row(
            number="3",
            marks="N",
            test="kill -9 during the recovery from one",
            size="50 pairs of kills",
            run=lambda folder: killed_in_recovery(folder, kills=50),
        ),
        Row(
            number="4",
            marks="N",
            test="power loss: what was not synced is gone",
            size="1,000 losses, 50 restarts",
            run=lambda folder: power_lost(folder, losses=1000, restarts=50, files=8),
        ),
        Row(
            number="5",
            marks="N",
            test="burst, as fast as the disk",
            size="500 files, 2 to 130 MB, 11 GB",
            run=lambda folder: burst(
                folder, files=500, rss_cap_bytes=4 * 2**30, patience_seconds=4 * 3600.0
            ),
        ),
        Row(
            number="5m",
            marks="N",
            test="the same with the shipped model",
            size="24 files, 2 to 130 MB",
            run=lambda folder: burst(
                folder,
                files=24,
                rss_cap_bytes=8 * 2**30,
                patience_seconds=2 * 3600.0,
                program="daemon",
            ),
        ),
        Row(
            number="6",
            marks="N",
            test="a file every 5 s, a stop every hour",
            size=f"{hours:g} h",
            run=lambda folder: endured(folder, hours=hours),
        ),
        Row(
            number="7",
            marks="CI",
            test="more events than the kernel keeps",
            size="30,000 files",
            run=tested(f"{PLACE}/test_rush.py"),
        ),
        Row(
            number="9",
            marks="CI",
            test="exception or death of each part",
            size="6 parts, 2 ways, 10 times",
            run=lambda folder: parts_fail(folder, times=10),
        ),
        Row(
            number="10",
            marks="CI",
            test="every writer of an acquisition, stalled",
            size="20 points each",
            run=lambda folder: every_writer_gives_one_result(folder, points=20),
        ),
        Row(
            number="10m",
            marks="N",
            test="the same with the shipped model",
            size="2 points each",
            run=lambda folder: every_writer_gives_one_result(folder, points=2, program="daemon"),
        ),
        Row(
            number="11",
            marks="CI",
            test="files cut short, or with zeros behind",
            size="5 formats and real files, 50 cuts, 2 to 98 %",
            run=lambda folder: every_cut_waits(folder, cuts=50, real=REAL),
        ),
        Row(
            number="12",
            marks="CI",
            test="bad files among as many good ones",
            size="the whole corpus",
            run=lambda folder: corrupt_corpus(folder, files=ALL),
        ),
        Row(
            number="12m",
            marks="N",
            test="the same with the shipped model",
            size="72 files",
            run=lambda folder: corrupt_corpus(folder, files=72, program="daemon"),
        ),
        Row(
            number="13",
            marks="N",
            test="a fuzzer for each reader",
            size=f"{fuzz_hours:g} h each",
            run=lambda folder: fuzz_readers(folder, seconds_per_reader=3600 * fuzz_hours),
        ),
        Row(
            number="14",
            marks="CI",
            test="whatever happens in a folder, in any order",
            size="10,000 sequences",
            run=lambda folder: every_sequence_equals_the_model(folder, sequences=10_000),
        ),
        Row(
            number="15",
            marks="CI",
            test="full disk",
            size="6 MB tmpfs",
            run=tested(f"{PLACE}/test_full_disk.py"),
        ),
        Row(
            number="16",
            marks="N",
            test="a share hangs, is unmounted, and dies",
            size="200 files, 2 min",
            run=lambda folder: share_comes_and_goes(folder, files=200, hanging_seconds=120.0),
        ),
        Row(
            number="17",
            marks="CI",
            test="read-only input; a file and a folder nobody may read",
            size="3 tests",
            run=tested(
                f"{PLACE}/test_no_access.py",
                f"{PLACE}/test_watch.py::test_raw_files_stay_as_they_were",
            ),
        ),
        Row(
            number="18",
            marks="N",
            test="the database is locked by a writer, then pinned by a reader",
            size="30 s, 5 min, 2 files/s",
            run=lambda folder: database_held(
                folder,
                locked_seconds=30.0,
                pinned_seconds=300.0,
                alarm_bytes=8_000_000,
                files_per_s=2.0,
            ),
        ),
        Row(
            number="19",
            marks="CI",
            test="the database is taken away, and rebuilt",
            size="5 ways",
            run=tested(f"{PLACE}/test_taken_away.py", f"{PLACE}/test_rebuild.py"),
        ),
        Row(
            number="20",
            marks="CI",
            test="the clock jumps; files of other days; summer time",
            size="5 jumps",
            run=clock_jumps,
        ),
        Row(
            number="21",
            marks="CI",
            test="names of any kind",
            size="every name",
            run=tested(f"{PLACE}/test_names.py"),
        ),
        Row(
            number="22",
            marks="CI",
            test="files and folders swapped for links while they are read",
            size="1,000 swaps",
            run=lambda folder: swap_race(folder, swaps=1000),
        ),
        Row(
            number="22t",
            marks="CI",
            test="links, pipes, sockets, devices",
            size="1",
            run=tested(f"{PLACE}/test_trespass.py"),
        ),
        Row(
            number="23",
            marks="CI",
            test="two daemons, one state folder",
            size="1",
            run=tested(
                f"{PLACE}/test_under_systemd.py::test_a_second_daemon_leaves_within_two_seconds"
            ),
        ),
        Row(
            number="24",
            marks="CI",
            test="migration killed at random",
            size="100 kills of each released schema",
            run=lambda folder: migration_killed_at_random(folder, kills=100),
        ),
        Row(
            number="24c",
            marks="N",
            test="migration killed at the k-th call",
            size="6 calls, until a run is not hit",
            run=migration_killed_at_calls,
        ),
        Row(
            number="25",
            marks="CI",
            test="under a service manager, played by a socket",
            size="4 tests",
            run=tested(f"{PLACE}/test_under_systemd.py", "tests/service"),
        ),
    )
