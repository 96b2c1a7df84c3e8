"""An iceberg where the venue has none: a limit order sent in slices, each one when the slice before it has filled.

Every slice is an order of its own: it travels, passes the risk gate and joins the end of the queue, so between two
slices nothing of it is displayed for as long as report and order take.
"""

from truewind.domain.book import Report
from truewind.strategies.book import BookDesk, BookReport

_ENDED = (Report.REJECTED, Report.CANCELLED, Report.EXPIRED)


class Iceberg:
    """`lots` at a limit of `ticks`, of which `shown` are displayed at once; hand it every report of the strategy.

    filled: lots so far. order: id of the slice that works, 0 if none does. is_done: all is filled, or a slice was
    refused or ended by somebody else; then it sends no more.
    """

    def __init__(self, desk: BookDesk, side: int, ticks: int, lots: int, shown: int, *, tag: int = 0) -> None:
        if lots < 1 or shown < 1:
            raise ValueError(f"an iceberg of {lots} lots cannot show {shown}")
        self._desk, self._side, self._ticks, self._lots, self._shown, self._tag = desk, side, ticks, lots, shown, tag
        self.filled = 0
        self.order = 0
        self.is_done = False
        self._send()

    def on_report(self, report: BookReport) -> None:
        """Send the next slice when the one that works has filled."""
        if self.is_done or report.order != self.order:
            return
        if report.kind == Report.FILLED:
            self.filled += report.filled
            self._send()
        elif report.kind in _ENDED:
            self.filled += report.filled
            self.order, self.is_done = 0, True

    def cancel(self) -> None:
        """Withdraw the slice that works, and send no more."""
        if self.order:
            self._desk.cancel(self.order)

    def _send(self) -> None:
        slice_lots = min(self._shown, self._lots - self.filled)
        self.order = self._desk.limit(self._side, self._ticks, slice_lots, tag=self._tag) if slice_lots else 0
        self.is_done = self.order == 0
