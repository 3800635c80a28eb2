"""Child processes that do no harm: none outlives the command that started it."""

import multiprocessing
import os
import threading
from multiprocessing.connection import wait


def end_with_parent() -> None:
    """Called first in a child: it ends when its parent does, however that ended.

    Nothing it was at is half-written: files are renamed into place when whole.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("only a child has a parent to end with")

    def end() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end, name="ends with parent", daemon=True).start()
