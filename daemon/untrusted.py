"""What children that read files from outside share: they speak JSON, and the kernel limits them.

What such a child says is never unpickled: whoever takes it over could else run code in the daemon.
"""

import json
import logging
import resource
from collections.abc import Mapping
from typing import Any

from schema.serial import from_json, to_json

MAX_OPEN_FILES = 256


def confine(memory_bytes: int, file_bytes: int) -> None:
    """Limit this process for good, and keep what a reader prints of a broken file to itself.

    Args:
        memory_bytes: of address space.
        file_bytes: of the largest file it may write.
    """
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is wrong comes as an exception
    for name, most in {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_NOFILE: MAX_OPEN_FILES,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CORE: 0,
    }.items():
        resource.setrlimit(name, (most, most))


def encoded(message: Any) -> bytes:
    """A message, a dataclass, as JSON under the name of its kind."""
    return f'{{"{type(message).__name__}":{to_json(message)}}}'.encode("ascii")


def decoded(data: bytes, kinds: Mapping[str, type[Any]], child: str) -> Any:
    """A message of one of these kinds, by their names.

    Raises:
        ValueError: it is none.
    """
    try:
        ((name, plain),) = json.loads(data).items()
        return from_json(kinds[name], json.dumps(plain))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no message of a {child}: {error}") from error
