"""`truewind new`: the beginnings of something of one's own."""

import keyword
import sys
from pathlib import Path
from string import Template
from typing import Annotated, Any

import typer

from truewind.cli.options import Json

app = typer.Typer(name="new", help="Begin something of your own.", no_args_is_help=True)

_TEMPLATES = Path(__file__).with_name("starter")
_LONGEST = 60


@app.command(epilog="Example: truewind new strategy my_idea")
def strategy(
    name: Annotated[str, typer.Argument(help="Of folder and files: lower-case letters, digits and _, as in my_idea.")],
    callbacks: Annotated[
        bool, typer.Option("--callbacks", help="A strategy that works its own orders, instead of a pure decide.")
    ] = False,
    json: Json = False,
) -> None:
    """Write a strategy with test, configuration and notebook into a folder of its own. All of it runs at once."""
    from truewind.cli.output import console, print_json
    from truewind.errors import ConfigError, StorageError

    problem = _problem(name)
    if problem:
        raise ConfigError(f"'{name}' {problem}", remedy="Choose a name such as my_idea")
    folder = Path(name)
    if folder.exists():
        raise ConfigError(f"{folder} is there already", remedy="Choose another name, or remove it", path=folder)
    files = _files(name, "callbacks" if callbacks else "decide")
    try:
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"Cannot write {folder}: {error.strerror}", remedy="Check the folder's rights") from error
    following = [
        f"truewind backtest {name}/{name}.yaml",
        f"pytest {name}",
        f"truewind strategy check {name}/{name}.yaml",
    ]
    if json:
        print_json({"folder": folder, "files": [folder / file for file in files], "next": following})
        return
    out = console()
    for file in files:
        out.print(str(folder / file), markup=False)
    out.print("\nnext:", *(f"  {line}" for line in following), sep="\n", markup=False)


def _problem(name: str) -> str:
    """What is wrong with a name, "" if nothing."""
    from truewind.strategies import catalogue

    if not name.isidentifier() or not name.isascii() or name != name.lower() or name.startswith("_"):
        return "cannot be the name of a module: lower-case letters, digits and _ after a letter"
    if keyword.iskeyword(name) or name in sys.stdlib_module_names or name in ("truewind", "test"):
        return "is taken: Python has another meaning for it"
    if name in catalogue.names():
        return "is the name of a built-in strategy"
    return "is too long" if len(name) > _LONGEST else ""


def _files(name: str, kind: str) -> dict[str, str]:
    """The text of each file by its name."""
    words = {"name": name, "Class": "".join(part.capitalize() for part in name.split("_"))}
    words["rows"] = "rows made by hand" if kind == "decide" else "a desk that only remembers"

    def filled(template: str) -> str:
        return Template((_TEMPLATES / f"{template}.tmpl").read_text(encoding="utf-8")).substitute(words)

    return {
        f"{name}.py": filled(f"{kind}.py"),
        f"test_{name}.py": filled(f"test_{kind}.py"),
        f"{name}.yaml": filled("config.yaml"),
        f"{name}.ipynb": _notebook(filled("notebook.md")),
        "README.md": filled("README.md"),
    }


def _notebook(text: str) -> str:
    """A notebook (nbformat 4.5) from Markdown: its Python blocks become cells of code, the rest cells of text."""
    import json

    cells: list[dict[str, Any]] = []
    for number, part in enumerate(text.replace("```python\n", "```\n").split("```\n")):
        if not part.strip():
            continue
        cell: dict[str, Any] = {"cell_type": "code" if number % 2 else "markdown", "id": f"cell-{len(cells)}"}
        cell |= {"metadata": {}, "source": part.strip("\n").splitlines(keepends=True)}
        cells.append(cell | ({"execution_count": None, "outputs": []} if number % 2 else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    whole = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
