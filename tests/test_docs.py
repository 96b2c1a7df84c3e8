"""What README and documentation show runs, and what is generated is what the code says now.

Every block of commands, Python and YAML is run in a folder of its page's own, beside what `truewind demo` leaves, with
a local exchange in the venue's place and made-up bars in that of recorded ones. Of blocks that say why they are not run
the commands are parsed; so is every command that a sentence names.
"""

import ast
import asyncio
import importlib
import importlib.util
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from log_handlers import remove_all
from pages import PAGES, REPOSITORY, Block, Command, blocks, command_of, commands, options_of, parse, spans
from truewind import cli
from truewind.backtest.settings import load_config
from truewind.backtest.standin import stand_in
from truewind.config import parse as as_settings
from truewind.config import to_yaml
from truewind.exchange.faults import FaultConfig
from truewind.features.base import REGISTRY
from truewind.risk.gate import RULES, RiskSettings

if TYPE_CHECKING:
    from truewind.exchange import LocalExchange

DOCS = REPOSITORY / "docs"
SHOWN = {"bash", "console", "python", "yaml"}
FAILS_BY_DESIGN = {"validate": 6}  # the demo's market has nothing to be found


@pytest.fixture(scope="session")
def after_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like that of a fresh clone after `make demo`: configs, examples, a lake and a run."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("configs", "examples"):
        shutil.copytree(REPOSITORY / name, folder / name)
    with pytest.MonkeyPatch.context() as patch:
        go_there(patch, folder)
        assert cli.main(["demo"]) == 0
    return folder


