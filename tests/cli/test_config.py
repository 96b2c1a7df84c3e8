"""`truewind config show`: what is in force, without secrets."""

from pathlib import Path
from typing import Any

import pytest
import yaml


def test_defaults_are_shown(run: Any) -> None:
    """Without anything set: the documented defaults, as YAML and as JSON."""
    expected = {
        "lake": "data", "runs": "runs", "database": "truewind.db", "state": "state", "logs": "logs",
        "log_level": "INFO", "network": "mainnet",
    }  # fmt: skip
    assert run("config", "show", "--json").json == {"settings": expected}
    assert yaml.safe_load(run("config", "show").out) == {"settings": expected}


def test_a_config_is_shown_with_defaults_and_overrides(run: Any, config: Path) -> None:
    """What was not written is filled in; --set is applied."""
    shown = run("config", "show", config, "--set", "account.cash=77", "--json").json["config"]
    assert shown["account"]["cash"] == 77
    assert shown["account"]["currency"] == "USDT"
    assert shown["data"]["symbols"] == ["BTCUSDT", "ETHUSDT"]


def test_secrets_are_hidden(run: Any, config: Path) -> None:
    """A strategy's parameter whose name speaks of a secret is shown as stars."""
    done = run("config", "show", config, "--set", "strategy.params.api_secret=Zq9Zq9", "--json")
    assert done.json["config"]["strategy"]["params"]["api_secret"] == "**********"
    assert "Zq9Zq9" not in done.out + done.err


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("TRUEWIND_LAEK=x", "Did you mean 'TRUEWIND_LAKE'?"),
        ("TRUEWIND_CACHE=x", "Set it in the environment"),
        ("TRUEWIND_LOG_LEVEL=loud", "Known: DEBUG"),
    ],
)
def test_a_misspelt_setting_is_an_error(run: Any, home: Path, line: str, remedy: str) -> None:
    """An unknown name or value in .env is told with what would be right."""
    (home / ".env").write_text(f"OTHER_PROGRAM=1\n{line}\n")
    done = run("config", "show", "--json")
    assert done.code == 2
    assert remedy in done.json["error"]["remedy"]


def test_the_example_lists_every_setting(run: Any) -> None:
    """.env.example names exactly what is read, with the true defaults."""
    from truewind.cli.settings import AppSettings, known_names

    text = (Path(__file__).resolve().parents[2] / ".env.example").read_text()
    named = {name for name in known_names() if name in text}
    assert named == set(known_names())
    given = dict(line.removeprefix("#").split("=") for line in text.splitlines() if line.startswith("#TRUEWIND_"))
    defaults = {f"TRUEWIND_{name.upper()}": str(value) for name, value in AppSettings().model_dump().items()}
    assert given == defaults
