"""An evaluation that was stopped goes on where it was."""

from dataclasses import dataclass, field

from analysis.training.evaluation.cases import CaseSource
from analysis.training.evaluation.records import Records, scored
from tests.analysis.training.evaluation.made import case, found, squares

LABELS = squares((50, 50, 40))


@dataclass
class Counting:
    """A method that counts how often it was asked."""

    name: str = "counting"
    identity: str = "counting"
    asked: list = field(default_factory=list)

    def find(self, each):
        self.asked.append(each.name)
        return found(LABELS)


@dataclass
class Made:
    """Sources that count how often a case was made."""

    made: list = field(default_factory=list)

    def sources(self, count=3):
        def maker(number):
            def make():
                self.made.append(number)
                return case(LABELS, name=f"field_{number}")

            return make

        return [CaseSource(key=f"core/{n}", make=maker(n)) for n in range(count)]


def run(folder, method, made, margin_nm=None, stage=lambda *_: None):
    return scored(Records(folder), made.sources(), [method], stage, "core", margin_nm)


def test_what_is_known_is_not_done_again(tmp_path):
    method, made = Counting(), Made()
    first = run(tmp_path, method, made)
    assert (method.asked, made.made) == (["field_0", "field_1", "field_2"], [0, 1, 2])
    assert run(tmp_path, method, made) == first
    assert (len(method.asked), len(made.made)) == (3, 3)


def test_another_method_or_margin_is_asked_anew(tmp_path):
    made = Made()
    run(tmp_path, Counting(), made)
    other = Counting(identity="another")
    run(tmp_path, other, made)
    assert len(other.asked) == 3
    again = Counting()
    assert run(tmp_path, again, made, margin_nm=0.2)["counting"][0].with_margin is not None
    assert len(again.asked) == 3


def test_a_line_cut_short_is_done_again_and_the_others_kept(tmp_path):
    first = run(tmp_path, Counting(), Made())
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    file.write_text(whole[: len(whole) - 30])
    method = Counting()
    assert run(tmp_path, method, Made()) == first
    assert method.asked == ["field_2"]
    assert run(tmp_path, Counting(), Made()) == first


def test_a_case_is_made_once_for_all_methods(tmp_path):
    made = Made()
    methods = [Counting(name=name, identity=name) for name in ("a", "b")]
    scored(Records(tmp_path), made.sources(), methods, lambda *_: None, "core")
    assert made.made == [0, 1, 2]


def test_progress_is_told_case_by_case(tmp_path):
    told = []
    run(tmp_path, Counting(), Made(), stage=lambda *each: told.append(each))
    assert told == [("core", 1, 3), ("core", 2, 3), ("core", 3, 3)]
