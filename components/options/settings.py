"""Options from text, checked and converted by their annotations.

A value is a scalar, a tuple written `64,64` or `[64, 64]`, a mapping written `train=0.8,test=0.2`,
as JSON or one key at a time (`evaluator.at_least.accuracy=0.9`), or a dataclass set field by field
(`trainer.model.filters=32,64`); a union of dataclasses is chosen by its kind
(`trainer.model=dense`). A word is known in any case, with underscores or without, as Keras writes
its classes. A dataclass that has `of_piece` is also made of what `user_code.calls` reads, such as
`mine.losses:focal(gamma=2)`.
"""

import contextlib
import dataclasses
import difflib
import json
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import pydantic

from millrace.components.errors import OptionError
from millrace.components.files import paths
from millrace.components.options.ranges import MOST
from millrace.components.user_code import calls
from millrace.serving.errors import few

NO_OTHERS: dict[str, Any] = {}


def check(annotation: Any, value: Any, place: str) -> Any:
    """`value` converted to `annotation`.

    Raises:
        OptionError: it does not fit; names `place`.
    """
    try:
        found = _adapter(annotation).validate_python(value)
    except pydantic.ValidationError as error:
        raise OptionError(_misfit(annotation, value, place, error)) from None
    if hasattr(found, "check"):
        found.check()  # fields that were set one by one may not fit one another
    return found


def assign(
    annotation: Any,
    current: Any,
    keys: Sequence[str],
    value: Any,
    place: str,
    others: Mapping[str, Any] = NO_OTHERS,
) -> Any:
    """`current` with what is at `keys` below it replaced by `value`, text or not, converted.

    What is not there is looked for in `others`, the annotations of other options by their names.

    Raises:
        OptionError: there is nothing at `keys`, or the value does not fit; names `place`.
    """
    if not keys and isinstance(value, str):
        return _from_text(annotation, current, value, place)
    if not keys:
        return check(annotation, value, place)
    key, rest = keys[0], keys[1:]
    if dataclasses.is_dataclass(current) and not isinstance(current, type):
        return _assign_field(annotation, current, key, rest, value, place, others)
    if typing.get_origin(_bare(annotation)) is dict:
        value_type = typing.get_args(_bare(annotation))[1]
        if not _has_parts(value_type):
            key, rest = ".".join(keys), ()
        old = dict(current or {})
        old[key] = assign(value_type, old.get(key), rest, value, place, others)
        return old
    raise OptionError(f"--set {place}: expected no `.{key}`; the option is {describe(annotation)}.")


def dump(annotation: Any, value: Any) -> Any:
    """`value` as plain JSON types, the same for equal values."""
    # Of a union of dataclasses only the value's own is looked at: each takes milliseconds.
    is_one = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return pydantic.TypeAdapter(type(value) if is_one else annotation).dump_python(
        value, mode="json"
    )


def describe(annotation: Any) -> str:
    """The annotation as a person would write it: `int`, `valid or same`, `int from 1,…`."""
    if limits := _limits(annotation):
        return f"{describe(_bare(annotation))} {limits}"
    bare = _bare(annotation)
    if said := _description(annotation):
        return said
    if members := dataclass_members(annotation):
        return " or ".join(sorted(members))
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    if origin is typing.Literal:
        return " or ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join("none" if one is type(None) else describe(one) for one in arguments)
    if origin is tuple:
        return ",".join("…" if one is ... else describe(one) for one in arguments)
    if origin is dict:
        return f"{describe(arguments[1])} by name"
    return getattr(bare, "__name__", str(bare))


def _description(annotation: Any) -> str:
    """The text that an annotated type brings, if any."""
    fields = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is Annotated else ()
    return next((field for field in fields if isinstance(field, str)), "")


def choices(annotation: Any) -> list[str]:
    """Every text that an option of this type takes, in order; empty where others fit as well."""
    bare = _bare(annotation)
    if bare is bool:
        return ["true", "false"]
    if bare is type(None):
        return ["none"]
    members = dataclass_members(annotation)
    if any(hasattr(kind, "of_piece") for kind in members.values()):
        return []  # a call of a person's own fits too
    if members:
        return sorted(members)
    if typing.get_origin(bare) is typing.Literal:
        return list(map(str, typing.get_args(bare)))
    if typing.get_origin(bare) in (typing.Union, types.UnionType):
        found = [choices(each) for each in typing.get_args(bare)]
        return [word for each in found for word in each] if all(found) else []
    return []


