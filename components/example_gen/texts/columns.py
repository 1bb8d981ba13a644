"""Which column holds the texts and which the classes, where no option names them."""

import logging
import re
from collections.abc import Mapping, Sequence

from millrace.components.errors import DataError, OptionError

Cells = Mapping[str, str]

# Usual names, the plainest first.
_TEXTS = (
    *("text", "content", "review", "headline", "message", "sms", "sentence", "comment", "tweet"),
    *("body", "article", "document", "title", "question", "description", "phrase", "utterance"),
)
_LABELS = (
    *("label", "class", "category", "sentiment", "target", "topic", "intent", "polarity", "rating"),
    *("stars", "spam", "is_spam", "sarcastic", "is_sarcastic", "emotion", "type", "language"),
)
MOST_CLASSES = 1000
_FEW = 50  # distinct values of a column that is taken for classes without such a name
_log = logging.getLogger("millrace.components.example_gen.text")


def choose(
    step: str, place: object, names: Sequence[str], rows: Sequence[Cells], text: str, label: str
) -> tuple[str, str]:
    """The names of the columns of texts and of classes, `names` being all, `rows` the first ones.

    `text` and `label` are taken where they are not empty. Else the texts are the column with such a
    name, or that with the longest cells; the classes that with such a name, or that with the
    fewest distinct cells, from 2 to 50.

    Raises:
        OptionError: there is no column of the name given.
        DataError: there is no column that can be meant.
    """
    _check(step, place, names, text=text, label=label)
    text = text or text_column([name for name in names if name != label], rows)
    label = label or _label_column(names, rows, text)
    if not text or not label or text == label:
        missing = "texts" if not text else "classes"
        option = "text" if not text else "label"
        raise DataError(
            f"{place}: expected a column of texts and one of classes. Received: none that looks "
            f"like {missing} among {', '.join(map(repr, names)) or 'no columns'}. Name it by "
            f"the option {option}."
        )
    _log.info("%s: texts from column %r, classes from column %r", step, text, label)
    return text, label


def _check(step: str, place: object, names: Sequence[str], **given: str) -> None:
    for option, name in given.items():
        if name and name not in names:
            raise OptionError(
                f"{step}, option {option}: expected a column of {place}: {', '.join(names)}. "
                f"Received: {name!r}. Correct the name."
            )


def text_column(names: Sequence[str], rows: Sequence[Cells]) -> str:
    """The one of `names` with a usual name for texts, else with the longest cells, if any."""
    known = _named(names, _TEXTS)
    if known:
        return known
    lengths = {name: sum(len(row.get(name, "")) for row in rows) for name in names}
    return max(lengths, key=lambda name: lengths[name], default="")


def _label_column(names: Sequence[str], rows: Sequence[Cells], text: str) -> str:
    others = [name for name in names if name != text]
    distinct = {name: len({row[name] for row in rows if row.get(name)}) for name in others}
    known = _named([name for name in others if distinct[name]], _LABELS)
    fitting = [name for name in others if 2 <= distinct[name] <= max(2, min(_FEW, len(rows) / 2))]
    return known or min(fitting, key=lambda name: distinct[name], default="")


_WHOLE = re.compile(r"-?[0-9]{1,18}")


def _named(names: Sequence[str], wanted: Sequence[str]) -> str:
    """The first of `wanted` that is a name, whatever its case."""
    folded = {name.strip().lower(): name for name in reversed(names)}
    return next((folded[name] for name in wanted if name in folded), "")


def in_order(classes: set[str]) -> tuple[str, ...]:
    """Class names in the order of their labels: by number if all are numbers, else by text."""
    if all(_WHOLE.fullmatch(name) for name in classes):
        return tuple(sorted(classes, key=lambda name: (int(name), name)))
    return tuple(sorted(classes))


def check_classes(place: object, label: str, classes: set[str]) -> None:
    """Raise DataError if there are fewer than two classes, or too many to be classes."""
    if len(classes) < 2:
        found = f"only {next(iter(classes))!r}" if classes else "none"
        raise DataError(
            f"{place}, column {label!r}: expected at least two classes. Received: {found}. "
            "Name the column of classes by the option label."
        )
    if len(classes) > MOST_CLASSES:
        raise DataError(
            f"{place}, column {label!r}: expected at most {MOST_CLASSES} classes. Received: "
            f"{len(classes)}, such as {sorted(classes)[0]!r}. Name the column of classes by the "
            "option label."
        )
