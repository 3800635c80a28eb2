"""What a process may reach of this machine: Landlock, by which it gives up rights for good.

Files, TCP, other processes: see landlock(7). The kernel's interface is three system calls that the
standard library does not know; their numbers are the same on every architecture.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

# Shared libraries and the zones of time; what of it is not there is left out.
SYSTEM_PATHS = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo"),
    *("/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", "/sys/devices/system/cpu"),
)
PACKAGES = ("analysis", "schema", "daemon")


class Access(IntFlag):
    """Rights to files, by the bits of landlock(7)."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_FILE = 1 << 5
    MAKE_REG = 1 << 8
    TRUNCATE = 1 << 14


READ = Access.READ_FILE | Access.READ_DIR
USE = READ | Access.WRITE_FILE | Access.TRUNCATE | Access.MAKE_REG | Access.REMOVE_FILE
_OF_FILES = Access.READ_FILE | Access.WRITE_FILE | Access.TRUNCATE

# Version of the interface → every right it knows. What is not granted is denied.
_FILE_RIGHTS = ((5, 2**16 - 1), (3, 2**15 - 1), (2, 2**14 - 1), (1, 2**13 - 1))
_TCP_RIGHTS = ((4, 2**2 - 1),)  # bind, connect
_SCOPES = ((6, 2**2 - 1),)  # sockets and signals to processes outside

# From version 2 on a file can be moved from one folder to another; every writer needs that.
_FIRST_FOR_WRITERS = 2
_WRITING = 2**15 - 1 & ~(READ | Access.EXECUTE)


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """Folders and files a child may read, or only list, and the one folder it may write to."""

    readable: tuple[Path, ...]
    listable: Path
    writable: Path

    def enter(self) -> None:
        """Give up everything else, for this thread and all it starts; without Landlock nothing.

        Raises:
            OSError: the kernel has Landlock and refuses.
        """
        version = landlock_version()
        if version == 0:
            return
        handled = _known(_FILE_RIGHTS, version)
        attributes = (handled, _known(_TCP_RIGHTS, version), _known(_SCOPES, version))
        allowed = [(path, READ & handled) for path in self.readable]
        allowed += [(self.listable, Access.READ_DIR), (self.writable, USE & handled)]
        _restrict(attributes, allowed)


def write_only_below(folders: Iterable[Path]) -> bool:
    """Give up writing, making, moving and removing files anywhere else, for good.

    For this thread and all it starts later: call it before there are others.

    Args:
        folders: those that are not there are left out.

    Returns:
        Whether it was done; the kernel may be too old.

    Raises:
        OSError: the kernel can, and refuses.
    """
    version = landlock_version()
    if version < _FIRST_FOR_WRITERS:
        return False
    handled = _WRITING & _known(_FILE_RIGHTS, version)
    _restrict((handled, 0, 0), [(folder, handled) for folder in folders])
    return True


def to_folder(writable: Path) -> Confinement:
    """Python with its packages and libraries to read, one folder to write."""
    installed = (sys.prefix, sys.base_prefix, sys.exec_prefix, *SYSTEM_PATHS)
    ours = Path(__file__).resolve().parents[1]
    paths = (*map(Path, installed), *(ours / package for package in PACKAGES))
    # Python lists a folder to find a package in it.
    return Confinement(readable=tuple(dict.fromkeys(paths)), listable=ours, writable=writable)


def landlock_version() -> int:
    """Version of the kernel's Landlock; 0 where it has none, or it is switched off."""
    try:
        return _system_call(_CREATE_RULESET, None, 0, _ASK_VERSION)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            return 0
        raise


def _restrict(attributes: tuple[int, int, int], allowed: Iterable[tuple[Path, int]]) -> None:
    """From here on only this; attributes: the rights to files and TCP, and the scopes, handled."""
    rules = _system_call(_CREATE_RULESET, struct.pack("=QQQ", *attributes), 24, 0)
    try:
        for path, rights in allowed:
            _allow(rules, path, rights)
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _system_call(_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _known(by_version: tuple[tuple[int, int], ...], version: int) -> int:
    return next((rights for since, rights in by_version if version >= since), 0)


def _allow(rules: int, path: Path, rights: int) -> None:
    """These rights below a folder, or to a file; nothing where it is not there."""
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        granted = rights if path.is_dir() else rights & _OF_FILES
        _system_call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", granted, beneath), 0)
    finally:
        os.close(beneath)


def _system_call(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    passed = (ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)
    result = int(libc.syscall(ctypes.c_long(number), *passed))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result
