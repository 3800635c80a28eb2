"""What processes asked the kernel to do with files, read from strace's output."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CALLS = (
    "openat,mkdir,rename,renameat,renameat2,unlink,unlinkat,rmdir,ftruncate,write,pwrite64,"
    "fsync,fdatasync"
)
_LINE = re.compile(r"^(?P<pid>\d+)\s+(?P<call>\w+)\((?P<words>.*)\)\s+= (?P<result>-?\d+)")
_BEGUN = re.compile(r"^(?P<pid>\d+)\s+(?P<call>\w+)\((?P<words>.*) <unfinished \.\.\.>$")
_ENDED = re.compile(r"^(?P<pid>\d+)\s+<\.\.\. (?P<call>\w+) resumed>(?P<words>.*)$")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"^-?\d+<([^>]*)>")


@dataclass(frozen=True)
class Call:
    """One call that succeeded. Paths are absolute.

    `path`: of the file it concerns; `target`: of a rename; `data`: of a write; `number`: the
    offset of a write at a place, or the length a file is cut to; `words`: the arguments as written.
    """

    name: str
    path: bytes
    target: bytes = b""
    data: bytes = b""
    number: int = 0
    words: str = ""


def strace_command(trace: Path, command: list[str]) -> list[str]:
    """The command, every byte it writes noted in `trace`."""
    options = ["-f", "-qq", "-y", "-xx", "-s", str(2**24), "-e", "signal=none", "--seccomp-bpf"]
    return ["strace", *options, "-o", str(trace), "-e", f"trace={CALLS}", *command]


def calls(trace: Path) -> Iterator[Call]:
    """Those that succeeded, in the order in which they ended."""
    begun: dict[tuple[str, str], str] = {}
    with trace.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            if found := _BEGUN.match(line):
                begun[found["pid"], found["call"]] = found["words"]
                continue
            whole = line
            if found := _ENDED.match(line):
                words = begun.pop((found["pid"], found["call"]), "")
                whole = f"{found['pid']} {found['call']}({words}{found['words']}\n"
            found = _LINE.match(whole)
            if found and int(found["result"]) >= 0:
                yield _call(found["call"], found["words"])


def _call(name: str, words: str) -> Call:
    texts = [_plain(text) for text in _TEXT.findall(words)]
    if name in ("write", "pwrite64", "ftruncate", "fsync", "fdatasync"):
        found = _DESCRIPTOR.match(words)
        path = _plain(found[1]) if found else b""
        number = words.rsplit(", ", 1)[-1]
        return Call(
            name=name,
            path=path,
            data=texts[0] if texts else b"",
            number=int(number) if number.isdecimal() else 0,
        )
    if name == "unlinkat":  # relative to a folder that is open
        found = _DESCRIPTOR.match(words)
        folder = _plain(found[1]) if found else b""
        return Call(name="rmdir" if "REMOVEDIR" in words else "unlink", path=_join(folder, texts))
    target = texts[1] if name.startswith("rename") else b""
    return Call(name="rename" if target else name, path=texts[0], target=target, words=words)


def _join(folder: bytes, texts: list[bytes]) -> bytes:
    return os.path.join(folder, texts[0])


def _plain(text: str) -> bytes:
    """Every byte is written as `\\x2f`; a name may also stand there as it is."""
    if text.startswith("\\x"):
        return bytes.fromhex(text.replace("\\x", ""))
    return text.encode()
