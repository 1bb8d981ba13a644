"""Which column of a table is the label, where nobody says, and what its classes are called."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from millrace.components.files.names import words
from millrace.serving.errors import few

_CERTAIN = ("label", "labels", "target", "class", "y", "outcome", "species")
_LIKELY = (
    *("survived", "churn", "churned", "exited", "attrition", "diagnosis", "fraud", "is_fraud"),
    *("spam", "is_spam", "price", "sale_price", "selling_price", "medv", "median_house_value"),
)
_AT_AN_END = ("quality", "default", "income", "rating", "score", "result", "response", "approved")

_IDENTIFIERS = frozenset(
    (
        *("id", "ids", "uid", "uuid", "guid", "index", "idx", "key", "ref", "reference", "code"),
        *("row", "rowid", "rownum", "rownumber", "number", "no", "nr", "num", "sn", "sno"),
        *("account", "serial", "instant", "record", "token", "hash", "barcode", "ean", "isbn"),
        *("phone", "telephone", "tel", "mobile", "fax", "ssn", "iban", "vin", "unnamed"),
    )
)

_CODES = frozenset(  # a last word, or the last two
    (
        *(
            "zip",
            "zipcode",
            "postcode",
            "postalcode",
            "plz",
            "postleitzahl",
            "codepostal",
            "pincode",
        ),
        *("postnummer", "phone", "telephone", "phonenumber", "phoneno", "telephonenumber"),
        *("mobilenumber", "faxnumber", "accountnumber", "accountno", "accountnr", "accountid"),
        *("kontonummer", "telefon", "telefonnummer", "areacode", "countrycode", "isbn", "ean"),
    )
)


def names_rows(name: str) -> bool:
    """Whether the last word of `name` is one for identifiers: `PassengerId`, `order no.`."""
    found = words(name)
    return "/" not in name and bool(found) and found[-1] in _IDENTIFIERS


def names_codes(name: str) -> bool:
    """Whether `name` is one for numbers that are not counted with: `zip`, `customer_phone`."""
    last_two = words(name)[-2:]
    return "/" not in name and not _CODES.isdisjoint((*last_two[-1:], "".join(last_two)))


def choose(names: Sequence[str], last: str) -> tuple[str, str]:
    """The label of a table, and how it was found, in words.

    Args:
        names: of the columns that may be it, in the order of the source.
        last: the one taken where no name tells; empty for the last of `names`.
    """
    by_name = {_plain(name): name for name in reversed(names)}
    ends = {_plain(name) for name in (*names[:1], last or names[-1])} if names else set()
    wanted = [
        *(_plain(name) for name in (*_CERTAIN, *_LIKELY)),
        *(_plain(name) for name in _AT_AN_END if _plain(name) in ends),
    ]
    found = [by_name[name] for name in wanted if name in by_name]
    if not found:
        return last or (names[-1] if names else ""), "the last column"
    rest = found[1:] if _plain(found[0]) not in _CERTAIN[:3] else []
    others = f"; {few(map(repr, rest))} could be it too" if rest else ""
    return found[0], f"by its name{others}"


def _plain(name: str) -> str:
    """`name` without case, blanks and signs: `Sale Price` and `sale_price` are one."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def class_name(value: pa.Scalar) -> str:
    """A label as its class is called: text, or a number as numpy writes it."""
    if pa.types.is_binary(value.type):
        return value.as_py().decode("utf-8", "backslashreplace")
    return str(value.as_py()) if pa.types.is_integer(value.type) else str(np.float32(value.as_py()))
