"""Layout: a Document's blocks, one below the other, on as many pages as they need.

What belongs together stays together: a heading with what follows it, a chart with its title and note, a row of a
table. The first page says what came out; page numbers and headers are set when all pages are there.
"""

from collections.abc import Sequence

from truewind.analytics import figures
from truewind.analytics.document import Block, Candles, Document, Section, Table, Text, Tile, Tiles
from truewind.analytics.pdf import candles, charts, page, tables
from truewind.analytics.pdf.flow import Flow, paragraph
from truewind.analytics.pdf.page import (
    BODY,
    FLOOR,
    GAIN,
    INK,
    INNER,
    LEFT,
    LOSS,
    PALE,
    QUIET,
    SMALL,
    TITLE,
    TOP,
    Page,
    Style,
)

_NAME = Style(21.0, bold=True)
_HEADING = Style(13.5, bold=True)
_OVERLINE = Style(8.0, colour=QUIET)
_VERDICT = Style(10.5)
_LARGE = Style(16.0, bold=True)
_LABEL = Style(7.5, colour=QUIET)
_CODE = Style(6.5, mono=True)
_GAP = 12.0  # between blocks


def laid_out(document: Document) -> bytes:
    """The document as a PDF file."""
    with page.styled():
        flow = Flow()
        contents = _cover(flow, document)
        begin = [_section(flow, section) for section in document.sections]
        _contents(contents, [(section.title, at) for section, at in zip(document.sections, begin, strict=True)])
        _frame(flow, document)
        return page.bound(flow.pages, document.name, document.subtitle)


