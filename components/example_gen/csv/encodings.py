"""Bytes of a text file to text: by a byte order mark (BOM), or by what they look like."""

import codecs
import collections
import dataclasses
import logging
import re
from typing import BinaryIO, Literal

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import alphabets

BadBytes = Literal["reject", "replace", "ignore", "latin-1"]

_LOOKED_AT = 1 << 18  # bytes that an encoding is guessed from
_BLOCK = 1 << 20
_ZEROS = 0.7  # share of the upper bytes of UTF-16 that are 0 in a Western table
_WORDS = 150  # of these, the most frequent: 256 KiB take 0.1 s
_LETTERS = 64  # of a word: one may be all of a file
_RUN = re.compile(rb"[@-\xff]+")  # a second byte may be a letter's
_SHIFT = re.compile(rb"\x1b\$[@B]")
_DOUBT = 3.0  # nats that another reading may be less likely, and still be named
_USUAL = {  # and how much less likely each is than the first, in nats, whatever the text
    **{"cp1252": 0.0, "cp1251": -0.5, "cp1250": -1.0, "cp1253": -1.0, "cp1254": -1.0},
    **{"cp1255": -1.0, "cp1256": -1.0, "cp1257": -1.5, "cp874": -1.0},
    **{"cp932": -1.0, "gb18030": -1.0, "euc_kr": -1.0, "big5": -1.0, "euc_jp": -1.5},
    **{"iso8859_2": -1.5, "iso8859_15": -2.0, "latin_1": -2.5, "iso8859_7": -2.0, "koi8_r": -1.5},
    **{"koi8_u": -2.0, "cp866": -1.5, "cp850": -1.9, "cp852": -2.0, "cp437": -3.0},
    **{"mac_roman": -2.5, "mac_cyrillic": -3.0, "iso8859_5": -2.5, "iso8859_13": -3.0},
    **{"cp857": -3.0},
}
_log = logging.getLogger(__name__)
_BOMS = (  # the longer first: UTF-32's little-endian BOM begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclasses.dataclass(frozen=True)
class DecodedText:
    """A file's text, the encoding it was in, and whether any of its bytes were invalid there."""

    text: str
    encoding: str
    repaired: bool = False


def decode_text(data: bytes, encoding: str | None = None, bad: BadBytes = "reject") -> DecodedText:
    """The text of `data`, in `encoding` or in the one that is found.

    Args:
        data: a whole file.
        encoding: by Python's name. None: by its byte order mark (BOM), else UTF-8 if it is
            that, else the one in which its words are likeliest.
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


def can_decode(encoding: str, data: bytes) -> bool:
    """Whether all bytes of `data` are valid in the encoding."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def is_valid_in(file: BinaryIO, encoding: str) -> bool:
    """Whether all bytes of `file` are valid in the encoding, a block in memory at a time.

    Raises:
        LookupError: Python does not know the encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        while block := file.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def detect(data: bytes) -> str:
    """Python's name of the encoding that `data` is in; UTF-8 where nothing fits better."""
    return readings(data)[0]


def detect_in(file: BinaryIO) -> str:
    """The encoding that `detect` finds for all of `file`, a block in memory at a time."""
    file.seek(0)
    sample = file.read(_LOOKED_AT)
    if name := named_by_bom(sample) or _wide(sample):
        return name
    if not is_valid_in(file, "utf-8"):
        return _likely(sample)[0]
    return "iso2022_jp" if _has_shifts(file) and is_valid_in(file, "iso2022_jp") else "utf-8"


def certain(data: bytes) -> str | None:
    """The encoding of `data` where its bytes leave no doubt: it has a byte order mark, zeros as
    UTF-16 has, or shifts as ISO-2022, or is UTF-8.
    """
    if name := named_by_bom(data) or _wide(data[:_LOOKED_AT]):
        return name
    if not can_decode("utf-8", data):
        return None
    return "iso2022_jp" if _SHIFT.search(data) and can_decode("iso2022_jp", data) else "utf-8"


def readings(data: bytes) -> list[str]:
    """The encoding that `data` is most likely in, by Python's name, and others as likely.

    Each gives another text. Among the encodings that files are written in today, by the words that
    `data` has in them: see `alphabets`.
    """
    name = certain(data)
    return [name] if name else _likely(data[:_LOOKED_AT])


def _likely(sample: bytes) -> list[str]:
    runs = collections.Counter(run for run in _RUN.findall(sample) if not run.isascii())
    words = [word for word, _ in runs.most_common(_WORDS)]
    if b"\0" in sample or not words:
        return ["utf-8"]
    found: dict[tuple[str, ...], tuple[float, str]] = {}
    for encoding, prior in _USUAL.items():
        read = tuple(word.decode(encoding, "replace")[:_LETTERS] for word in words)
        likely = alphabets.likelihood(read) + prior
        found[read] = max(found.get(read, (likely, encoding)), (likely, encoding))
    ranked = sorted(found.values(), reverse=True)
    return [name for likely, name in ranked if likely > ranked[0][0] - _DOUBT]


def guess(file: object, data: bytes, option: str, learnt: str | None = None) -> str:
    """The encoding that `data`, the beginning of `file`, is most likely in: said, if not UTF-8.

    A few bad bytes do not make a UTF-8 file one of another encoding.

    Args:
        file: for the log.
        data: its beginning, or more of it.
        option: that names another; "" where none does.
        learnt: the encoding of earlier files of the kind, taken where it fits.
    """
    if name := named_by_bom(data):
        return name
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    good = sum(can_decode("utf-8", line) for line in lines)
    if lines and 2 * good >= len(lines) and b"\0" not in data:
        return "utf-8"
    if learnt and not learnt.lower().startswith("utf") and can_decode(learnt, data):
        return learnt
    best, *others = readings(data)
    if best != "utf-8":
        doubt = f", but may be {' or '.join(others[:2])}" if others else ""
        advice = f"{option} names another" if option else "if that is wrong, save it as UTF-8"
        _log.warning("%s is not UTF-8: read as %s%s; %s", file, best, doubt, advice)
    return best


def _has_shifts(file: BinaryIO) -> bool:
    file.seek(0)
    end = b""
    while block := file.read(_BLOCK):
        if _SHIFT.search(end + block):
            return True
        end = block[-2:]
    return False


def _wide(data: bytes) -> str | None:
    """UTF-16 without a BOM, if every other byte of `data` is mostly 0, as of Latin letters."""
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = data[start::2].count(0), data[1 - start :: 2].count(0)
        if zeros > _ZEROS * len(data) / 2 and not others:
            return name
    return None
