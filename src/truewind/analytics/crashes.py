"""Crashes and worst windows: how a run did in the bad days that there were."""

from datetime import date
from typing import NamedTuple

import numpy as np

from truewind.numerics import performance
from truewind.numerics.performance import NAN, Floats, Ints

_EPOCH = date(1970, 1, 1)


class Crash(NamedTuple):
    """One fall of markets that people remember. first, last: its UTC days, both included. source: where it is told."""

    name: str
    first: date
    last: date
    what: str
    source: str


# Days are those of the fall itself, from the day on which it began to the day of its low.
CRASHES = (
    Crash("Black Monday", date(1987, 10, 14), date(1987, 10, 19), "US shares −22.6 % in one day",
          "Presidential Task Force on Market Mechanisms (Brady report), January 1988"),
    Crash("Asia and LTCM", date(1998, 8, 17), date(1998, 10, 8), "Russia's default, a fund's forced unwinding",
          "President's Working Group on Financial Markets, April 1999"),
    Crash("Dot-com bust", date(2000, 3, 24), date(2002, 10, 9), "S&P 500 −49 % from close to close",
          "S&P Dow Jones Indices, closing levels"),
    Crash("Lehman", date(2008, 9, 12), date(2008, 11, 20), "Bankruptcy of Lehman Brothers on 15 September",
          "Financial Crisis Inquiry Commission, January 2011"),
    Crash("Flash crash", date(2010, 5, 6), date(2010, 5, 6), "US futures and shares fell and recovered within the hour",
          "CFTC and SEC, Findings regarding the market events of May 6, 2010"),
    Crash("US downgrade", date(2011, 7, 22), date(2011, 8, 8), "Standard & Poor's takes the USA's AAA",
          "Standard & Poor's, 5 August 2011"),
    Crash("Swiss franc unpegged", date(2015, 1, 15), date(2015, 1, 16), "EURCHF −20 % within minutes",
          "Swiss National Bank, press release of 15 January 2015"),
    Crash("China devalues", date(2015, 8, 18), date(2015, 8, 25), "S&P 500 −11 % in six sessions",
          "S&P Dow Jones Indices, closing levels"),
    Crash("Brexit vote", date(2016, 6, 24), date(2016, 6, 27), "GBPUSD −8 % in one day",
          "Bank of England, Financial Stability Report, July 2016"),
    Crash("Crypto winter begins", date(2018, 1, 7), date(2018, 2, 6), "BTC −65 % in a month",
          "Daily closes of BTCUSDT on Binance"),
    Crash("Volmageddon", date(2018, 1, 29), date(2018, 2, 8), "VIX doubles in one day, short-volatility funds end",
          "BIS Quarterly Review, March 2018"),
    Crash("Bitcoin Cash split", date(2018, 11, 14), date(2018, 12, 15), "BTC −50 % in a month",
          "Daily closes of BTCUSDT on Binance"),
    Crash("COVID-19", date(2020, 2, 20), date(2020, 3, 23), "S&P 500 −34 %", "S&P Dow Jones Indices, closing levels"),
    Crash("Black Thursday of crypto", date(2020, 3, 12), date(2020, 3, 13), "BTC −39 % in one day",
          "Daily closes of BTCUSDT on Binance"),
    Crash("China bans mining", date(2021, 5, 12), date(2021, 5, 23), "BTC −30 % within 19 May alone",
          "Daily bars of BTCUSDT on Binance"),
    Crash("Terra and Luna", date(2022, 5, 5), date(2022, 5, 12), "UST loses its peg, LUNA goes to zero",
          "Financial Stability Oversight Council, Report on Digital Asset Risks, October 2022"),
    Crash("Celsius and 3AC", date(2022, 6, 10), date(2022, 6, 18), "Lenders stop withdrawals, BTC −40 %",
          "Financial Stability Oversight Council, Report on Digital Asset Risks, October 2022"),
    Crash("FTX", date(2022, 11, 6), date(2022, 11, 9), "Run on an exchange that fails on 11 November",
          "Declaration of J. J. Ray III, US Bankruptcy Court of Delaware, 22-11068"),
    Crash("Regional banks", date(2023, 3, 8), date(2023, 3, 13), "Silicon Valley Bank fails, USDC falls below 0.90",
          "Federal Reserve, Review of the Supervision of Silicon Valley Bank, April 2023"),
    Crash("Yen carry trade", date(2024, 7, 31), date(2024, 8, 5), "Nikkei −12 % in one day, BTC below 50,000",
          "BIS Bulletin 90, August 2024"),
    Crash("Tariffs", date(2025, 4, 2), date(2025, 4, 8), "S&P 500 −12 % in four sessions",
          "S&P Dow Jones Indices, closing levels"),
    Crash("Liquidations of October 2025", date(2025, 10, 10), date(2025, 10, 11),
          "Record liquidations of perpetuals within hours", "Trades of USD-M perpetuals on Binance"),
)  # fmt: skip
WINDOWS = (("1 day", 1), ("1 week", 7), ("1 month", 30), ("1 quarter", 91))


class Window(NamedTuple):
    """What a stretch of days came to. first, last: UTC day numbers, both included; 0 where there is none. growth: a
    fraction. fall: deepest drawdown inside it, its beginning counting as a peak.
    """

    name: str
    first: int
    last: int
    growth: float
    fall: float


def worst(days: Ints, returns: Floats, name: str, length: int) -> Window:
    """The stretch of at most `length` calendar days in which most was lost. NaN if the run is not that long.

    days: UTC day numbers, rising; returns: simple, of each.
    """
    if not len(days) or int(days[-1] - days[0]) + 1 < length:
        return Window(name, 0, 0, NAN, NAN)
    worth = np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    begin = np.searchsorted(days, days - length, side="right")  # the first day inside a window that ends on each
    full = days - days[0] + 1 >= length
    growth = np.where(full, worth[1:] / worth[begin] - 1.0, np.inf)
    last = int(np.argmin(growth))
    first = int(begin[last])
    return _window(name, days, returns, first, last)


def through(crash: Crash, days: Ints, returns: Floats) -> Window | None:
    """What a run made of a crash; None unless all of it lies within the run."""
    begin, end = ((moment - _EPOCH).days for moment in (crash.first, crash.last))
    if not len(days) or begin < days[0] or end > days[-1]:
        return None
    first, last = int(np.searchsorted(days, begin)), int(np.searchsorted(days, end, side="right")) - 1
    return _window(crash.name, days, returns, first, last) if last >= first else None


def over(days: Ints, returns: Floats, first: int, last: int) -> float:
    """Growth over the UTC days `first` … `last`; NaN if there is none of them."""
    inside = (days >= first) & (days <= last)
    return float(np.prod(1.0 + returns[inside])) - 1.0 if inside.any() else NAN


def _window(name: str, days: Ints, returns: Floats, first: int, last: int) -> Window:
    worth = np.asarray(np.cumprod(1.0 + returns[first : last + 1]), np.float64)
    fall = performance.max_drawdown(worth, 1.0)
    return Window(name, int(days[first]), int(days[last]), float(worth[-1]) - 1.0, fall)
