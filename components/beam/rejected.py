"""What was set aside: how it is shown, and the limit on it that every step has."""

from collections.abc import Sequence

from millrace.components.artifacts import Rejected, SetAside
from millrace.components.errors import DataError
from millrace.components.files.printable import one_line

_NAMED = 5  # that an error or the log names; the rest stand in rejected.jsonl


def check_rejected(
    step: str, rejected: Sequence[Rejected], found: int, limit: float, *, what: str = "inputs"
) -> None:
    """Check the share of inputs set aside against a step's option `max_rejected`.

    Args:
        step: its name.
        rejected: what was set aside.
        found: how many inputs there were, those set aside included.
        limit: the share of them that may be set aside; never all of them.
        what: the inputs, in the plural.

    Raises:
        DataError: more were, or all; names the first.
    """
    count = len(rejected)
    if not count or (count <= limit * found and count < found):
        return
    # The next whole hundredth lets them pass; nothing does where all inputs are unusable.
    share = (100 * count // found + 1) / 100
    more_by = f", or allow more by `--set {step}.max_rejected={share:g}`" if count < found else ""
    named = "".join(f"\n  {line}" for line in first_rejected(rejected))
    more = f"\n  and {count - _NAMED} more" if count > _NAMED else ""
    raise DataError(
        f"{step}: expected at most {limit:.2%} of the {what} to be unusable. Received: "
        f"{count} of {found} ({count / found:.2%}):{named}{more}\nCorrect or remove them{more_by}."
    )


def first_rejected(rejected: Sequence[Rejected] | SetAside) -> list[str]:
    """A line for each of the first few, by source and number, and why it was set aside."""
    every = rejected if isinstance(rejected, SetAside) else SetAside.of(rejected)
    return [_line(item) for item in every.first(_NAMED)]


def _line(item: Rejected) -> str:
    place = ", ".join(filter(None, (item.source, item.position)))
    return f"{one_line(place)}: {item.reason}"
