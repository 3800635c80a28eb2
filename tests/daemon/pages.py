"""A page of HTML taken apart: what a reader sees, what a browser would fetch."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr", "link", "input"}
HIDDEN = {"style", "title", "script"}


@dataclass
class Element:
    """A tag with its attributes, and the text inside of it."""

    tag: str
    attributes: dict[str, str | None]
    inside: list[str] = field(default_factory=list)
    children: list["Element"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What a reader sees; a no-break space is a space."""
        return " ".join("".join(self.inside).split())


class Page(HTMLParser):
    """A page whose tags all close in their order; AssertionError where one does not."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self._source = source
        self.feed(source)
        self.close()
        assert self._open == [], [each.tag for each in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if self._open:
            self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)
        elif tag == "br":
            self.handle_data("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, (self._open[-1].tag, tag, self.getpos())
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1].tag in HIDDEN:
            self._open[-1].inside.append(data)
            return
        for element in self._open:
            element.inside.append(data)

    def tagged(self, tag: str) -> list[Element]:
        """All elements of a tag, in their order."""
        return [element for element in self.elements if element.tag == tag]

    @property
    def text(self) -> str:
        """What a reader sees of the whole page."""
        (body,) = self.tagged("body")
        return body.text

    def rows(self) -> list[tuple[str, ...]]:
        """The words of every row of every table."""
        return [tuple(cell.text for cell in row.children) for row in self.tagged("tr")]

    def row(self, name: str, after: str | None = None) -> tuple[str, ...]:
        """The one row, or the first after another one, that begins with this."""
        rows = self.rows()
        if after is not None:
            rows = rows[[row[0] for row in rows].index(after) :]
            return next(row for row in rows if row[0] == name)
        (found,) = [row for row in rows if row[0] == name]
        return found

    def section(self, heading: str) -> str:
        """What a reader sees of the section that an identifier heads."""
        (found,) = [
            each
            for each in self.tagged("section")
            if each.attributes.get("aria-labelledby") == heading
        ]
        return found.text
