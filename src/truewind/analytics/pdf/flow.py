"""Flow: pages that are filled from top to bottom, and turned where something does not fit."""

from truewind.analytics.pdf.page import FLOOR, INNER, LEFT, TOP, Page, Style, wrapped


class Flow:
    """The pages so far, and how far down the last one is filled."""

    def __init__(self) -> None:
        self.pages = [Page()]
        self.y = TOP

    @property
    def page(self) -> Page:
        return self.pages[-1]

    @property
    def room(self) -> float:
        return FLOOR - self.y

    def take(self, height: float, *, with_next: float = 0.0) -> float:
        """The upper edge of `height` points for a block; on a new page if it, and what must follow it, do not fit."""
        if height + with_next > self.room and self.y > TOP:
            self.turn()
        top = self.y
        self.y += height
        return top

    def turn(self) -> None:
        self.pages.append(Page())
        self.y = TOP


def paragraph(flow: Flow, text: str, style: Style, *, x: float = LEFT, room: float = INNER) -> None:
    """Lines of text, over as many pages as they need."""
    for line in wrapped(text, room, style):
        top = flow.take(style.leading)
        flow.page.text(x, top + style.size, line, style)
