"""Tell systemd how the daemon is doing, over the socket named in NOTIFY_SOCKET.

The protocol of sd_notify(3): one datagram of `NAME=value` lines. Where the variable is not set,
as in a terminal, every message is a quiet nothing. A message that cannot be delivered is dropped:
the state of the daemon never depends on it.
"""

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


def status(text: str) -> str:
    """The line `systemctl status` shows; line breaks become spaces, as one line is one field."""
    return "STATUS=" + " ".join(text.split())


def extend_timeout(seconds: float) -> str:
    """Ask for this many seconds more, from now, before systemd loses patience."""
    return f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}"


def notify(*messages: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send the messages as one datagram; whether somebody was there to take it.

    A name that starts with `@` is an abstract socket: its first byte is NUL.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address or not messages:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(messages).encode(errors="replace"), address)
    except OSError as error:
        log.debug("systemd was not told: %s", error)
        return False
    return True
