"""Bytes of a text file to text: by a byte order mark (BOM), or by what they look like."""

import codecs
import dataclasses
from typing import TYPE_CHECKING, Literal

from millrace.components.errors import DataError

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

BadBytes = Literal["reject", "replace", "ignore", "latin-1"]

_LOOKED_AT = 1 << 18  # bytes that an encoding is guessed from
_ZEROS = 0.7  # share of the upper bytes of UTF-16 that are 0 in a Western table
_USUAL = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874"),
    *("latin_1", "iso8859_2", "iso8859_15", "koi8_r"),
    *("cp932", "euc_jp", "gb18030", "big5", "euc_kr"),
)
_BOMS = (  # the longer first: UTF-32's little-endian BOM begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclasses.dataclass(frozen=True)
class DecodedText:
    """A file's text, the encoding it was in, and whether bytes of no meaning were in its way."""

    text: str
    encoding: str
    repaired: bool = False


def decode_text(data: bytes, encoding: str | None = None, bad: BadBytes = "reject") -> DecodedText:
    """The text of `data`, in `encoding` or in the one that is found.

    Args:
        data: a whole file.
        encoding: by Python's name. None: by its byte order mark (BOM), else UTF-8 if it is
            that, else what charset-normalizer finds.
        bad: what becomes of bytes that the encoding has no place for: `reject` refuses the
            text, `replace` puts U+FFFD, `ignore` nothing, `latin-1` reads the text as
            Windows-1252, or as ISO 8859-1 if it is not even that.

    Raises:
        DataError: the text is refused; the reason alone, without its place.
    """
    return decode_as(data, encoding or detect(data), bad)


def is_known(name: str) -> bool:
    """Whether Python knows an encoding of this name that text files can be in."""
    try:
        b"a".decode(name, "replace")
    except (LookupError, ValueError):  # a codec of no text, such as rot13, or one for host names
        return False
    return codecs.lookup(name).name != "punycode"


def decode_as(data: bytes, name: str, bad: BadBytes) -> DecodedText:
    """The text of `data` in the encoding `name`; for `bad` and errors see `decode_text`."""
    try:
        return DecodedText(data.decode(name), name)
    except LookupError as error:
        raise DataError(f"no such encoding as {name!r}") from error
    except UnicodeDecodeError as error:
        if bad == "reject":
            value = error.object[error.start]
            raise DataError(f"byte {value:#04x} at {error.start} is not valid {name}") from error
    if bad == "latin-1":
        return _western(data)
    return DecodedText(data.decode(name, errors=bad), name, repaired=True)


def _western(data: bytes) -> DecodedText:
    try:
        return DecodedText(data.decode("cp1252"), "cp1252", repaired=True)
    except UnicodeDecodeError:
        return DecodedText(data.decode("latin-1"), "latin-1", repaired=True)


def named_by_bom(data: bytes) -> str | None:
    """The encoding that a byte order mark at the beginning of `data` names, if there is one."""
    return next((name for bom, name in _BOMS if data.startswith(bom)), None)


def bom_length(data: bytes) -> int:
    """How many bytes a byte order mark takes at the beginning of `data`."""
    return next((len(bom) for bom, _ in _BOMS if data.startswith(bom)), 0)


def likely(data: bytes) -> str:
    """The encoding of the beginning of a table: by its BOM, UTF-8 if most lines that are not
    ASCII are that, else what charset-normalizer finds.

    A few bad bytes do not make a UTF-8 file one of another encoding.
    """
    name = named_by_bom(data)
    if name:
        return name
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    good = sum(_is("utf-8", line) for line in lines)
    return "utf-8" if 2 * good >= len(lines) else detect(data)


def _is(encoding: str, data: bytes) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def detect(data: bytes) -> str:
    """Python's name of the encoding that `data` is in; UTF-8 where nothing fits better.

    Among the encodings that files are written in today: a guess among all that Python knows goes
    wrong on tables, which hold few letters.
    """
    name = named_by_bom(data) or _wide(data[:_LOOKED_AT])
    if name or _is("utf-8", data):
        return name or "utf-8"
    from charset_normalizer import from_bytes  # not at the start of the command line

    sample = data[:_LOOKED_AT]
    found = None if b"\0" in sample else from_bytes(sample, cp_isolation=[*_USUAL]).best()
    if found:
        return _most_frequent(found)
    return "utf-8" if b"\0" in sample or not _is("cp1252", sample) else "cp1252"


def _wide(data: bytes) -> str | None:
    """UTF-16 without a BOM, if every other byte of `data` is mostly 0, as of Latin letters."""
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = data[start::2].count(0), data[1 - start :: 2].count(0)
        if zeros > _ZEROS * len(data) / 2 and not others:
            return name
    return None


def _most_frequent(found: "CharsetMatch") -> str:
    """Windows' Western encoding wherever it gives the same text: it is by far the most frequent."""
    return "cp1252" if "cp1252" in found.could_be_from_charset else found.encoding