def go_there(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """As a newcomer: no setting of truewind in the environment but the kernel cache."""
    for name in os.environ:
        if name.startswith("TRUEWIND_") and name not in ("TRUEWIND_KERNELS", "TRUEWIND_CACHE"):
            patch.delenv(name)
    patch.chdir(folder)


@pytest.fixture(scope="session")
def venue(start_exchange: Any) -> "Iterator[LocalExchange]":
    """Stands in for Binance: three days up to now, six hundred times as fast."""
    with start_exchange(limits=False, speed=600.0, synthetic={"symbols": ("BTCUSDT", "ETHUSDT"), "days": 3}) as running:
        yield running


class Shell:
    """Runs the blocks of one page, each where the one before left off."""

    def __init__(self, folder: Path, network: str, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.network, self.capture = folder, network, capture
        self.names: dict[str, Any] = {}

    def run(self, block: Block) -> str:
        """What it printed. Raises AssertionError where it fails."""
        self.capture.readouterr()
        match block.language:
            case "python":
                code = compile(block.code, block.where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                if code.co_flags & inspect.CO_COROUTINE:
                    asyncio.run(eval(code, self.names))
                else:
                    exec(code, self.names)
            case "yaml":
                self._settings(block)
            case _:
                for command in commands(block):
                    self._command(command, block)
        return self.capture.readouterr().out

    def _command(self, command: Command, block: Block) -> None:
        words = [self._replaced(word) for word in command.words]
        match words[0]:
            case "export":
                name, _, value = words[1].partition("=")
                os.environ[name] = value
            case "pytest":
                quiet = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words[1:]]
                subprocess.run(quiet, check=True, stdout=subprocess.DEVNULL)
            case "truewind" if command.behind or words[1] == "exchange":
                parse(words[1:])  # `venue` is there in its place
            case "truewind":
                self._truewind(words[1:], block)
            case _:
                raise AssertionError(f"{block.where} calls {words[0]}, which the test does not know")

    def _truewind(self, words: list[str], block: Block) -> None:
        known = options_of(command_of(words)[0])
        words = words + [word for word, wanted in _with_values(block.added) if wanted in known]
        for word in words:
            if word.endswith(".yaml") and word.startswith("configs/"):
                self._stand_in(self.folder / word)
        code = cli.main(words)
        told = self.capture.readouterr()
        expected = FAILS_BY_DESIGN.get(words[0], 0)
        assert code == expected, f"{block.where}: truewind {shlex.join(words)} ended with {code}\n{told.out}{told.err}"

    def _replaced(self, word: str) -> str:
        runs = sorted(path.name for path in (self.folder / "runs").iterdir() if (path / "run.json").exists())
        stands_for = {"RUN": runs[0], "RUN…": runs[-1]}
        return stands_for.get(word, word.replace("http://127.0.0.1:9100", self.network))

    def _stand_in(self, config: Path) -> None:
        """Bars that a config runs on and nobody has recorded, and the config over the days that there are of them."""
        settings = load_config(config)
        if settings.data.venue != "synthetic":
            config.write_text(to_yaml(stand_in(settings, self.folder / "data")[0]))

    def _settings(self, block: Block) -> None:
        """A whole config, a part of one, or the faults of an exchange; a first line that names a file makes it."""
        said = yaml.safe_load(block.code)
        if file := re.match(r"# (\S+\.yaml)\n", block.code):
            (self.folder / file[1]).write_text(block.code)
        if set(said) <= set(FaultConfig.model_fields):
            as_settings(FaultConfig, said, block.where)
            return
        whole = yaml.safe_load((REPOSITORY / "configs" / "demo.yaml").read_text())
        whole = {key: value for key, value in whole.items() if key != "strategy" or "strategies" not in said}
        load_config({**whole, **said})


def _with_values(added: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every word with the option that it belongs to."""
    option = ""
    for word in added:
        option = word if word.startswith("--") else option
        yield word, option


@pytest.fixture
def shell(
    after_demo: Path, venue: "LocalExchange", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> Iterator[Shell]:
    """In a copy of the folder, with the address of the venue in the environment."""
    folder = shutil.copytree(after_demo, tmp_path / "clone")
    go_there(monkeypatch, folder)
    monkeypatch.setenv("TRUEWIND_NETWORK", venue.network)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    yield Shell(folder, venue.network, capfd)
    remove_all()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_what_a_page_shows_runs(page: Path, shell: Shell) -> None:
    """Its blocks in their order; a `text` block behind one of Python is what that printed."""
    printed = ""
    for block in blocks(page):
        if block.language == "text":
            assert printed == block.code, f"{block.where} shows something else"
        elif block.language in SHOWN and not block.not_run:
            printed = shell.run(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_that_are_not_run_exist(page: Path) -> None:
    """Those of blocks that say why, with options and values; Python there is compiled, and its imports are made."""
    for block in blocks(page):
        if not block.not_run:
            continue
        if block.language == "python":
            tree = ast.parse(block.code)
            imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            exec(compile(ast.Module(imports, []), block.where, "exec"), {})
            continue
        for words, _ in commands(block):
            if words[0] == "truewind":
                parse(words[1:])
            elif words[0] == "make":
                assert re.search(rf"^{words[1]}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE), block.where


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_in_sentences_exist(page: Path) -> None:
    """Every `truewind …` between backticks is a command that is there, with options that it has; configs are there."""
    for span in spans(page):
        if span.startswith("truewind ") and not span.startswith("truewind -"):
            command, given = command_of(span.removeprefix("truewind ").split())
            unknown = {word for word in given if word.startswith("--")} - options_of(command)
            assert not unknown, f"{page.name}: {span}"
        for config in re.findall(r"\bconfigs/[a-z\d/-]+\.yaml", span):
            assert (REPOSITORY / config).exists(), f"{page.name}: {span}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_in_sentences_can_be_imported(page: Path) -> None:
    """Every `truewind.module.name` between backticks is there."""
    for span in spans(page):
        if match := re.match(r"truewind(?:\.(?!db\b)\w+)+", span):
            found: Any = importlib.import_module("truewind")
            for name in match[0].split(".")[1:]:
                if not hasattr(found, name):
                    importlib.import_module(f"{found.__name__}.{name}")
                found = getattr(found, name)


def test_anchors_of_links_are_headings() -> None:
    """Every link to a place in a page, its own or another's, names a heading there."""
    headings = {
        page: {slug(title) for title in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)} for page in PAGES
    }
    dead = [
        f"{page.name}: {link}#{anchor}"
        for page in PAGES
        for link, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
        if anchor not in headings.get((page.parent / link).resolve() if link else page, set())
    ]
    assert dead == []


def slug(title: str) -> str:
    """What a heading is called in links to it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_tests_that_pages_name_are_there() -> None:
    """Every `tests/…/test_x.py::test_y` of a page: what promises are held to cannot vanish from under it."""
    for page in PAGES:
        for span in spans(page):
            file, _, name = span.partition("::")
            if re.fullmatch(r"tests/[\w/]+\.py", file):
                assert (REPOSITORY / file).exists(), f"{page.name}: {span}"
                assert not name or f"def {name}(" in (REPOSITORY / file).read_text(), f"{page.name}: {span}"


def test_ratios_of_the_readme_are_measured() -> None:
    """Each is within 1.5× of the one in docs/performance.md, below which differences are noise by that page itself."""
    measured, work = {}, ""
    for line in (DOCS / "performance.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        ratios = re.findall(r"\*\*([\d.]+)×\*\*", line)
        if line.startswith("| ") and ratios:
            work = cells[1] or work
            peer = next(cell.split()[0] for cell in cells[2:] if re.match(r"[a-z_.-]+ [\d.]+$", cell))
            measured[work, peer] = float(ratios[0])
    table = (
        (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("| work | beside |")[2].partition("\n\n")[0]
    )
    told = re.findall(r"^\| ([^|]+) \| ([\w.]+) \| ([\d.]+)× \|$", table, re.MULTILINE)
    assert len(told) == len(table.splitlines()) - 2
    for work, peer, ratio in told:
        assert 1 / 1.5 < float(ratio) / measured[work, peer] < 1.5, (work, peer)


def test_blocks_say_what_they_are() -> None:
    """A block without a language holds no command, and no page's commands escape the tests by their fence."""
    for page in PAGES:
        for block in blocks(page):
            assert block.language in {*SHOWN, "", "text"}, block.where
            assert block.language or not re.search(r"^\$? ?(truewind|make|pip) ", block.code, re.MULTILINE), block.where
        assert not re.search(r"^ {4,}\$? ?truewind ", page.read_text(encoding="utf-8"), re.MULTILINE), page.name


def module(name: str) -> Any:
    """One of the programs in docs/."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_the_page_of_features_is_that_of_the_docstrings() -> None:
    """`make docs` would write the page that is there, and every feature has its picture."""
    maker = module("make_features")
    assert (DOCS / "features.md").read_text(encoding="utf-8") == maker.page(), "run make docs"
    assert {path.stem for path in (DOCS / "features").glob("*.svg")} == set(REGISTRY)


def test_the_drawing_of_the_architecture_is_that_of_the_contracts() -> None:
    """`make docs` would draw the picture that is there: all floors and rooms of pyproject.toml, the way of a bar."""
    maker = module("make_architecture")
    assert (DOCS / "architecture.svg").read_text(encoding="utf-8") == maker.picture(), "run make docs"
    floors, deciding = maker.contracts()
    rooms = {path.stem for path in (REPOSITORY / "src" / "truewind").iterdir() if path.stem[0] != "_"} - {"py"}
    assert {room for floor in floors for room in floor} == rooms
    assert deciding < rooms


def test_the_table_of_risk_rules_is_that_of_the_code() -> None:
    """Every rule in its order, with its setting, default, text and reason."""
    defaults = RiskSettings()

    def setting(name: str) -> str:
        value = getattr(defaults, name) if name else None
        shown = "off" if value is None or value is False else f"{value:g}" if isinstance(value, float | int) else value
        return f"`{name}`: {shown}" if name else "always on"

    rows = [f"| {rule.part} | {setting(rule.setting)} | {rule.text} | {rule.reason.name} |" for rule in RULES]
    table = [line for line in (DOCS / "risk.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert table[1:] == rows


def test_the_page_on_strategies_has_all_of_them() -> None:
    """Every config in configs/strategies has a row and a picture, every strategy that one of them runs a section."""
    page = (DOCS / "strategies.md").read_text()
    for config in (DOCS.parent / "configs" / "strategies").glob("*.yaml"):
        assert f"| [{config.stem}](#" in page
        assert f"](strategies/{config.stem}.svg)" in page
        settings = yaml.safe_load(config.read_text())["strategy"]
        if "path" in settings:
            assert f"\n## {settings['path'].replace('_', '-')}\n" in page
