"""`truewind risk`: what people see of rules and breakers, and what they do to them."""

import json

from truewind.risk.gate import RULES
from truewind.storage.latches import Latch, LatchBook


def test_rules_in_their_order_with_what_a_config_sets(run, config):
    config.write_text(
        config.read_text() + "risk: {max_daily_loss: 0.02, on_daily_loss: flatten, cooldown_minutes: null}\n"
    )
    found = run("risk", "rules", config, "--json").json
    rules = {one["rule"]: one for one in found["rules"]}
    assert [one["rule"] for one in found["rules"]] == [rule.reason.name.lower() for rule in RULES]
    assert (rules["daily_loss"]["value"], rules["daily_loss"]["on"]) == (0.02, True)
    assert not rules["cooldown"]["on"]
    assert found["settings"]["on_daily_loss"] == "flatten"
    shown = run("risk", "rules")
    assert shown.code == 0
    assert "minutes between two entries" in shown.out


def test_kill_show_release(run, home):
    """A symbol's switch and the account's are two; releasing asks, and is refused for what has not tripped."""
    assert run("risk", "show").out == "No breaker of account main has tripped.\n"
    assert run("risk", "kill", "BTCUSDT", "--reason", "wrong prices").code == 0
    done = run("risk", "kill", "--json").json
    assert (done["tripped"], done["symbol"]) == ("kill_switch", "")
    (first, second) = run("risk", "show", "--json").json["latches"]
    assert (first["symbol"], first["why"]) == ("BTCUSDT", "wrong prices")
    shown = run("risk", "show").out
    assert "BTCUSDT" in shown
    assert "wrong prices" in shown
    refused = run("risk", "release", "drawdown", "--yes")
    assert refused.code == 2
    assert "BTCUSDT, kill_switch" in refused.err
    assert run("risk", "release", "kill", "--yes", "--reason", "all is well").code == 0
    assert run("risk", "release", "BTCUSDT", "--yes", "--json").json["released"] == [
        {"rule": "symbol_killed", "symbol": "BTCUSDT"}
    ]
    history = json.loads((home / "state" / "risk-main.json").read_text())["content"]["history"]
    assert [(one["what"], one["latch"]["why"]) for one in history] == [
        ("tripped", "wrong prices"), ("tripped", ""), ("released", "all is well"), ("released", ""),
    ]  # fmt: skip
    assert run("risk", "show").out.startswith("No breaker")
    assert second["who"]


def test_nobody_at_the_keyboard_releases_nothing(shell, home):
    """Without an answer, and without --yes, what has tripped stays."""
    assert shell("risk", "kill").code == 0
    assert shell("risk", "release", "kill").code != 0
    assert len(LatchBook(home / "state", "main").read().latches) == 1


def test_accounts_are_apart_and_figures_are_readable(run, home):
    LatchBook(home / "state", "two").trip(
        Latch("daily_loss", "", 1_700_000_000_000_000, 0.0213, 0.02, "session", "keen")
    )
    shown = run("risk", "show", "--account", "two").out
    assert "2.13%" in shown
    assert "2023-11-14 22:13:20" in shown
    assert run("risk", "show").out.startswith("No breaker of account main")
    assert run("risk", "show", "--account", "../x").code == 2


def test_a_damaged_file_is_told_with_the_remedy(run, home):
    assert run("risk", "kill").code == 0
    path = home / "state" / "risk-main.json"
    path.write_text(path.read_text().replace("kill_switch", "all_is_well", 1))
    for command in (("show",), ("kill",), ("release", "all", "--yes")):
        done = run("risk", *command)
        assert done.code == 4, command
        assert "damaged" in done.err
        assert "remove the file" in done.err
