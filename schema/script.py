"""SQL scripts that ship with the package, as single statements."""

from importlib.resources import files


def statements(*place: str) -> tuple[str, ...]:
    """The statements of one script, in order.

    Args:
        place: folders and file name below this package.
    """
    text = files("schema").joinpath(*place).read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    parts = "\n".join(lines).split(";\n")
    return tuple(part.strip().rstrip(";") for part in parts if part.strip().rstrip(";"))
