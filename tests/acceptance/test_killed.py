"""Kill -9 at any moment costs time and nothing else; full size in `make soak`."""

from pathlib import Path

from tests.acceptance.killing import killed_in_recovery, killed_while_files_arrive


def test_every_file_is_done_once_however_often_the_daemon_is_killed(tmp_path: Path):
    killed_while_files_arrive(tmp_path, kills=4, files=12)


def test_a_recovery_may_be_killed_as_well(tmp_path: Path):
    killed_in_recovery(tmp_path, kills=2)
