"""`truewind demo`: the whole path in a process of its own."""

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


@pytest.mark.parametrize("config", sorted((REPOSITORY / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configs_are_valid(run: Any, config: Path) -> None:
    """Every file in configs/ is understood as it stands."""
    shown = run("config", "show", config, "--json")
    assert shown.code == 0, shown.out
