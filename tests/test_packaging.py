"""What leaves the repository: the wheel, the locks, and nothing of the machines it was made on."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("analysis", "schema", "daemon")
LOCKS = [REPOSITORY / "requirements" / f"py3{minor}.txt" for minor in (11, 12, 13)]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

DATA_LIMIT_BYTES = 8 * 1_000_000
SOURCE_SUFFIXES = {"", ".cfg", ".mako", ".md", ".py", ".service", ".sql", ".toml", ".txt"}


def pinned_versions(lock: Path) -> dict[str, str]:
    """Package name → the one version that the lock allows."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(), flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def locked_requirements() -> Iterator[Requirement]:
    """What the project itself asks for and every lock must therefore hold."""
    extras = PROJECT["optional-dependencies"]
    for line in [*PROJECT["dependencies"], *extras["simulate"], *extras["dev"]]:
        yield Requirement(line)


def tracked_files() -> list[Path]:
    """The files that a clone gets."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout: which files are tracked is unknown")
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    paths = (REPOSITORY / name for name in listing.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def imported_modules(source: str) -> set[str]:
    """Top-level names of what a module imports from other distributions."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).split(".")[0])
    return names - set(PACKAGES) - sys.stdlib_module_names


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names inside a wheel built from a copy of the repository, its tests included."""
    source = tmp_path_factory.mktemp("source")
    forget = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in (*PACKAGES, "tests"):
        shutil.copytree(REPOSITORY / folder, source / folder, ignore=forget)
    (source / "tests" / "__init__.py").touch()  # the form in which tests get shipped by accident
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (source / "dist").glob("fringewatch-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_the_three_packages_and_no_tests(wheel_names: list[str]):
    top_levels = {name.split("/")[0] for name in wheel_names}
    assert {name for name in top_levels if not name.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_holds_every_file_of_the_packages(wheel_names: list[str]):
    ours = {
        path.relative_to(REPOSITORY).as_posix()
        for path in tracked_files()
        if path.relative_to(REPOSITORY).parts[0] in PACKAGES
    }
    assert ours - set(wheel_names) == set()


def test_the_wheel_holds_the_licence(wheel_names: list[str]):
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel_names)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_holds_pins_and_hashes_and_nothing_else(lock: Path):
    entries = re.sub(r"\s*\\\n\s+", " ", lock.read_text()).splitlines()
    entries = [entry for entry in entries if entry and not entry.lstrip().startswith("#")]
    assert entries
    pinned = re.compile(r"[A-Za-z0-9._-]+==[^\s;]+( ; [^-]+)?( --hash=sha256:[0-9a-f]{64})+")
    assert [entry for entry in entries if not pinned.fullmatch(entry)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_satisfies_what_the_project_asks_for(lock: Path):
    pins = pinned_versions(lock)
    unmet = [
        str(requirement)
        for requirement in locked_requirements()
        if pins.get(canonicalize_name(requirement.name)) not in requirement.specifier
    ]
    assert unmet == []


@pytest.mark.parametrize("lock", LOCKS[1:], ids=lambda lock: lock.stem)
def test_every_python_computes_with_the_same_versions(lock: Path):
    first, other = pinned_versions(LOCKS[0]), pinned_versions(lock)
    assert {
        name: other[name] for name in first.keys() & other.keys() if other[name] != first[name]
    } == {}


def test_what_installs_names_no_server():
    """Where packages come from is the business of whoever installs."""
    installs = [*LOCKS, REPOSITORY / "Makefile", REPOSITORY / "service" / "install.sh"]
    found = [path.name for path in installs if "://" in path.read_text(encoding="utf-8")]
    assert found == []


def test_no_tracked_file_names_a_folder_of_one_machine():
    place = re.compile(r"(?<![\w.])/(work|root|home/\w+)/")
    found = [
        f"{path.relative_to(REPOSITORY)}: {match.group()}"
        for path in tracked_files()
        if path.suffix in SOURCE_SUFFIXES
        for match in place.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_repository_ships_little_data():
    sizes = {
        path.relative_to(REPOSITORY): path.stat().st_size
        for path in tracked_files()
        if path.suffix not in SOURCE_SUFFIXES
    }
    assert sum(sizes.values()) <= DATA_LIMIT_BYTES, sorted(sizes, key=sizes.__getitem__)[-5:]


def test_what_the_packages_import_is_declared():
    provided_by = packages_distributions()
    declared = {canonicalize_name(requirement.name) for requirement in locked_requirements()}
    undeclared = {
        f"{path.relative_to(REPOSITORY)}: {module}"
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*.py")
        for module in imported_modules(path.read_text(encoding="utf-8"))
        if not declared & {canonicalize_name(name) for name in provided_by.get(module, [])}
    }
    assert undeclared == set()
