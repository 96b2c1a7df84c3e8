"""Figures: what each number of a summary is called, what it means, and how it is written for people."""

import datetime as dt
import math
from typing import Any, Literal

import msgspec

# How a value is written; a fraction is shown as percent.
Kind = Literal[
    "fraction", "ratio", "money", "count", "days", "hours", "times", "text", "price", "quantity", "moment", "bps"
]


class Figure(msgspec.Struct, frozen=True):
    """One number of a summary."""

    name: str
    label: str
    kind: Kind
    meaning: str


FIGURES = {
    figure.name: figure
    for figure in (
        Figure("net_return", "Net return", "fraction", "Change of equity over the run, after all costs"),
        Figure("benchmark_return", "Buy and hold", "fraction", "The same money, bought at the start and held"),
        Figure("cagr", "CAGR", "fraction", "Compound annual growth by calendar time (365.25 days)"),
        Figure("volatility", "Volatility", "fraction", "Standard deviation of daily returns, annualised"),
        Figure("sharpe", "Sharpe", "ratio", "Mean over deviation of daily UTC returns, annualised, risk-free rate 0"),
        Figure("sortino", "Sortino", "ratio", "As Sharpe, over the downside deviation of all days (target 0)"),
        Figure("calmar", "Calmar", "ratio", "CAGR over the maximum drawdown"),
        Figure("max_drawdown", "Max drawdown", "fraction", "Deepest fall of equity below its highest so far"),
        Figure("max_drawdown_days", "Drawdown lasted", "days", "Peak to recovery of that fall, or to the end"),
        Figure("trades", "Trades", "count", "Closed round trips, from flat to flat"),
        Figure("open_trades", "Still open", "count", "Round trips open at the end, valued at the last price"),
        Figure("win_rate", "Win rate", "fraction", "Closed trades that made money after costs"),
        Figure("profit_factor", "Profit factor", "ratio", "Money won by winners over money lost by losers"),
        Figure("expectancy", "Expectancy", "money", "Mean result of a closed trade, after costs"),
        Figure("average_r", "Average R", "ratio", "Mean result over the risk at the first stop"),
        Figure("average_win", "Average win", "money", "Mean result of the winners"),
        Figure("average_loss", "Average loss", "money", "Mean result of the losers"),
        Figure("best_trade", "Best trade", "money", "Largest result of a closed trade"),
        Figure("worst_trade", "Worst trade", "money", "Smallest result of a closed trade"),
        Figure("average_holding_hours", "Average holding", "hours", "Mean time from first entry to flat"),
        Figure("exposure", "Exposure", "fraction", "Share of the time with a position"),
        Figure("turnover", "Turnover a year", "times", "Traded notional over mean equity, annualised"),
        Figure("orders", "Orders", "count", "Orders made, refused ones included"),
        Figure("fills", "Fills", "count", "Executions, liquidations included"),
        Figure("fees", "Fees", "money", "Commissions paid"),
        Figure("slippage", "Slippage", "money", "Lost to prices worse than quoted; already in the traded prices"),
        Figure("funding", "Funding", "money", "Funding received, less paid"),
        Figure("dividends", "Dividends", "money", "Dividends received, less paid on shorts"),
        Figure("borrow_fees", "Borrow fees", "money", "Paid (negative) for the shares that were sold short"),
        Figure("swaps", "Swaps", "money", "Interest received for holding overnight, less paid"),
        Figure("best_day", "Best day", "fraction", "Largest daily return"),
        Figure("worst_day", "Worst day", "fraction", "Smallest daily return"),
        Figure("winning_days", "Winning days", "fraction", "Share of days that gained"),
        Figure(
            "downside_deviation", "Downside deviation", "fraction", "Root of the mean squared loss of all days, a year"
        ),
        Figure("omega", "Omega", "ratio", "Sum of the gains of days over the sum of their losses"),
        Figure("gain_to_pain", "Gain to pain", "ratio", "Sum of monthly returns over the sum of losing months"),
        Figure("tail_ratio", "Tail ratio", "ratio", "The gain that 5 % of days exceed, over the loss that 5 % exceed"),
        Figure("common_sense", "Common sense ratio", "ratio", "Tail ratio times omega"),
        Figure("kelly", "Kelly leverage", "times", "Mean over variance of daily returns: what would compound fastest"),
        Figure(
            "stability", "Stability", "ratio", "R² of the straight line through the logarithm of equity, day by day"
        ),
        Figure("skew", "Skew", "ratio", "Of daily returns; below 0, large losses are more usual than large gains"),
        Figure("kurtosis", "Kurtosis", "ratio", "Of daily returns; of normal ones 3, above it extremes are more usual"),
        Figure("value_at_risk", "Value at risk", "fraction", "The loss that 5 % of days exceeded"),
        Figure("expected_shortfall", "Expected shortfall", "fraction", "Mean loss of the worst 5 % of days"),
        Figure(
            "normal_value_at_risk", "Value at risk, normal", "fraction", "If days were normal: same mean and deviation"
        ),
        Figure(
            "cornish_fisher_value_at_risk",
            "Value at risk, Cornish–Fisher",
            "fraction",
            "The normal one, bent by skew and kurtosis",
        ),
        Figure("ulcer", "Ulcer index", "fraction", "Root of the mean squared drawdown of days"),
        Figure("average_drawdown", "Average drawdown", "fraction", "Mean depth of all falls, by daily closes"),
        Figure("longest_drawdown_days", "Longest drawdown", "days", "From a peak until it was reached again, at most"),
        Figure("alpha", "Alpha", "fraction", "Mean return beyond beta times the benchmark's, a year"),
        Figure("beta", "Beta", "ratio", "How much it moved for a move of 1 of its benchmark"),
        Figure("correlation", "Correlation", "ratio", "Of daily returns with its benchmark's"),
        Figure("tracking_error", "Tracking error", "fraction", "Deviation of the difference to its benchmark, a year"),
        Figure(
            "information_ratio", "Information ratio", "ratio", "Mean difference to its benchmark over tracking error"
        ),
        Figure("up_capture", "Up capture", "fraction", "Its mean growth over its benchmark's, on days when that rose"),
        Figure(
            "down_capture", "Down capture", "fraction", "Its mean growth over its benchmark's, on days when that fell"
        ),
        Figure("loss_rate", "Loss rate", "fraction", "Closed trades that lost money after costs"),
        Figure("payoff", "Payoff ratio", "ratio", "Average win over average loss"),
        Figure(
            "kelly_of_trades",
            "Kelly fraction",
            "fraction",
            "Part of the money that win rate and payoff justify to stake",
        ),
        Figure(
            "median_r", "Median R", "ratio", "Half of the trades had a better result over the risk at the first stop"
        ),
        Figure(
            "system_quality",
            "System quality (SQN)",
            "ratio",
            "Root of the number of trades × mean R over its deviation",
        ),
        Figure("median_holding_hours", "Median holding", "hours", "Half of the trades were held longer"),
        Figure("winning_streak", "Winning streak", "count", "Most winners in a row"),
        Figure("losing_streak", "Losing streak", "count", "Most losers in a row"),
        Figure("long_trades", "Long trades", "count", "Closed round trips that were long"),
        Figure("short_trades", "Short trades", "count", "Closed round trips that were short"),
        Figure(
            "average_mae", "Average MAE", "fraction", "Mean of how far prices went against a trade while it was open"
        ),
        Figure("average_mfe", "Average MFE", "fraction", "Mean of how far prices went for a trade while it was open"),
        Figure("average_gross", "Average gross", "fraction", "Mean of all that was held over equity, over time"),
        Figure("average_net", "Average net", "fraction", "Mean of long less short over equity, over time"),
        Figure("max_gross", "Most gross", "fraction", "The most that was held over equity: the leverage that was used"),
        Figure("max_margin_use", "Most margin used", "fraction", "The most initial margin in use over equity"),
        Figure(
            "least_cushion",
            "Least cushion",
            "fraction",
            "The move against all that was held that equity would have borne, at its least; margin ends it sooner",
        ),
        Figure("initial_equity", "Initial equity", "money", "Cash at the start"),
        Figure("final_equity", "Final equity", "money", "Cash and open positions at the end"),
        Figure("start", "Start", "text", "First row of equity"),
        Figure("end", "End", "text", "Last row of equity"),
        Figure("days", "Days", "days", "Time from first to last row"),
        Figure("bars", "Bars", "count", "Rows of equity, one an event time"),
        Figure("days_per_year", "Days a year", "count", "Trading days by which daily figures are annualised"),
    )
}

