"""The README names what exists."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from daemon.cli import app

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [
    REPOSITORY / name
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "service/OPERATING.md")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path):
    targets = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (REPOSITORY / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_exists(page: Path):
    commands = get_command(app).commands
    named = re.findall(r"(?:^|bin/)fringewatch ([a-z-]+)", code_of(page), flags=re.MULTILINE)
    assert [name for name in named if name not in commands] == []


def test_every_make_target_exists():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"make ([a-z]+)", code_of(page))}
    assert named <= targets


def code_of(page: Path) -> str:
    """Everything on the page that is set as code, its comments left out."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return "\n".join(re.sub(r"#.*", "", line) for line in "\n".join([*blocks, *spans]).split("\n"))