def _cover(flow: Flow, document: Document) -> tuple[Page, float]:
    """What came out, at the head of the first page; where the table of contents goes, on which page and how far down.

    What a page does not hold, such as a verdict of very many sentences, is set without its box.
    """
    flow.y = 58.0
    paragraph(flow, document.overline, _OVERLINE)
    flow.y += 2
    long = len(page.wrapped(document.name, INNER, _NAME)) > 3
    paragraph(flow, document.name, _NAME._replace(size=13.0) if long else _NAME)
    if document.subtitle:
        paragraph(flow, document.subtitle, Style(9.0, colour=QUIET))
    flow.y += 10
    lines = [line for sentence in document.verdict for line in page.wrapped(sentence, INNER - 28, _VERDICT)]
    judged = {True: ("PASSED", GAIN), False: ("NOT PASSED", LOSS), None: ("", QUIET)}[document.passed]
    high = len(lines) * _VERDICT.leading + 20 + (16 if judged[0] else 0) + (15 if document.warnings else 0)
    if high < FLOOR - TOP:
        top = flow.take(high)
        flow.page.box(LEFT, top, INNER, high, PALE)
        flow.page.box(LEFT, top, 3, high, judged[1])
        flow.y = top + 10
    if judged[0]:
        paragraph(flow, judged[0], Style(8.5, bold=True, colour=judged[1]), x=LEFT + 16)
        flow.y += 4
    for line in lines:
        top = flow.take(_VERDICT.leading)
        flow.page.text(LEFT + 16, top + _VERDICT.size, line, _VERDICT)
    if document.warnings:
        told = "1 warning" if document.warnings == 1 else f"{document.warnings:,} warnings"
        flow.y += 3
        paragraph(flow, f"{told}: see below", Style(8.5, colour=LOSS), x=LEFT + 16)
    flow.y += 10 + _GAP
    rows = -(-len(document.sections) // 2)
    top = flow.take(rows * 14.0 + (18 if rows else 0))
    return flow.page, top


def _contents(where: tuple[Page, float], places: Sequence[tuple[str, int]]) -> None:
    """The table of contents, in two columns: titles and pages."""
    (first, top), half = where, (INNER - 24) / 2
    style = Style(8.5)
    rows = -(-len(places) // 2)
    for number, (name, at) in enumerate(places):
        x, y = LEFT + (number // rows) * (half + 24), top + (number % rows) * 14.0 + 10
        title = page.shortened(name, half - 30, style)
        first.text(x, y, title, style)
        first.text(x + half, y, str(at), style, "right")
        start, end = x + page.width(title, style) + 5, x + half - page.width(str(at), style) - 5
        first.rule(start, y - 1, end, y - 1, QUIET, 0.5, (0.5, 2.5))


def _frame(flow: Flow, document: Document) -> None:
    """Headers and footers."""
    for number, sheet in enumerate(flow.pages, 1):
        edge = LEFT + INNER
        if number > 1:
            sheet.text(LEFT, 38, page.shortened(document.name, INNER * 0.6, _LABEL), _LABEL)
            sheet.text(edge, 38, page.shortened(document.overline, INNER * 0.35, _LABEL), _LABEL, "right")
            sheet.rule(LEFT, 44, edge, 44)
        sheet.text(LEFT, page.HEIGHT - 30, page.shortened(document.subtitle, INNER * 0.8, _LABEL), _LABEL)
        sheet.text(edge, page.HEIGHT - 30, f"{number} / {len(flow.pages)}", _LABEL, "right")


def _section(flow: Flow, section: Section) -> int:
    """Draw a section; the number of the page on which it begins."""
    if flow.y > TOP:
        flow.y += 14
    lines = page.wrapped(section.title, INNER, _HEADING)
    top = flow.take(len(lines) * _HEADING.leading + 8, with_next=_least(section.blocks[0]) if section.blocks else 0.0)
    begin = len(flow.pages)
    for number, line in enumerate(lines):
        flow.page.text(LEFT, top + _HEADING.size + number * _HEADING.leading, line, _HEADING)
    below = top + len(lines) * _HEADING.leading + 1
    flow.page.rule(LEFT, below, LEFT + INNER, below, INK, 0.8)
    blocks = list(section.blocks)
    while blocks:
        block = blocks.pop(0)
        beside = blocks[0] if blocks else None
        if charts.is_small(block) and charts.is_small(beside):
            charts.place(flow, [block, beside])
            del blocks[0]
        else:
            _block(flow, block)
        flow.y += _GAP
    return begin


def _least(block: Block) -> float:
    """What a block needs on the page on which it begins."""
    if isinstance(block, Text | Tiles | Table):
        return 70.0
    return candles.HIGH if isinstance(block, Candles) else charts.height([block])


def _block(flow: Flow, block: Block) -> None:
    if isinstance(block, Text):
        if block.title and block.sentences:
            top = flow.take(TITLE.leading + 2, with_next=90.0 if block.code else BODY.leading * 2)
            flow.page.text(LEFT, top + TITLE.size, page.shortened(block.title, INNER, TITLE), TITLE)
        (_code if block.code else _sentences)(flow, block)
    elif isinstance(block, Tiles):
        (_list if block.small else _tiles)(flow, block.tiles)
    elif isinstance(block, Table):
        tables.place(flow, block)
    elif isinstance(block, Candles):
        candles.place(flow, block)
    else:
        charts.place(flow, [block])


def _sentences(flow: Flow, block: Text) -> None:
    """Paragraphs or items; a warning has a bar before it, so that it is seen without colour."""
    colour = {"quiet": QUIET, "good": GAIN, "bad": LOSS}.get(block.tone, INK)
    style = BODY._replace(colour=colour)
    indent = 12.0 if block.bullets else 8.0 if block.tone == "warning" else 0.0
    for number, sentence in enumerate(block.sentences):
        if number:
            flow.y += 3 if block.bullets else 5
        for place, line in enumerate(page.wrapped(sentence, INNER - indent, style)):
            top = flow.take(style.leading)
            flow.page.text(LEFT + indent, top + style.size, line, style)
            if block.bullets and not place:
                flow.page.text(LEFT + 2, top + style.size, "•", style._replace(colour=QUIET))
            if block.tone == "warning":
                flow.page.box(LEFT - (4 if block.bullets else 0), top - 1, 2, style.leading, LOSS)


def _code(flow: Flow, block: Text) -> None:
    """Lines as they are, in two columns; what is too long goes on in the next line."""
    gap = 14.0
    half = (INNER - gap) / 2
    fits = int((half - 8) / page.width("0", _CODE))
    given = [page.as_given(line.expandtabs(4)) for sentence in block.sentences for line in sentence.splitlines()]
    lines = [line[start : start + fits] for line in given for start in range(0, max(1, len(line)), fits)]
    leading = _CODE.size * 1.35
    while lines:
        if flow.room < 8 * leading:
            flow.turn()
        rows = min(-(-len(lines) // 2), int((flow.room - 8) / leading))
        top = flow.take(rows * leading + 8)
        for column in range(2):
            x = LEFT + column * (half + gap)
            flow.page.box(x, top, half, rows * leading + 8, PALE)
            for row, line in enumerate(lines[column * rows : (column + 1) * rows]):
                flow.page.text(x + 4, top + 4 + row * leading + _CODE.size, line, _CODE)
        lines = lines[2 * rows :]


def _toned(tile: Tile) -> str:
    good = tile.tone == "good" or (tile.tone == "sign" and _positive(tile.value))
    bad = tile.tone in ("bad", "warning") or (tile.tone == "sign" and _positive(tile.value) is False)
    return GAIN if good else LOSS if bad else QUIET if tile.tone == "quiet" else INK


def _positive(value: object) -> bool | None:
    """None: neither, or no number."""
    return tables.sign(value) > 0 if tables.sign(value) else None


def _tiles(flow: Flow, tiles: Sequence[Tile]) -> None:
    """Large figures, four a row, each with what it means."""
    each, gap = 4, 8.0
    wide = (INNER - (each - 1) * gap) / each
    for start in range(0, len(tiles), each):
        row = tiles[start : start + each]
        told = [page.wrapped(tile.meaning, wide - 16, SMALL._replace(size=6.5)) if tile.meaning else [] for tile in row]
        names = [page.wrapped(tile.label, wide - 16, _LABEL) for tile in row]
        above = max(map(len, names)) * _LABEL.leading
        high = 8 + above + 22 + max(map(len, told)) * 9.2 + 6
        top = flow.take(high + (gap if start + each < len(tiles) else 0))
        for number, tile in enumerate(row):
            x = LEFT + number * (wide + gap)
            flow.page.box(x, top, wide, high, None, page.LINE)
            for place, line in enumerate(names[number]):
                flow.page.text(x + 8, top + 15 + place * _LABEL.leading, line, _LABEL)
            text, style = page.typeset(figures.written(tile.kind, tile.value)), _LARGE
            while page.width(text, style) > wide - 16 and style.size > 7:
                style = style._replace(size=style.size - 0.5)
            text = page.shortened(text, wide - 16, style)
            flow.page.text(x + 8, top + 8 + above + 16, text, style._replace(colour=_toned(tile)))
            for place, line in enumerate(told[number]):
                flow.page.text(x + 8, top + 8 + above + 30 + place * 9.2, line, SMALL._replace(size=6.5))


def _list(flow: Flow, tiles: Sequence[Tile]) -> None:
    """Small figures: names and values in two columns, read down."""
    gap, rows = 24.0, -(-len(tiles) // 2)
    half = (INNER - gap) / 2
    for row in range(rows):
        pair = [(0, tiles[row])] + ([(1, tiles[rows + row])] if rows + row < len(tiles) else [])
        values = {side: page.typeset(figures.written(tile.kind, tile.value)) for side, tile in pair}
        shown = {}
        for side, tile in pair:
            name = page.wrapped(tile.label, half * 0.48, BODY._replace(size=8.5))
            room = half - max(page.width(line, BODY._replace(size=8.5)) for line in name) - 10
            style = Style(8.5, bold=True, colour=_toned(tile))
            while page.width(values[side], style) > room and style.size > 7:
                style = style._replace(size=style.size - 0.5)
            shown[side] = name, page.wrapped(values[side], room, style), style
        high = max(max(len(name), len(value)) for name, value, _ in shown.values()) * 12.0 + 4
        top = flow.take(high)
        for side, _ in pair:
            x, (name, value, style) = LEFT + side * (half + gap), shown[side]
            for place, line in enumerate(name):
                flow.page.text(x, top + 10 + place * 12, line, BODY._replace(size=8.5, colour=QUIET))
            for place, line in enumerate(value):
                flow.page.text(x + half, top + 10 + place * 12, line, style, "right")
            flow.page.rule(x, top + high - 1, x + half, top + high - 1)