NOT_DEFINED = "–"


def show(name: str, value: Any) -> str:
    """The figure called `name` as text: "-12.34 %", "1,234.50", "3.4 days"; a dash where it is not defined."""
    return written(FIGURES[name].kind, value)


def written(kind: str, value: Any) -> str:
    """`value` as text of one of the kinds of a Figure or of a Block; what is not defined (None, NaN) is a dash.

    A moment is a datetime, or int64 µs UTC, and is written to the minute.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOT_DEFINED
    if kind == "text":
        return str(value)
    if kind == "moment":
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromtimestamp(value // 1_000_000, dt.UTC)
        return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M")
    if kind == "count":
        return f"{value:,.0f}" if isinstance(value, float) else f"{value:,d}"
    if kind == "price":
        return price(value)
    if kind == "quantity":
        return quantity(value)
    if kind == "bps":
        return f"{_signless(value, 2)} bps"
    if kind == "fraction":
        percent = value * 100
        return f"{_signless(percent, 2)} %" if abs(percent) < 10_000 else f"{percent:,.0f} %"
    if kind == "money":
        return money(value)
    if kind in ("days", "hours"):
        return duration(value * (24.0 if kind == "days" else 1.0), kind)
    return f"{_signless(value, 1)}×" if kind == "times" else _signless(value, 2)


def duration(hours: float, unit: str) -> str:
    """A time span in `unit`, days or hours, or in a shorter one if it is less than one of them."""
    for name, length, shown in (("days", 24.0, "days"), ("hours", 1.0, "h"), ("minutes", 1 / 60, "min")):
        if hours >= length and (unit == "days" or name != "days"):
            return f"{_signless(hours / length, 1)} {shown}"
    return f"{_signless(hours * 3600, 1)} s" if hours > 0 else f"0.0 {'days' if unit == 'days' else 'h'}"


def percent(fraction: float, decimals: int | None = None) -> str:
    """A fraction in a sentence: "12.3 %", "0.05 %"."""
    if decimals is None:
        decimals = 1 if abs(fraction) >= 0.0095 else 2
    return f"{_signless(fraction * 100, decimals)} %"


def span(days: float) -> str:
    """A length of time in a sentence: "20 minutes", "12 hours", "366 days"."""
    if days < 1 / 12:
        return f"{days * 1440:,.0f} minutes"
    return f"{days * 24:,.0f} hours" if days < 2 else f"{days:,.0f} days"


def money(value: float) -> str:
    """Two decimals, or as many significant digits as a small amount (of a coin, say) needs."""
    if 0 < abs(value) < 0.01:
        return f"{value:.4g}"
    return _signless(value, 2)


def price(value: float) -> str:
    """A price with at least six significant digits: "43,210.50", "0.0731250"."""
    if value == 0:
        return "0"
    decimals = 2
    while decimals < 12 and abs(value) * 10**decimals < 100_000:
        decimals += 1
    return f"{value:,.{decimals}f}"


def quantity(value: float) -> str:
    """Up to eight decimals, none needlessly: "0.125", "1,500"."""
    text = f"{value:,.8f}"
    return text.rstrip("0").rstrip(".")


def _signless(value: float, decimals: int) -> str:
    """Rounded, and never "-0.00"."""
    return f"{round(value, decimals) + 0.0:,.{decimals}f}"
