"""A bundle travels as a zip unchanged, and no zip writes anything but a bundle's files."""

import json
import stat
import zipfile

import pytest

from analysis.bundle import MANIFEST_NAME, UNET_NAME, default_folder, verified
from analysis.bundle_zip import EPOCH, pack, unpack
from analysis.errors import BundleError


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "default.zip"
    pack(default_folder(), path)
    return path


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "inside" / "target"
    folder.mkdir(parents=True)
    return folder


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_a_bundle_comes_out_as_it_went_in(packed, target):
    unpack(packed, target)
    assert verified(target).sha256 == verified(default_folder()).sha256


def test_the_same_bundle_gives_the_same_bytes(packed, tmp_path, target):
    unpack(packed, target)
    (target / "notes.txt").write_text("mine")
    pack(target, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    with zipfile.ZipFile(packed) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {EPOCH}


def test_a_damaged_bundle_is_not_packed(packed, tmp_path, target):
    unpack(packed, target)
    (target / UNET_NAME).write_bytes(b"other")
    with pytest.raises(BundleError, match="SHA-256"):
        pack(target, tmp_path / "again.zip")


def test_a_folder_round_the_files_is_taken_off(packed, tmp_path, target):
    with zipfile.ZipFile(packed) as archive:
        members = [(f"mine/{name}", archive.read(name)) for name in archive.namelist()]
    unpack(zipped(tmp_path / "folder.zip", [("mine/", b""), *members]), target)
    assert verified(target).name == verified(default_folder()).name


@pytest.mark.parametrize(
    "name",
    [
        "../manifest.json",
        "../../unet.npz",
        "/tmp/unet.npz",
        "a/b/manifest.json",
        "..\\unet.npz",
        "unet.npz/../../x",
        "run.py",
    ],
)
def test_a_name_no_bundle_has_is_refused_and_nothing_is_written(tmp_path, target, name):
    members = [(MANIFEST_NAME, b"{}"), (name, b"x")]
    for order in (members, members[::-1], [(name, b"x")]):
        path = zipped(tmp_path / "bad.zip", order)
        with pytest.raises(BundleError, match="no bundle"):
            unpack(path, target)
        assert [one for one in tmp_path.rglob("*") if one.is_file()] == [path]


def test_a_name_of_no_letters_is_refused(tmp_path, target):
    entry = zipfile.ZipInfo("x")
    entry.filename = ""
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive, archive.open(entry, "w") as stream:
        stream.write(b"x")
    with pytest.raises(BundleError, match="no sound zip"):
        unpack(tmp_path / "bad.zip", target)


def test_a_link_is_refused(tmp_path, target):
    entry = zipfile.ZipInfo(UNET_NAME)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(tmp_path / "link.zip", [(MANIFEST_NAME, b"{}"), (entry, b"/etc/passwd")])
    with pytest.raises(BundleError, match="is a link"):
        unpack(path, target)
    assert list(target.iterdir()) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused(tmp_path, target):
    path = zipped(tmp_path / "twice.zip", [(MANIFEST_NAME, b"{}"), (MANIFEST_NAME, b"[]")])
    with pytest.raises(BundleError, match="twice"):
        unpack(path, target)


def test_a_manifest_of_gigabytes_is_refused_by_what_the_zip_declares(tmp_path, target):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST_NAME, bytes(2**24))
    with pytest.raises(BundleError, match="unpacks to"):
        unpack(tmp_path / "bomb.zip", target)


def test_a_zip_that_lies_about_a_size_writes_no_more_than_it_declares(tmp_path, target):
    with zipfile.ZipFile(tmp_path / "lie.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST_NAME, bytes(2**24))
    content = (tmp_path / "lie.zip").read_bytes()
    lie = content.replace((2**24).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    (tmp_path / "lie.zip").write_bytes(lie)
    with pytest.raises(BundleError, match="no sound zip"):
        unpack(tmp_path / "lie.zip", target)
    assert sum(path.stat().st_size for path in target.iterdir()) <= 100


def test_no_cut_or_flip_is_anything_but_a_bundle_error(packed, tmp_path):
    whole = packed.read_bytes()
    for number, length in enumerate(range(0, len(whole), len(whole) // 12)):
        folder = tmp_path / f"cut{number}"
        folder.mkdir()
        (tmp_path / "cut.zip").write_bytes(whole[:length])
        # Cut behind the forest, what is left ends like the zip that the forest itself is.
        with pytest.raises(BundleError, match=r"no sound zip|which no bundle has"):
            unpack(tmp_path / "cut.zip", folder)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    (tmp_path / "flip.zip").write_bytes(flipped)
    folder = tmp_path / "flip"
    folder.mkdir()
    with pytest.raises(BundleError, match="no sound zip"):
        unpack(tmp_path / "flip.zip", folder)


def test_a_zip_without_a_manifest_is_no_bundle(tmp_path, target):
    path = zipped(tmp_path / "empty.zip", [(UNET_NAME, json.dumps([]).encode())])
    with pytest.raises(BundleError, match=MANIFEST_NAME):
        unpack(path, target)
