"""Why a step ran: what is different from the last time, in sentences."""

from collections.abc import Iterator, Mapping
from typing import Any

from millrace.pipeline.fingerprint import Ingredients

FIRST = "this step has not run before in this pipeline"

NOTHING = "its earlier output is no longer in place"
"""What is said of a step that ran although it is set as it was."""

_NAME = "millrace"
_FORMER = ("components", "pipeline", "serving")  # its packages, until they became millrace.…
_RENAMED = "millrace's modules have other names now (millrace.…), so that every step runs once"


def reasons(
    now: Ingredients, before: Mapping[str, Any] | None, *, forced: bool, damage: str = ""
) -> list[str]:
    """Sentences that tell the ingredients `now` from those of the last execution, `before`.

    `before` is `dataclasses.asdict` of its `Ingredients`, None where there was none. `damage` is
    what is wrong with an output of the same ingredients, if that is why it is not reused.
    """
    if before is None:
        return [FIRST]
    component, code = before.get("component", now.component), before["code"]
    renamed = _is_of_former_names(code)
    found = [
        *([_RENAMED] if renamed else _component(component, now.component)),
        *_changes("option", before["options"], now.options),
        *_inputs(before["inputs"], now.inputs),
        *_versions(before["versions"], now.versions),
        *(_code(_own(code), _own(now.code)) if renamed else _code(code, now.code)),
    ]
    if damage:
        found.append(f"its output was damaged: {damage}")
    if forced:
        found.append("requested by --force")
    return found or [NOTHING]


def _is_of_former_names(code: Mapping[str, str]) -> bool:
    """Whether `code` was reached while millrace's packages bore the `_FORMER` names."""
    tops = {name.partition(".")[0] for name in code}
    return _NAME not in tops and bool(tops & set(_FORMER))


def _own(code: Mapping[str, str]) -> dict[str, str]:
    """What of `code` is a person's own."""
    return {
        name: digest
        for name, digest in code.items()
        if name.partition(".")[0] not in (_NAME, *_FORMER)
    }


def _component(before: str, now: str) -> Iterator[str]:
    if before != now:
        yield f"component changed from {before} to {now}"


def _changes(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old != new and isinstance(old, dict) and isinstance(new, dict):
            nested = {f"{name}.{key}": value for key, value in old.items()}
            yield from _changes(what, nested, {f"{name}.{k}": v for k, v in new.items()})
        elif old != new:
            yield f"{what} {name} changed from {old!r} to {new!r}"


def _versions(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old is None:
            yield f"its code imports {name} {new} now"
        elif new is None:
            yield f"its code imports {name} no longer"
        elif old != new:
            yield f"version of {name} changed from {old!r} to {new!r}"


def _inputs(before: Mapping[str, str | None], now: Mapping[str, str | None]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old != new:
            verb = "is new" if old is None else "is no longer given" if new is None else "changed"
            yield f"input {name} {verb}"


def _code(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if changed:
        yield f"code changed in {', '.join(changed)}"
