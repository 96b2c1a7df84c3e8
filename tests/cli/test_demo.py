"""`truewind demo`: the whole path in a process of its own."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from truewind.cli.demo import CONFIG

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_demo_runs_from_an_empty_folder(demo: Any) -> None:
    """No file is needed: it makes a market, trades on it, writes the report; stdout is one JSON object."""
    home, done = demo
    assert done.code == 0, done.err
    found = done.json
    assert found["trades"] > 0
    page = (home / found["report"]).read_text()
    assert page.lower().startswith("<!doctype html")
    assert found["data_snapshot"] in page
    assert "Traceback" not in done.err
    assert {path.name for path in (home / "data" / "raw" / "bars").iterdir()} == {"venue=synthetic"}


def test_the_packaged_config_is_the_one_in_the_repository() -> None:
    """What `truewind demo` runs is what configs/demo.yaml shows."""
    assert CONFIG.read_text() == (REPOSITORY / "configs" / "demo.yaml").read_text()


def test_the_code_of_the_readme_runs(demo: Any) -> None:
    """The README's Python, as it stands, works on what the demo leaves; the stream ends on the table's last row."""
    home, _ = demo
    shutil.copytree(REPOSITORY / "configs", home / "configs")
    code = "\n".join(re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL))
    code += "\nassert len(bars) > 5000 and list(row) == list(table.row(-1)[2:]), (row, table.row(-1))"
    done = subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "shape:" in done.stdout


@pytest.mark.parametrize("config", sorted((REPOSITORY / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configs_are_valid(run: Any, config: Path) -> None:
    """Every file in configs/ is understood as it stands."""
    shown = run("config", "show", config, "--json")
    assert shown.code == 0, shown.out
