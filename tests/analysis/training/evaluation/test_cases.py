"""A case has the truth of what it shows, and the same key makes the same case."""

from dataclasses import replace

import numpy as np
import pytest
from pytest import approx

from analysis.training.evaluation.cases import real_cases, simulated_cases
from analysis.training.evaluation.curves import DOSE, VARIABLES
from tests.analysis.training.evaluation.made import PIXEL_NM, write_real, write_set
from tests.analysis.training.fields import RADIUS_PX, disc_field

DIAMETER_NM = 2 * RADIUS_PX * 0.04


def of_material(*materials):
    """The disc, once for each material under a label of its own; the first has all pixels."""
    field = disc_field()
    first = field.particles[0]
    labels = field.labels.copy()
    labels[:2, :2] = 2
    return replace(
        field,
        labels=labels if len(materials) > 1 else field.labels,
        particles=tuple(
            replace(first, label=number, material=material)
            for number, material in enumerate(materials, start=1)
        ),
    )


def bare():
    field = disc_field()
    return replace(field, labels=np.zeros_like(field.labels), particles=())


@pytest.fixture
def folder(tmp_path):
    fields = of_material("CdSe-wz"), bare(), of_material("Au", "CdSe-zb")
    write_set(tmp_path, "core", *fields)
    return tmp_path / "core"


def test_a_simulated_case_holds_its_truth(folder):
    case = simulated_cases(folder, "core", seed=3)[0].make()
    assert (case.set_name, case.name, case.empty) == ("core", "field_000000", False)
    area_nm2 = np.count_nonzero(case.labels) * case.pixel_size_nm**2
    assert area_nm2 == approx(np.pi * DIAMETER_NM**2 / 4, rel=0.02)
    assert set(case.regions) == {1}
    assert 200 <= case.dose_e_per_a2 <= 3000 and 0.0199 <= case.pixel_size_nm <= 0.0501


def test_a_polytype_is_no_material_of_its_own(folder):
    materials = [source.make().material for source in simulated_cases(folder, "core", seed=3)]
    assert materials == ["CdSe", "empty", "mixed"]


def test_the_same_key_makes_the_same_micrograph(folder):
    first, again = (simulated_cases(folder, "core", seed=3, most=1)[0] for _ in range(2))
    other = simulated_cases(folder, "core", seed=4, most=1)[0]
    assert first.key == again.key != other.key
    assert (first.make().micrograph.image == again.make().micrograph.image).all()
    assert first.make().micrograph.pixel_sha256 != other.make().micrograph.pixel_sha256


def test_one_condition_varies_and_the_others_stay(folder):
    low, high = (
        simulated_cases(folder, "core", 3, VARIABLES[DOSE].conditions(dose), most=1)[0].make()
        for dose in (50.0, 3000.0)
    )
    assert (low.dose_e_per_a2, high.dose_e_per_a2) == (approx(50), approx(3000))
    assert (low.pixel_size_nm, low.defocus_nm) == (high.pixel_size_nm, high.defocus_nm)


def test_real_patches_come_with_their_masks(tmp_path):
    write_real(tmp_path / "real")
    disc, blank = (source.make() for source in real_cases(tmp_path / "real"))
    assert (disc.name, disc.material, disc.pixel_size_nm) == ("disc.tif", "Au", PIXEL_NM)
    assert np.count_nonzero(disc.labels) == approx(np.pi * 40**2, rel=0.01)
    assert (disc.empty, blank.empty, disc.labels.max()) == (False, True, 1)


def test_a_changed_mask_is_another_case(tmp_path):
    write_real(tmp_path / "real")
    before = [source.key for source in real_cases(tmp_path / "real")]
    (tmp_path / "real" / "disc_mask.png").write_bytes(
        (tmp_path / "real" / "bare_mask.png").read_bytes()
    )
    after = [source.key for source in real_cases(tmp_path / "real")]
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)


def test_a_folder_without_what_is_needed_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        real_cases(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,material\na.tif,Au\n")
    with pytest.raises(ValueError, match="mask, pixel_size_nm"):
        real_cases(tmp_path)
