"""The surface: what is public is listed, documented and light."""

import importlib.util
import inspect
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import truewind
from truewind.cli.app import app

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *(REPOSITORY / "docs").glob("*.md")]
HEAVY = [
    *("numba", "llvmlite", "polars", "pyarrow", "pandas", "numpy", "pydantic", "plotly", "jinja2", "structlog"),
    *("sqlalchemy", "alembic", "matplotlib", "scipy", "statsmodels"),
]


def commands(group: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every command of the program by its words."""
    found: dict[tuple[str, ...], Any] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= commands(command, (*path, name))
        else:
            found[(*path, name)] = command
    return found


def made_by(script: str) -> Any:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(script, REPOSITORY / "docs" / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


API = made_by("make_api")
PUBLIC: dict[str, Any] = API.public()
COMMANDS = commands(typer.main.get_command(app))


def loaded_after(program: str) -> list[str]:
    """Heavy modules that are loaded once `program` has run in a fresh interpreter."""
    names = [*HEAVY, "typer", "rich"]
    program += f"\nimport json, sys; print(json.dumps([name for name in {names} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(found, list)
    return found


def test_the_public_list_is_what_can_be_imported() -> None:
    """Each name in `truewind.__all__` exists, and `dir` shows it."""
    for name in truewind.__all__:
        assert getattr(truewind, name) is not None
        assert name in dir(truewind)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = truewind.nonsense


def test_the_page_of_the_public_surface_is_that_of_the_docstrings() -> None:
    """`make docs` would write the page that is there."""
    assert (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8") == API.page(), "run make docs"


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_explains_itself(name: str) -> None:
    """A docstring, and types for all that goes in and comes out."""
    value = PUBLIC[name]
    if isinstance(value, property):
        value = value.fget
    if not callable(value):
        return
    assert inspect.getdoc(value), f"{name} has no docstring"
    if inspect.isfunction(value):
        parameters = inspect.signature(value).parameters.values()
        bare = [each.name for each in parameters if each.annotation is each.empty and each.name not in ("self", "cls")]
        assert bare == []
        assert inspect.signature(value).return_annotation is not inspect.Signature.empty


def test_what_documents_and_starters_import_is_public() -> None:
    """Nobody is told to import what may change: docs, README, examples and the files of `truewind new`."""
    starters = (REPOSITORY / "src" / "truewind" / "cli" / "starter").glob("*.tmpl")
    rooms = "|".join(path.name for path in (REPOSITORY / "src" / "truewind").iterdir() if path.is_dir())
    found = []
    for path in [*(page for page in PAGES if page.name != "CONTRIBUTING.md"), *starters]:
        text = path.read_text()
        for module, names in re.findall(r"^from (truewind[\w.]*) import (.+)$", text, re.MULTILINE):
            found += [f"{module}.{name.strip()}" for name in names.split(",")]
        if path.suffix == ".md":  # strategies are named by their place, `module:Class`, in configs
            found += re.findall(rf"`(truewind\.(?:{rooms})(?:\.\w+)+)(?=[`(])", text)
    assert found
    assert [name for name in found if name not in PUBLIC] == []


def test_links_of_the_documentation_lead_somewhere() -> None:
    """Every relative link in README, CONTRIBUTING and docs/ names a file that is there."""
    dead = [
        f"{page.name}: {link}"
        for page in PAGES
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert dead == []


@pytest.mark.parametrize(
    "module", ["truewind", "truewind.errors", "truewind.log", "truewind.cli", "truewind.domain.clock"]
)
def test_importing_is_light(module: str) -> None:
    """These modules load no library that takes long: it is loaded by the work that needs it."""
    assert loaded_after(f"import {module}") == []


def test_help_is_light() -> None:
    """`truewind --help` and the help of every command load none of the heavy libraries."""
    calls = [["--help"], *([*words, "--help"] for words in COMMANDS)]
    program = f"from truewind.cli import main\nfor words in {calls!r}: assert main(words) == 0, words"
    assert set(loaded_after(program)) <= {"typer", "rich", "pydantic"}  # typer loads pydantic where it is installed


def test_the_readme_lists_every_command() -> None:
    """The README's tour names each command, and no other."""
    page = (REPOSITORY / "README.md").read_text()
    groups = {words[0] for words in COMMANDS if len(words) > 1}
    named = set()
    for text in re.findall(r"^\| `truewind ([^`]*)`", page, re.MULTILINE):
        words = text.split()
        named.add(tuple(words[:2]) if words[0] in groups else (words[0],))
    assert named == set(COMMANDS)


@pytest.mark.parametrize("words", list(COMMANDS), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    """A sentence, an example that begins with the command's own words, --json, and a help for every option."""
    command = COMMANDS[words]
    assert command.help
    assert command.epilog.startswith(f"Example: truewind {' '.join(words)}")
    assert "--json" in {option for parameter in command.params for option in parameter.opts}
    assert all(parameter.help for parameter in command.params), words


@pytest.mark.parametrize("words", list(COMMANDS), ids=" ".join)
def test_every_example_is_accepted(words: tuple[str, ...]) -> None:
    """The example of a command's help is parsed by it: no option in it has another name by now."""
    command = COMMANDS[words]
    example = shlex.split(command.epilog.removeprefix("Example: truewind "))
    assert example[: len(words)] == list(words)
    assert command.make_context(words[-1], example[len(words) :])
