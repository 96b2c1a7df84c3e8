"""What is generated is what the code says now."""

import importlib.util
from pathlib import Path

from truewind.features.base import REGISTRY

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
