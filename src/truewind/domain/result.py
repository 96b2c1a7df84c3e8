"""Result: what a run leaves behind, as figures and as files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import polars as pl


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One finished run. Figures are in `summary`; tables are read from the run's folder when asked for.

    result_id: hash of data, config and code; equal ids mean equal results. run_id: unique and time-ordered.
    """

    run_id: str
    result_id: str
    run_dir: Path
    data_snapshot: str
    summary: dict[str, Any]

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.run_dir / "report.html"

    def table(self, name: str) -> "pl.DataFrame":
        """One of the run's tables: equity, trades, fills, orders."""
        import polars as pl

        return pl.read_parquet(self.run_dir / f"{name}.parquet")

    @property
    def equity(self) -> "pl.DataFrame":
        """A row a bar: `ts`, `equity`, `cash` and `gross` exposure."""
        return self.table("equity")

    @property
    def trades(self) -> "pl.DataFrame":
        """A row a round trip: entry, exit, result and what it cost; one that is open still is `open`."""
        return self.table("trades")

    @property
    def fills(self) -> "pl.DataFrame":
        """A row an execution or payment, in the order in which they were booked."""
        return self.table("fills")

    @property
    def orders(self) -> "pl.DataFrame":
        """A row an order: what was asked for, and what became of it."""
        return self.table("orders")
