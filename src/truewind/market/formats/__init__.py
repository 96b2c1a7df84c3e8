"""Formats of other tools whose folders and shapes say what a table of plain columns would not."""

from collections.abc import Callable

from truewind.errors import ConfigError, FormatError
from truewind.market.files.container import Member
from truewind.market.formats import kraken, lean, tardis
from truewind.market.formats.part import Part
from truewind.market.place import Options

# Each: the series in a member, None if it is none of its files.
_READERS: tuple[Callable[[Member], list[Part] | None], ...] = (lean.read, kraken.read, tardis.read)


def read_known(member: Member, options: Options) -> list[Part] | None:
    """The series in a file of a tool that is known, None for any other.

    What the user says of kind or columns is about plain tables, which the file is then taken for. Raises FormatError.
    """
    if options.kind or options.columns:
        return None
    try:
        return next((parts for read in _READERS if (parts := read(member)) is not None), None)
    except ConfigError as error:  # a venue or symbol that cannot be one
        raise FormatError(f"{member.label}: {error.message}", remedy="Fetch it again", path=member.path) from None
