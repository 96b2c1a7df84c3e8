"""Numbers that must come without holes: which of them are missing, and who came twice."""

from bisect import bisect_left


class Holes:
    """Of a rising sequence of numbers the greatest that was seen, and below it the intervals that were not.

    high: −1 before the first number, which begins the sequence whatever it is.
    """

    def __init__(self, high: int = -1, holes: "list[tuple[int, int]] | None" = None) -> None:
        self.high = high
        self._holes = [list(hole) for hole in holes or ()]  # first and last missing, in order

    def __bool__(self) -> bool:
        return bool(self._holes)

    @property
    def intervals(self) -> list[tuple[int, int]]:
        """First and last missing number of every hole, in order."""
        return [(first, last) for first, last in self._holes]

    @property
    def least(self) -> int:
        """The first missing number; one more than `high` where none is."""
        return self._holes[0][0] if self._holes else self.high + 1

    def see(self, number: int) -> bool:
        """Take a number; whether it is new."""
        high = self.high
        if number == high + 1 or high < 0:
            self.high = number
            return True
        if number > high:
            self._holes.append([high + 1, number - 1])
            self.high = number
            return True
        return self._fill(number, number)

    def see_all(self, first: int, last: int) -> None:
        """Take the numbers first … last, of which some may be known."""
        self.forget(first, last)
        if self.high < 0 or first == self.high + 1:
            self.high = last
        elif last > self.high:
            if first > self.high + 1:
                self._holes.append([self.high + 1, first - 1])
            self.high = last

    def expect(self, number: int) -> None:
        """All numbers below `number` exist, though none of them was seen yet."""
        if 0 <= self.high < number - 1:
            self._holes.append([self.high + 1, number - 1])
            self.high = number - 1

    def forget(self, first: int, last: int) -> bool:
        """The numbers first … last will never come; whether any of them was missing."""
        found = False
        for a, b in self.intervals:
            if a <= last and b >= first:
                found |= self._fill(max(a, first), min(b, last))
        return found

    def _fill(self, first: int, last: int) -> bool:
        holes = self._holes
        at = bisect_left(holes, first, key=lambda hole: hole[1])
        if at == len(holes) or holes[at][0] > first:
            return False
        begin, end = holes[at]
        holes[at : at + 1] = [hole for hole in ([begin, first - 1], [last + 1, end]) if hole[0] <= hole[1]]
        return True
