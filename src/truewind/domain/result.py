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
        return self.run_dir / "report.html"

    def table(self, name: str) -> "pl.DataFrame":
        """One of the run's tables: equity, trades, fills, orders."""
        import polars as pl

        return pl.read_parquet(self.run_dir / f"{name}.parquet")

    @property
    def equity(self) -> "pl.DataFrame":
        return self.table("equity")

    @property
    def trades(self) -> "pl.DataFrame":
        return self.table("trades")

    @property
    def fills(self) -> "pl.DataFrame":
        return self.table("fills")

    @property
    def orders(self) -> "pl.DataFrame":
        return self.table("orders")
