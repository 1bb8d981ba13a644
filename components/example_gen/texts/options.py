"""How a CSV of texts is written: options, read by the command line."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TextCsv:
    """How a CSV is written; what is none is detected.

    Attributes:
        delimiter: one character between cells.
        quoting: whether `"` encloses cells. None: unless a tab parts the cells, for in texts
            parted by tabs a quote is mostly a quote.
        header: whether the first record names the columns; without, they are `column_1` and so
            on, or `names`.
        names: the columns' names, in place of the header's.
    """

    delimiter: str | None = None
    quoting: bool | None = None
    header: bool | None = None
    names: tuple[str, ...] = ()
