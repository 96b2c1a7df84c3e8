"""PDF: a report as A4 pages for print, in vector graphics with embedded fonts.

`render` is all that others need; the files beside it need matplotlib (the extra `pdf`), and are imported by it alone:
`page` (a sheet, and what text measures), `flow` (sheet after sheet), `tables`, `charts`, and `layout`, which puts a
Document's blocks in their places.
"""

from truewind.analytics.document import Document
from truewind.errors import ConfigError


def render(document: Document) -> bytes:
    """The document as a PDF file. Equal documents give equal bytes: no date, and nothing of clock or chance, is in it.

    Raises ConfigError if matplotlib is not installed.
    """
    try:
        from truewind.analytics.pdf.layout import laid_out
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("matplotlib"):
            raise
        raise ConfigError("A PDF needs matplotlib", remedy="pip install 'truewind[pdf]'") from None
    return laid_out(document)
