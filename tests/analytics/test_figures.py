"""Figures as people read them."""

from pathlib import Path

import pytest

from truewind.analytics import figures


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("net_return", -0.123456, "-12.35 %"),
        ("net_return", -0.000001, "0.00 %"),
        ("net_return", 123.4, "12,340 %"),
        ("sharpe", 1.2345, "1.23"),
        ("sharpe", None, "–"),
        ("trades", 12345, "12,345"),
        ("final_equity", 1234567.891, "1,234,567.89"),
        ("final_equity", -0.001, "-0.001"),
        ("max_drawdown_days", 12.34, "12.3 days"),
        ("average_holding_hours", 5.0, "5.0 h"),
        ("average_holding_hours", 0.05, "3.0 min"),
        ("average_holding_hours", 0.001, "3.6 s"),
        ("average_holding_hours", 50.0, "50.0 h"),
        ("max_drawdown_days", 0.25, "6.0 h"),
        ("max_drawdown_days", 0.0, "0.0 days"),
        ("turnover", 20.04, "20.0×"),
        ("start", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
    ],
)
def test_a_figure_is_written_with_its_unit(name, value, text):
    assert figures.show(name, value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(43210.5, "43,210.50"), (0.0731250, "0.0731250"), (1.5, "1.50000"), (0.0, "0"), (-12.5, "-12.5000")],
)
def test_a_price_keeps_six_significant_digits(value, text):
    assert figures.price(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.125, "0.125"), (1500.0, "1,500"), (0.1 + 0.2, "0.3")])
def test_a_quantity_has_no_needless_decimals(value, text):
    assert figures.quantity(value) == text


def test_every_figure_stands_in_the_documentation():
    """With its name and what it means."""
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    for figure in figures.FIGURES.values():
        assert f"| {figure.label} | `{figure.name}` | {figure.meaning} |" in page
