"""The code blocks of README and documentation, and a shell for them that knows no more than they need.

A block is fenced; `bash` and `console` hold commands: those of a console stand behind `$`.
An HTML comment before it may say what a reader need not see:

    <!-- not run: why -->             its commands are parsed, its Python is compiled and its imports are made
    <!-- in the test: --hours 0.1 --> options that are added to those of its commands that have them
"""

import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import typer

from truewind.cli.app import app

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^(?:<!-- ([^\n]*) -->\n)?```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block. not_run: why not, or empty. added: options for the test alone. line: of its first line."""

    page: str
    line: int
    language: str
    code: str
    not_run: str
    added: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


class Command(NamedTuple):
    """A line of a block: its words, and whether the shell goes on without waiting for it."""

    words: list[str]
    behind: bool


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in their order."""
    text, found = page.read_text(encoding="utf-8"), []
    for match in _BLOCK.finditer(text):
        note = match[1] or ""
        line = text.count("\n", 0, match.start(3)) + 1
        not_run = note.removeprefix("not run: ") if note.startswith("not run: ") else ""
        added = shlex.split(note.removeprefix("in the test: ")) if note.startswith("in the test: ") else []
        found.append(Block(page.name, line, match[2], match[3], not_run, tuple(added)))
    return found


def commands(block: Block) -> list[Command]:
    """The commands of a `bash` or `console` block."""
    lines = block.code.replace("\\\n", " ").splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    found = []
    for line in lines:
        for part in line.split(" && "):
            words = shlex.split(part, comments=True)
            if words:
                behind = words[-1] == "&"
                found.append(Command(words[:-1] if behind else words, behind))
    return found


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command of the program that these words (without `truewind`) call, and what they give it.

    Raises LookupError where there is none.
    """
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        if command.name == "report" and words[:1] not in ([name] for name in command.commands):
            words = ["make", *words]  # as the group itself says
        if words[:1] not in ([name] for name in command.commands):
            raise LookupError(f"truewind has no command {' '.join(words)!r}")
        command, words = command.commands[words[0]], words[1:]
    return command, words


def options_of(command: Any) -> set[str]:
    """All that begin with a dash."""
    return {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}


def parse(words: list[str]) -> None:
    """Raises if the command or one of its options does not exist, or a value is none that it takes."""
    command, given = command_of(words)
    command.make_context(command.name, list(given))


def spans(page: Path) -> list[str]:
    """What stands between single backticks, a line break counted as a space."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
