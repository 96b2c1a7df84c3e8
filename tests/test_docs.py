"""What is generated is what the code says now."""

import importlib.util
from pathlib import Path

import yaml

from truewind.features.base import REGISTRY
from truewind.risk.gate import RULES, RiskSettings

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_of_features_is_that_of_the_docstrings() -> None:
    """`make docs` would write the page that is there, and every feature has its picture."""
    spec = importlib.util.spec_from_file_location("make_features", DOCS / "make_features.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert (DOCS / "features.md").read_text(encoding="utf-8") == maker.page(), "run make docs"
    assert {path.stem for path in (DOCS / "features").glob("*.svg")} == set(REGISTRY)


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
