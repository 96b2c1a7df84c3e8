"""`truewind risk`: the rules that orders pass, and the breakers that only a person releases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from truewind.cli.options import Json

if TYPE_CHECKING:
    from truewind.storage.latches import Latch, LatchBook

app = typer.Typer(
    name="risk", help="Risk rules, breakers that have tripped, and the kill switch.", no_args_is_help=True
)
Account = Annotated[str, typer.Option(metavar="NAME", help="Name of the account (account.name of a backtest's YAML).")]
Reason = Annotated[str, typer.Option(help="Why, for whoever reads it later.")]
KILL, SYMBOL_KILL = "kill_switch", "symbol_killed"


@app.command(epilog="Example: truewind risk rules configs/paper.yaml")
def rules(
    config: Annotated[Path | None, typer.Argument(help="A backtest's YAML; without it, the defaults.")] = None,
    json: Json = False,
) -> None:
    """List the rules that every order passes, in their order, with what they are set to."""
    from truewind.backtest.settings import load_config
    from truewind.cli.output import print_json, print_table
    from truewind.risk.gate import RULES, RiskSettings

    chosen = RiskSettings() if config is None else load_config(config).risk
    found = []
    for number, rule in enumerate(RULES, 1):
        value = getattr(chosen, rule.setting) if rule.setting else None
        off = rule.setting != "" and (value is None or value is False or (rule.setting == "max_drawdown" and not value))
        found.append(
            {
                "number": number,
                "rule": rule.reason.name.lower(),
                "part": rule.part,
                "setting": rule.setting,
                "value": value,
                "on": not off,
                "demands": rule.text,
            }
        )
    if json:
        print_json({"rules": found, "settings": chosen.model_dump(mode="json")})
        return
    rows = [(one["number"], one["part"], one["rule"], one["setting"], _value(one), one["demands"]) for one in found]
    print_table([">", "part", "reason of a denial", "risk.…", ">set to", "demands"], rows)


def _value(one: dict[str, Any]) -> Any:
    if not one["on"]:
        return "off"
    return one["value"] if one["setting"] else "always"


@app.command(epilog="Example: truewind risk show")
def show(account: Account = "main", json: Json = False) -> None:
    """Show which breakers of an account have tripped, since when and why."""
    import msgspec

    from truewind.cli.output import console, print_json, print_table
    from truewind.domain.clock import iso

    book = _book(account)
    found = book.read()
    if json:
        print_json({"account": account, "file": book.path, **msgspec.to_builtins(found)})
        return
    if not found.latches:
        console().print(f"No breaker of account {account} has tripped.", markup=False)
        return
    print_table(
        ["breaker", "symbol", "since (UTC)", ">came to", ">limit", "by", "why"],
        [
            (one.rule, one.symbol or "all", iso(one.ts), *_measured(one), one.who, one.why or None)
            for one in found.latches
        ],
    )
    console().print("Nothing is opened until it is released: truewind risk release BREAKER", markup=False)


@app.command(epilog="Example: truewind risk kill BTCUSDT --reason 'the venue reports wrong prices'")
def kill(
    symbol: Annotated[str | None, typer.Argument(help="A symbol; without it, everything.")] = None,
    reason: Reason = "",
    account: Account = "main",
    json: Json = False,
) -> None:
    """Throw the kill switch: running sessions withdraw all orders and close what they hold (risk.on_kill).

    Nothing is opened any more, in sessions to come neither, until it is released.
    """
    from truewind.cli.output import console, print_json
    from truewind.domain.clock import WallClock
    from truewind.storage.latches import Latch

    book = _book(account)
    one = Latch(SYMBOL_KILL if symbol else KILL, symbol or "", WallClock().now_us(), who=_person(), why=reason)
    book.trip(one)
    if json:
        print_json({"account": account, "tripped": one.rule, "symbol": one.symbol, "file": book.path})
        return
    what = symbol or f"account {account}"
    console().print(
        f"Kill switch of {what} thrown. It holds until: truewind risk release {symbol or 'kill'}", markup=False
    )


@app.command(epilog="Example: truewind risk release drawdown --reason 'cut the position size by half'")
def release(
    what: Annotated[str, typer.Argument(help="drawdown, daily_loss, losing_streak, kill, a killed symbol, or all.")],
    reason: Reason = "",
    account: Account = "main",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Release a breaker that has tripped: orders may open again, and what it watches counts from now on."""
    from truewind.cli.output import console, print_json
    from truewind.domain.clock import WallClock
    from truewind.storage.latches import described

    book = _book(account)
    chosen = _chosen(book, what)
    if not yes:
        words = "; ".join(described(one) for one in chosen)
        typer.confirm(f"Release {words}?", abort=True, err=True)
    for one in chosen:
        book.release(one.rule, one.symbol, WallClock().now_us(), _person(), reason)
    if json:
        print_json({"account": account, "released": [{"rule": one.rule, "symbol": one.symbol} for one in chosen]})
        return
    for one in chosen:
        console().print(f"Released: {described(one)}", markup=False)


def _book(account: str) -> "LatchBook":
    from truewind.cli import settings
    from truewind.storage.latches import LatchBook

    return LatchBook(settings.load().state, account)


def _chosen(book: "LatchBook", what: str) -> "list[Latch]":
    """The latches that `what` names. Raises ConfigError if there is none."""
    from truewind.errors import ConfigError

    latched = book.read().latches
    name = what.lower().replace("-", "_")
    rule = KILL if name == "kill" else name
    found = [one for one in latched if name == "all" or one.symbol == what or (one.rule == rule and not one.symbol)]
    if not found:
        names = ", ".join(one.symbol or one.rule for one in latched) or "nothing"
        raise ConfigError(f"'{what}' has not tripped", remedy=f"Tripped has: {names}. See: truewind risk show")
    return found


def _measured(one: "Latch") -> tuple[Any, Any]:
    """What a breaker came to and what it was held to, as people read it."""
    if one.rule in (KILL, SYMBOL_KILL):
        return None, None
    if one.rule == "losing_streak":
        return int(one.value), int(one.limit)
    return f"{one.value:.2%}", f"{one.limit:.2%}"


def _person() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user whom the system does not know
        return "unknown"
