"""What a person says about a run: tags, a set of plain words, and one note.

The tag `keep` keeps what a run made from `millrace gc`; the others mean what their owner means.
"""

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import RunRecord, TagRecord
from millrace.serving import labels

KEEP = "keep"

_MOST_OF_NOTE = 10_000


def word(text: str) -> str:
    """`text`, if it can be a tag.

    Raises:
        UsageError: it cannot.
    """
    if not labels.is_word(text):
        raise UsageError(
            f"Tag {text[: labels.MOST + 1]!r}: expected a word of letters, digits, `_`, `.` and "
            f"`-`, at most {labels.MOST}, that begins with one of the first three. Received: "
            "another text. Put sentences into the note: --note TEXT."
        )
    return text


def note(text: str) -> str:
    """`text`, if it can be a run's note.

    Raises:
        UsageError: it cannot.
    """
    if len(text) > _MOST_OF_NOTE or "\0" in text:
        raise UsageError(
            f"Note: expected a text of at most {_MOST_OF_NOTE:,} letters, without a zero byte. "
            f"Received: {len(text):,} letters. Say it more briefly, or name a file that says it."
        )
    return text


def add(session: Session, run: str, words: Iterable[str]) -> None:
    """Tag `run` with `words`; it keeps those that it has.

    Raises:
        UsageError: one cannot be a tag.
    """
    wanted = {word(each) for each in words}
    session.get_one(RunRecord, run, with_for_update=True)  # others who tag it wait
    known = set(session.scalars(sa.select(TagRecord.tag).where(TagRecord.run_id == run)))
    session.add_all(TagRecord(run_id=run, tag=each) for each in sorted(wanted - known))


def remove(session: Session, run: str, words: Collection[str]) -> None:
    """Take `words` from the tags of `run`, as far as they are among them."""
    session.execute(sa.delete(TagRecord).where(TagRecord.run_id == run, TagRecord.tag.in_(words)))


def of(session: Session, runs: Collection[str] | None = None) -> dict[str, list[str]]:
    """The tags of each of `runs`, or of all that have some, sorted, by one query."""
    query = sa.select(TagRecord.run_id, TagRecord.tag).order_by(TagRecord.tag)
    if runs is not None:
        query = query.where(TagRecord.run_id.in_(runs))
    found: dict[str, list[str]] = {run: [] for run in runs or ()}
    for run, tag in session.execute(query):
        found.setdefault(run, []).append(tag)
    return found


def tagged(words: Collection[str]) -> sa.ColumnElement[bool]:
    """The condition on runs that they have every one of these tags."""
    each = (RunRecord.id.in_(sa.select(TagRecord.run_id).where(TagRecord.tag == w)) for w in words)
    return sa.and_(sa.true(), *each)
