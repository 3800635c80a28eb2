"""JSON for programs, on standard output."""

import json
import sys


def print_json(values: object) -> None:
    """One document, ASCII, to be read by anything."""
    json.dump(values, sys.stdout, indent=2, ensure_ascii=True)
    sys.stdout.write("\n")
