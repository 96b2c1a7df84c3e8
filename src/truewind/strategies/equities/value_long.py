"""Value, long only: hold the cheapest shares of a list, by fundamentals where there are any, else by their past.

Idea: shares that are cheap for what they own or earn have done better than dear ones (Fama and French, "The
Cross-Section of Expected Stock Returns", Journal of Finance 47, 1992). Where nothing is known but prices, losers of the
last three to five years stand in: De Bondt and Thaler, "Does the Stock Market Overreact?", Journal of Finance 40, 1985;
Asness, Moskowitz and Pedersen, "Value and Momentum Everywhere", Journal of Finance 68, 2013, take the negative return
of five years as value wherever there are no books. Fundamentals come as a CSV of symbol, known, value: from the day on
which it was known a value stands, the higher the cheaper (book to price, earnings yield).

Fails when what is cheap deserves it, and for as long as dear shares rise: growth beat value from 2007 to 2020. A list
of shares chosen today holds no one who went under, and to buy losers of such a list is to buy those who recovered.
"""

import bisect
import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from truewind.domain.clock import parse_ts_us
from truewind.errors import ConfigError, MissingFileError
from truewind.strategies.weights import WeightStrategy, inverse, is_member

_COLUMNS = ("symbol", "known", "value")


class ValueLong(WeightStrategy):
    """Equal weights of the cheapest share of the list, renewed each month."""

    class Params(WeightStrategy.Params):
        every: Literal["day", "week", "month"] = Field(default="month", description="how often weights are renewed")
        lookback: int = Field(default=1260, ge=20, le=2600, description="bars of the past return (252 a year)")
        share: float = Field(default=0.25, gt=0.0, le=1.0, description="of the ranked, how many are held")
        fundamentals: str = Field(default="", description="CSV of symbol, known, value; empty: rank by past return")

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        file = self.params.fundamentals
        self.files = (Path(file),) if file else ()
        self._known = read_fundamentals(Path(file)) if file else None

    def features(self) -> Mapping[str, str]:
        return {} if self._known is not None else {"past": f"returns({self.params.lookback})"}

    def weights(self, section: Mapping[str, Any]) -> Mapping[str, float] | None:
        scores = {symbol: self._cheapness(symbol, bar) for symbol, bar in section.items() if is_member(bar)}
        ranked = sorted((score, symbol) for symbol, score in scores.items() if score == score)
        count = int(len(ranked) * self.params.share)
        if count == 0:  # too few to rank
            return None
        shares = inverse({symbol: 1.0 for _, symbol in ranked[-count:]})
        return {symbol: share * self.params.gross for symbol, share in shares.items()}

    def _cheapness(self, symbol: str, bar: Any) -> float:
        """What a symbol is ranked by, the cheapest highest; NaN where it is not known by this bar."""
        if self._known is None:
            return float(-bar.past)
        times, values = self._known.get(symbol, ((), ()))
        last = bisect.bisect_right(times, bar.ts_event) - 1
        return values[last] if last >= 0 else math.nan


def read_fundamentals(path: Path) -> dict[str, tuple[list[int], list[float]]]:
    """By symbol the times from which its values are known (µs UTC, rising) and the values, from a CSV.

    An empty value is none: from then on the symbol is not ranked. Raises MissingFileError, ConfigError with the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingFileError(
            f"No fundamentals {path}", remedy="Check strategy.params.fundamentals", path=path
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}", remedy="Give a CSV in UTF-8 that may be read", path=path
        ) from None
    table = csv.DictReader(text.splitlines())
    if missing := [name for name in _COLUMNS if name not in (table.fieldnames or ())]:
        raise ConfigError(f"{path} has no column {missing[0]}", remedy=f"It needs {', '.join(_COLUMNS)}", path=path)
    rows = []
    for row in table:
        try:
            said = row["value"].strip()
            rows.append((row["symbol"].strip(), parse_ts_us(row["known"].strip()), float(said) if said else math.nan))
        except (ValueError, AttributeError, ConfigError) as error:
            place = f"{path}, line {table.line_num}"
            raise ConfigError(f"{place}: {error}", remedy="Give symbol, a UTC date and a number", path=path) from None
    found: dict[str, tuple[list[int], list[float]]] = {}
    for symbol, known, value in sorted(rows, key=lambda row: row[:2]):
        times, values = found.setdefault(symbol, ([], []))
        times.append(known)
        values.append(value)
    return found
