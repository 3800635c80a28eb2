"""What is sent to a terminal to keep a picture at its foot."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from daemon.screen import Screen


class Terminal(io.StringIO):
    """Takes text and remembers where it stood."""

    def news(self) -> str:
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def screen(terminal: Terminal) -> Screen:
    console = Console(
        file=terminal, force_terminal=True, color_system=None, width=20, height=5, _environ={}
    )
    return Screen(console)


def texts(*rows: str) -> list[Text]:
    return [Text(row) for row in rows]


def test_only_the_row_that_changed_is_written_again(screen: Screen, terminal: Terminal) -> None:
    screen.draw(texts("seen 1", "done 0", "median —"))
    terminal.news()
    screen.draw(texts("seen 1", "done 1", "median —"))
    news = terminal.news()
    assert "done 1" in news
    assert "seen" not in news
    assert "median" not in news


def test_no_row_is_erased_before_it_is_written(screen: Screen, terminal: Terminal) -> None:
    screen.draw(texts("seen 1", "done 0"))
    terminal.news()
    screen.draw(texts("seen 2", "done 1"))
    news = terminal.news()
    assert "\x1b[2K" not in news
    assert "\x1b[J" not in news
    assert "seen 2\x1b[K" in news


def test_the_picture_is_redrawn_where_it_stood(screen: Screen, terminal: Terminal) -> None:
    screen.draw(texts("a", "b", "c"))
    terminal.news()
    screen.draw(texts("A", "b", "c"))
    assert "\r\x1b[2AA\x1b[K\r\n\r\n" in terminal.news()


def test_a_line_above_comes_before_the_whole_picture(screen: Screen, terminal: Terminal) -> None:
    screen.draw(texts("a", "b"))
    terminal.news()
    screen.draw(texts("a", "b"), above=texts("a warning longer than the terminal is wide"))
    news = terminal.news()
    assert "\x1b[1A\x1b[Ja warning longer than the terminal is wide\r\na\r\nb" in news


def test_a_change_arrives_at_one_go(screen: Screen, terminal: Terminal) -> None:
    screen.draw(texts("a"))
    news = terminal.news()
    assert news.startswith("\x1b[?2026h")
    assert news.endswith("\x1b[?2026l")


def test_the_cursor_is_hidden_and_given_back_below(screen: Screen, terminal: Terminal) -> None:
    screen.open()
    assert terminal.news() == "\x1b[?25l"
    screen.draw(texts("a"))
    terminal.news()
    screen.close()
    assert terminal.news() == "\r\n\x1b[?25h"


def test_another_size_starts_on_an_empty_screen(terminal: Terminal) -> None:
    console = Console(file=terminal, force_terminal=True, width=20, height=5, _environ={})
    screen = Screen(console)
    screen.draw(texts("a"))
    terminal.news()
    console.width = 10
    screen.draw(texts("a"))
    assert "\x1b[2J\x1b[H" in terminal.news()
