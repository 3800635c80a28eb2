"""Several who go along act as one."""

from dataclasses import dataclass, field

from daemon.beside import NOBODY, Company


@dataclass
class Member:
    through: bool = False
    warns: tuple[str, ...] = ()
    said: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.said.append("start")

    def stop(self) -> None:
        self.said.append("stop")

    def warnings(self) -> tuple[str, ...]:
        return self.warns

    def is_through(self) -> bool:
        self.said.append("asked")
        return self.through


def test_all_begin_and_end():
    members = [Member(), Member()]
    company = Company(members)
    company.start()
    company.stop()
    assert [member.said for member in members] == [["start", "stop"]] * 2


def test_the_warnings_of_all_are_told():
    assert Company([Member(warns=("a",)), Member(warns=("b", "c"))]).warnings() == ("a", "b", "c")


def test_each_is_asked_whether_it_is_through_though_one_is_not():
    """Who is asked works off what is left."""
    slow, ready = Member(), Member(through=True)
    assert not Company([slow, ready]).is_through()
    assert ready.said == ["asked"]
    slow.through = True
    assert Company([slow, ready]).is_through()


def test_nobody_holds_nothing_up():
    assert NOBODY.is_through()
    assert NOBODY.warnings() == ()