def bounds(annotation: Any) -> dict[str, Any] | None:
    """Of a number: `whole`, and `least` and `most`, where it may be equal to them; else None."""
    bare = _bare(annotation)
    if bare not in (int, float):
        return None
    found = dict(_bounds(annotation))
    return {"whole": bare is int, "least": found.get("ge"), "most": found.get("le")}


def _bounds(annotation: Any) -> Iterator[tuple[str, float]]:
    """The bounds of a number by pydantic's names for them."""
    fields = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is Annotated else ()
    found = [bound for field in fields for bound in getattr(field, "metadata", [field])]
    for name in ("ge", "gt", "le", "lt"):
        yield from ((name, getattr(bound, name)) for bound in found if hasattr(bound, name))


def _limits(annotation: Any) -> str:
    """The range of a number, as in `from 0 to 1`; empty without one, or none worth a word."""
    words = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    told = [(words[name], limit) for name, limit in _bounds(annotation) if limit < MOST]
    return " ".join(f"{word} {limit:,}" for word, limit in told)


def as_text(value: Any) -> str:
    """A value in plain JSON types as text that is read as it again, as after `--set …=`."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(_is_plain(each) for each in value):
        return ",".join(map(as_text, value))
    return json.dumps(value, ensure_ascii=False)


def _is_plain(item: Any) -> bool:
    """Whether an item of a list can stand between commas without quotes."""
    if isinstance(item, str):
        return bool(item) and item == item.strip() and not set(item) & set(',()[]{}"')
    return isinstance(item, int | float) and not isinstance(item, bool)


def nearest_option(word: str, known: Mapping[str, Any]) -> str:
    """A sentence that offers what the options `known`, annotations by name, call `word`.

    That is a field within one (`clipnorm` is `optimizer.clipnorm`), or a kind of one
    (`cosine` is `schedule=cosine`), else the option of the nearest name.
    """
    return within(word, known) or nearest(word, known)


def within(word: str, known: Mapping[str, Any]) -> str:
    """A sentence that offers a field or a kind called `word` within one of `known`; else empty."""
    for name, annotation in known.items():
        if word == name:
            return f"Did you mean `{name}`?"
        if word in dataclass_members(annotation):
            return f"Did you mean `{name}={word}`?"
        bare = _bare(annotation)
        for one in filter(dataclasses.is_dataclass, (bare, *typing.get_args(bare))):
            if word in {field.name for field in dataclasses.fields(one)}:
                return f"Did you mean `{name}.{word}`?"
    return ""


def nearest(word: str, known: Iterable[str]) -> str:
    """A sentence that offers the nearest of `known`, or lists them all."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean `{near[0]}`?" if near else f"There are: {few(known, most=50) or 'none'}."


def _assign_field(
    annotation: Any,
    current: Any,
    key: str,
    rest: Sequence[str],
    value: Any,
    place: str,
    others: Mapping[str, Any],
) -> Any:
    members = dataclass_members(annotation)
    if key == "kind" and members and not rest:
        return assign(annotation, current, (), value, place)
    hints = typing.get_type_hints(type(current), include_extras=True)
    if key not in hints:
        found = within(key, others) or nearest(key, hints)
        raise OptionError(f"--set {place}: unknown field `{key}`. {found}")
    field = assign(hints[key], getattr(current, key), rest, value, place, others)
    return dataclasses.replace(current, **{key: field})


def _from_text(annotation: Any, current: Any, text: str, place: str) -> Any:
    members = dataclass_members(annotation)
    if (word := _spelled(text, members)) in members:
        kind = members[word]
        is_same = isinstance(current, kind)
        return dataclasses.replace(current, kind=word) if is_same else kind(kind=word)
    try:
        paths.utf8(text)
        for kind in members.values() if calls.is_call(text) else ():
            if hasattr(kind, "of_piece"):
                calls.parse(text)
                return kind.of_piece(text.strip(), current if isinstance(current, kind) else None)
    except ValueError as error:
        raise OptionError(f"Option {place}: {error}") from None
    names = [name for name, _ in _pairs(annotation, text)]
    if len(set(names)) < len(names):
        raise OptionError(
            f"Option {place}: expected each name once. Received: {text!r}. Leave one out."
        )
    adapter = _adapter(annotation)
    found: list[pydantic.ValidationError] = []
    for candidate in _readings(annotation, text):
        try:
            return adapter.validate_python(candidate)
        except pydantic.ValidationError as error:
            found.append(error)
    # Of a tuple, only the reading as a list says which of its items is wrong, and how; a check of
    # our own came last of all.
    nearest_miss = max(found, key=_nearness)
    raise OptionError(_misfit(annotation, text, place, nearest_miss))


