"""A child that tries what it may not do, and says what came of it."""

import errno
import os
import socket
import subprocess
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

FOREIGN = Path("/etc/passwd")


def said(deed: Callable[[], object]) -> str:
    """`done`, or the name of the error."""
    try:
        deed()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, repr(error))
    return "done"


# Tried where a library starts its threads, which no later confinement would reach.
READ_ON_IMPORT = said(FOREIGN.read_text)


def try_everything(connection: Connection, spool: Path, port: int) -> None:
    """Tell what each deed came to."""
    import sqlite3

    deeds: dict[str, Callable[[], object]] = {
        "read a foreign file": FOREIGN.read_text,
        "list a foreign folder": lambda: os.listdir("/etc"),
        "read the database": (spool.parent / "fringewatch.sqlite").read_bytes,
        "write the database": lambda: (spool.parent / "fringewatch.sqlite").write_bytes(b""),
        "make a file beside the spool": (spool.parent / "new").touch,
        "make a link in the spool": lambda: (spool / "link").symlink_to(FOREIGN),
        "make a pipe in the spool": lambda: os.mkfifo(spool / "pipe"),
        "follow a link out of the spool": (spool / "out").read_bytes,
        "run a program": lambda: subprocess.run(["/bin/true"], check=True),
        "connect": lambda: socket.create_connection(("127.0.0.1", port), timeout=5),
        "listen": lambda: socket.create_server(("127.0.0.1", 0)),
        "signal the parent": lambda: os.kill(os.getppid(), 0),
        "read the spool": (spool / "a.tif").read_bytes,
        "write the spool": lambda: (spool / ".frame-000000.npy").write_bytes(b"pixels"),
        "delete in the spool": (spool / "b.tif").unlink,
        "load a library": lambda: sqlite3.connect(":memory:").close(),
    }
    found = {name: said(deed) for name, deed in deeds.items()}
    connection.send(found | {"read while libraries load": READ_ON_IMPORT})
