"""Lines of a recording: when a payload was received, and the payload."""

import re
from collections.abc import Iterator

import msgspec

from truewind.errors import FormatError
from truewind.market.files.container import Encoding, Member

# hftbacktest's collector: `<local ns> <json>`.
_HFTBACKTEST = re.compile(rb"(\d{19}) (\{.*)")
# cryptofeed's raw data: `<seconds>: <json>` received, `<url> -> <seconds>: <json>` answered; opened and sent lines
# (`<-`, `<->`) carry no market data.
_CRYPTOFEED = re.compile(rb"(?:\S+?symbol=(?P<symbol>[^&\s]+)\S* -> )?(?P<seconds>\d{10}(?:\.\d+)?): (?P<json>[\[{].*)")
# Frames as they came, one a line, without the time of receipt.
_BARE = re.compile(rb'\{"topic":.*')
_ASIDE = re.compile(rb"\S+ (?:<-|<->|->) |configuration: ")
_ANSWER = re.compile(rb"\S+://\S+ -> \d{10}(?:\.\d+)?: [\[{]")
_PROBE, _PROBED_LINES = 1 << 20, 64


class Line(msgspec.Struct, frozen=True, gc=False):
    """One payload. recv_us: −1 if the file does not say. symbol: named by the request it answers, "" if streamed."""

    recv_us: int
    payload: bytes
    symbol: str
    number: int


def is_recording(member: Member) -> bool:
    """Whether the first line that carries data is one of a recording."""
    if member.encoding is not Encoding.TEXT:
        return False
    for text in member.data[:_PROBE].splitlines()[:_PROBED_LINES]:
        if any(form.match(text) for form in (_HFTBACKTEST, _CRYPTOFEED, _BARE, _ANSWER)):
            return True
        if text.strip() and not _ASIDE.match(text):
            return False
    return False


def lines(member: Member) -> Iterator[Line]:
    """The lines of a recording made by hftbacktest's collector or cryptofeed. Raises FormatError for any other line."""
    for number, text in enumerate(member.data.splitlines(), start=1):
        if found := _HFTBACKTEST.fullmatch(text):
            yield Line(int(found[1]) // 1000, found[2], "", number)
        elif found := _CRYPTOFEED.fullmatch(text):
            whole, _, part = found["seconds"].partition(b".")
            recv_us = int(whole) * 1_000_000 + int(part[:6].ljust(6, b"0"))
            yield Line(recv_us, found["json"], (found["symbol"] or b"").decode(), number)
        elif _BARE.fullmatch(text):
            yield Line(-1, text, "", number)
        elif text.strip() and not _ASIDE.match(text):
            raise FormatError(
                f"{member.label}, line {number}: neither `<ns> <json>` nor `<seconds>: <json>`",
                remedy="Give a recording of hftbacktest's collector or of cryptofeed",
                path=member.path,
                line=number,
            )