def _nearness(error: pydantic.ValidationError) -> tuple[bool, int]:
    first = error.errors()[0]
    return first["type"] == "value_error", len(first["loc"])


def _readings(annotation: Any, text: str) -> list[Any]:
    """The values that `text` may stand for, the likeliest first."""
    if text.lower() in ("none", "null") and type(None) in typing.get_args(_bare(annotation)):
        return [None]
    spelled = _spelled(text, _words(annotation))
    readings: list[Any] = [text] if spelled == text else [spelled, text]
    # What is no JSON, has thousands of digits or is nested as deep is one of the other readings.
    with contextlib.suppress(ValueError, RecursionError):
        readings.append(json.loads(text))
    readings.append(_items(text))
    if pairs := _pairs(annotation, text):
        readings.append(dict(pairs))
    return readings


def _items(text: str) -> list[str]:
    """The parts of `text` between commas; those within brackets part nothing."""
    items, depth = [""], 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth <= 0:
            items.append("")
        else:
            items[-1] += sign
    return [item.strip() for item in items if item.strip()]


def _spelled(text: str, words: Iterable[str]) -> str:
    """The one of `words` that `text` is but for its capitals and underscores; else `text`."""
    known = list(words)
    alike = [word for word in known if calls.folded(word) == calls.folded(text)]
    return alike[0] if text not in known and len(alike) == 1 else text


def _words(annotation: Any) -> list[str]:
    """The texts that an annotation lists, alone or beside other types."""
    bare = _bare(annotation)
    if typing.get_origin(bare) is typing.Literal:
        return [word for word in typing.get_args(bare) if isinstance(word, str)]
    if typing.get_origin(bare) in (typing.Union, types.UnionType):
        return [word for one in typing.get_args(bare) for word in _words(one)]
    return []


def _pairs(annotation: Any, text: str) -> list[tuple[str, str]]:
    """The names and values of a mapping written `eval=1 May 2020,test=June 1, 2020`."""
    if typing.get_origin(_bare(annotation)) is not dict:
        return []
    parts = [part.partition("=") for part in re.split(r",(?=[^,=]+=)", text)]
    named = [(name.strip(), value.strip()) for name, equals, value in parts if equals]
    return named if len(named) == len(parts) else []


def _misfit(annotation: Any, value: Any, place: str, error: pydantic.ValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "value_error":  # of a check of our own, which says it all
        said = str(first["ctx"]["error"])
        return f"Option {place}: {said} Correct it with `--set {place}=…`."
    where = "".join(f"{part}: " for part in first["loc"])
    form = "NAME=…,NAME=…" if typing.get_origin(_bare(annotation)) is dict else "…"
    detail = "" if dataclass_members(annotation) else f" ({where}{first['msg']})"
    return (
        f"Option {place}: expected {describe(annotation)}. Received: {value!r}{detail}. "
        f"Correct it with `--set {place}={form}`."
    )


def _adapter(annotation: Any) -> pydantic.TypeAdapter[Any]:
    """Converts to `annotation`, numbers that are neither infinite nor NaN."""
    # A type alias of its own: a dataclass would have to bring its own configuration.
    alias = typing.NewType("alias", annotation)  # type: ignore[valid-newtype]
    return pydantic.TypeAdapter(alias, config=pydantic.ConfigDict(allow_inf_nan=False))


def _bare(annotation: Any) -> Any:
    """The annotation without what `Annotated` adds to it."""
    is_annotated = typing.get_origin(annotation) is Annotated
    return typing.get_args(annotation)[0] if is_annotated else annotation


def _has_parts(annotation: Any) -> bool:
    """Whether keys may go on below a value of this type."""
    return bool(dataclass_members(annotation)) or typing.get_origin(_bare(annotation)) is dict


def dataclass_members(annotation: Any) -> dict[str, Any]:
    """The dataclasses of a union, by the `kind` that tells them apart; one may have several."""
    bare = _bare(annotation)
    if typing.get_origin(bare) not in (typing.Union, types.UnionType):
        members = (bare,)
    else:
        members = typing.get_args(bare)
    return {
        kind: member
        for member in members
        if dataclasses.is_dataclass(member) and hasattr(member, "kind")
        for kind in _words(typing.get_type_hints(member)["kind"])
    }
