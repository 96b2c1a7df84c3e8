"""Advice: what to do next, and what this report cannot know, by rules that look at a run's figures.

A rule is a function of the report that gives a sentence or None. Each names the figure that it goes by, so that a
reader can judge the judgement.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import yaml

from truewind.analytics import luck
from truewind.analytics.daily import daily, market
from truewind.analytics.figures import money, percent, span
from truewind.analytics.report import Report
from truewind.analytics.summary import PAYMENTS
from truewind.numerics import performance

FEW_TRADES = 30  # below this a win rate is known to about ±18 points at best
SHORT_DAYS = 365.0
FEW_DAYS = 30  # below which a correlation says nothing
DRAWDOWN_LIMIT = 0.20
ENOUGH = 0.95  # chance of being better than luck
TOO_GOOD = 3.0  # a Sharpe ratio that hardly anybody has for long
LIKE_THE_MARKET = 0.7  # correlation of daily returns

Rule = Callable[["Facts"], str | None]


class Facts(NamedTuple):
    """What the rules look at: the report, its summary, and the results of closed trades from the first on."""

    report: Report
    summary: Mapping[str, Any]
    config: Mapping[str, Any]
    pnl: performance.Floats


def facts(report: Report) -> Facts:
    """Gather them. A config that cannot be read is taken to say nothing."""
    try:
        config = yaml.safe_load(report.config_yaml)
    except yaml.YAMLError:
        config = None
    closed = report.trades.filter(~pl.col("open"))["net_pnl"].cast(pl.Float64).drop_nulls().drop_nans().to_numpy()
    return Facts(report, report.summary, config if isinstance(config, dict) else {}, closed)


def next_steps(report: Report) -> list[str]:
    """What to do next, the gravest first."""
    known = facts(report)
    return [said for rule in _STEPS if (said := rule(known))]


def limitations(report: Report) -> list[str]:
    """What this report cannot know."""
    known = facts(report)
    return [said for rule in _LIMITS if (said := rule(known))]


# --- what to do next ---


def _ruined(known: Facts) -> str | None:
    final, liquidated = known.summary["final_equity"], (known.report.fills["kind"] == "liquidation").sum()
    if final is not None and final <= 0:
        return "The account was lost: risk less on a trade, or use less leverage, before anything else is judged."
    if liquidated:
        return f"The venue liquidated positions ({liquidated:,} fills): use less leverage, or stops that act sooner."
    return None


def _never_traded(known: Facts) -> str | None:
    if known.summary["fills"]:
        return None
    if known.summary["orders"]:
        return (
            f"{known.summary['orders']:,} orders were made and none was filled: see the warnings for refusals, and "
            "whether limits lie where the price never went."
        )
    return (
        "Nothing was ordered: see whether the strategy's conditions are ever met, whether its features need more "
        "history than there is, and whether the account pays for the smallest order."
    )


def _few_trades(known: Facts) -> str | None:
    count = known.summary["trades"]
    if not known.summary["fills"] or count >= FEW_TRADES:
        return None
    return (
        f"{count:,} closed {'trade tells' if count == 1 else 'trades tell'} little: run over a longer time or more "
        f"symbols until there are {FEW_TRADES} at least."
    )


def _costs(known: Facts) -> str | None:
    summary = known.summary
    if summary["final_equity"] is None or not summary["fills"]:
        return None
    net = summary["final_equity"] - summary["initial_equity"]
    received = sum(summary.get(name, 0.0) for name in PAYMENTS.values())
    before = net + summary["fees"] + summary["slippage"] - received
    if net <= 0 < before:
        return (
            f"Before costs it made {money(before)}, after them it lost {money(-net)}: trade less often, hold "
            "longer, or rest orders instead of crossing the spread."
        )
    if before > 0 and net < 0.5 * before:
        return (
            f"Costs took {percent(1 - net / before, 0)} of what was made before them: an edge so thin is gone "
            "when costs are a little higher than assumed."
        )
    if before <= 0:
        return "It lost even before costs: cheaper trading would not save it, the idea itself has to change."
    return None


def _drawdown(known: Facts) -> str | None:
    depth = known.summary["max_drawdown"]
    if depth is None or not DRAWDOWN_LIMIT < depth < 1:
        return None
    return (
        f"The deepest fall, {percent(depth, 0)}, is beyond the limit of {percent(DRAWDOWN_LIMIT, 0)}: sized to "
        f"{percent(DRAWDOWN_LIMIT / depth, 0)} of these positions it would have kept about within it."
    )


def _one_trade(known: Facts) -> str | None:
    if len(known.pnl) < 5:
        return None
    total, best = float(known.pnl.sum()), float(known.pnl.max())
    if total <= 0 or best < 0.5 * total:
        return None
    rest = total - best
    return (
        f"One trade made {percent(best / total, 0)} of the result; without it the others "
        f"{'made' if rest >= 0 else 'lost'} {money(abs(rest))}. Do not count on the next one."
    )


def _one_symbol(known: Facts) -> str | None:
    by_symbol = known.report.trades.group_by("symbol", maintain_order=True).agg(pl.col("net_pnl").sum())
    total = float(by_symbol["net_pnl"].fill_nan(0.0).sum())
    if by_symbol.height < 3 or total <= 0:
        return None
    symbol, made = by_symbol.sort("net_pnl", descending=True).row(0)
    if made < 0.8 * total:
        return None
    others = total - made
    return (
        f"{symbol} made {money(made)} of {money(total)}; the other {by_symbol.height - 1} symbols together "
        f"{'made' if others >= 0 else 'lost'} {money(abs(others))}: test whether the idea holds without it."
    )


def _the_market(known: Facts) -> str | None:
    held = known.summary["benchmark_return"]
    if not held or held <= 0 or not known.summary["fills"]:
        return None
    both = _daily(known)
    if both is None:
        return None
    own, moved = both
    likeness = float(np.corrcoef(own, moved)[0, 1])
    sides = known.report.trades["side"]
    if likeness < LIKE_THE_MARKET or (sides < 0).any():
        return None
    beta = float(np.cov(own, moved)[0, 1] / np.var(moved, ddof=1))
    return (
        f"It was only ever long while the market rose by {percent(held, 0)}, and moved with it "
        f"(correlation {likeness:.2f}, beta {beta:.2f}): most of this is the market's own return, "
        "which holding gives without trading."
    )


def _daily(known: Facts) -> tuple[performance.Floats, performance.Floats] | None:
    """Daily returns of the run and of its benchmark on common days; None where too few are defined, or one stands."""
    own, held = daily(known.report), market(known.report)
    _, left, right = np.intersect1d(own.days, held.days, return_indices=True)
    both = own.returns[left], held.returns[right]
    if len(left) < FEW_DAYS or min(np.ptp(both[0]), np.ptp(both[1])) < 1e-12:
        return None
    return both


def _worse_than_holding(known: Facts) -> str | None:
    made, held = known.summary["net_return"], known.summary["benchmark_return"]
    if made is None or held is None or not known.summary["fills"] or made >= held or held <= 0:
        return None
    return (
        f"Holding made {percent(held)}, this {percent(made)}: it is worth its trouble only if a smaller fall "
        "or another use of the capital is."
    )


def _open_result(known: Facts) -> str | None:
    summary = known.summary
    if summary["final_equity"] is None or not summary["open_trades"]:
        return None
    total = summary["final_equity"] - summary["initial_equity"]
    still = float(known.report.trades.filter(pl.col("open"))["net_pnl"].fill_nan(0.0).sum())
    if total <= 0 or still < 0.3 * total:
        return None
    return (
        f"{percent(still / total, 0)} of the result is in {summary['open_trades']:,} positions that were not "
        "closed: it is not earned yet."
    )


def _no_stops(known: Facts) -> str | None:
    if known.summary["trades"] < FEW_TRADES or known.summary["average_r"] is not None:
        return None
    return "No trade had a protective stop: one gap can cost more than any fall in this report."


def _too_good(known: Facts) -> str | None:
    ratio = known.summary["sharpe"]
    if ratio is None or ratio < TOO_GOOD or known.summary["days"] < 90:
        return None
    return (
        f"A Sharpe ratio of {ratio:.1f} is rarely real: look for knowledge of the future (`truewind lookahead`), "
        "faulty prices, and fills that nobody would have given."
    )


def _luck(known: Facts) -> str | None:
    found = luck.assess(known.report)
    beside = found.crowd
    if beside is None or not found.deflated < ENOUGH or found.moments.sharpe <= 0:
        return None
    if beside.tried < 2:
        return (
            f"Even as the only one that was tried, it beats zero with a chance of {luck.percent(found.probabilistic)} "
            f"only: it needs a longer record ({_record(found)})."
        )
    return (
        f"It does not stand out from the {beside.tried:,} variants tried (chance of being better than luck: "
        f"{luck.percent(found.deflated)}): more variants would make that worse; what helps is data that none of "
        f"them has seen ({_record(found)})."
    )


def _record(found: luck.Luck) -> str:
    if not np.isfinite(found.needed_days):
        return "paper trading gives it"
    return f"{found.needed_days:,.0f} days would do for such a Sharpe ratio alone, {found.moments.periods:,} are there"


def _validate(known: Facts) -> str | None:
    if known.summary["net_return"] is None or known.summary["net_return"] <= 0:
        return None
    if getattr(known.report, "validation", None) is not None:
        return None
    return (
        "It has not been validated: `truewind validate` tries its neighbours, other divisions of time and harder "
        "costs, and judges it by the gate."
    )


_STEPS: tuple[Rule, ...] = (
    *(_ruined, _never_traded, _few_trades, _too_good, _luck, _costs, _drawdown, _one_trade, _one_symbol, _open_result),
    *(_the_market, _worse_than_holding, _no_stops, _validate),
)


# --- what it cannot know ---


def _one_history(known: Facts) -> str:
    days = known.summary["days"]
    if days < SHORT_DAYS:
        return f"{span(days)} are less than a year, and likely one kind of market only; others may treat it worse."
    return "There is one history, and this is one path through it; others were as possible."


def _chosen_by_hand(known: Facts) -> str | None:
    data = known.config.get("data")
    if not isinstance(data, dict) or data.get("universe") or not data.get("symbols"):
        return None
    count = len(data["symbols"])
    which = "The symbol was" if count == 1 else f"The {count:,} symbols were"
    return (
        f"{which} chosen by hand, and today: those that have vanished meanwhile are not among them, which flatters a "
        "result (`data.universe` chooses by what was known then)."
    )


def _counted(known: Facts, part: str, sentence: str) -> str | None:
    symbols = sorted({said.partition(":")[0] for said in known.report.warnings if part in said})
    if not symbols:
        return None
    named = ", ".join(symbols[:6]) + (f" and {len(symbols) - 6} more" if len(symbols) > 6 else "")
    return sentence.format(named)


def _funding(known: Facts) -> str | None:
    return _counted(
        known, "no funding rates", "Funding was not charged for all of the time ({}): holders of longs mostly pay it."
    )


def _inferred(known: Facts) -> str | None:
    return _counted(
        known,
        "were inferred from the data",
        "Tick and lot sizes were inferred from the data ({}): the venue's own may refuse orders that were filled here.",
    )


def _inside_bars(known: Facts) -> str | None:
    data = known.config.get("data")
    if not isinstance(data, dict) or data.get("kind", "bars") != "bars":
        return (
            "Our orders do not move the recorded market: results hold for sizes that are small beside what it trades."
        )
    return (
        "Inside a bar the order of prices is not known; where it matters the worse is taken. Our orders move the price "
        "by the stated impact only: results hold for sizes that are small beside what the market trades."
    )


_LIMITS: tuple[Rule, ...] = (_one_history, _chosen_by_hand, _funding, _inferred, _inside_bars)
