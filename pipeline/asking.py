"""What a person wants predicted, from files, texts, rows and numbers, and the answers to it."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from millrace.pipeline import given, predictions, question_files, questions
from millrace.pipeline.errors import UsageError
from millrace.pipeline.origin import UNKNOWN, find
from millrace.pipeline.predictions import Answers
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store

_LONGEST_WAIT = 86_400  # seconds


@dataclasses.dataclass(frozen=True)
class Asked:
    """What to ask a model about; what fits depends on the model.

    Attributes:
        images: paths of image files.
        texts: to be judged.
        prompts: texts to be continued.
        rows: values by column.
        windows: past numbers as text, or a CSV file that ends with them.
        csv: a file of rows like those learnt from; of a series, its latest.
        sample: how many rows of the test split of the last run to ask about as well.
        scalars: inputs of a text generator: length, temperature, top_k, seed.
    """

    images: Sequence[str] = ()
    texts: Sequence[str] = ()
    prompts: Sequence[str] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    windows: Sequence[str] = ()
    csv: str | None = None
    sample: int | None = None
    scalars: Mapping[str, float | None] = dataclasses.field(default_factory=dict)


def predict(
    root: Root,
    model: str,
    asked: Asked,
    target: str,
    *,
    wait: float = 0.0,
    open_store: Callable[[], Store],
    check: Callable[[], None],
    tell: Callable[[str], None] = lambda _: None,
) -> Answers:
    """The answers of `model`, served at `target` or by a server started for this.

    Args:
        root: where the pushed models are.
        model: its name.
        asked: what about.
        target: HOST:PORT, or nothing.
        wait: for how many seconds the server at `target` may not be up yet, or not have the model.
        open_store: gives the record of runs, where that is needed.
        check: refuses a damaged version, before a server is started for it.
        tell: shows a person what it is that takes a while.

    Raises:
        UsageError: what is asked cannot be read, or the model does not take it.
    """
    if not 0 <= wait <= _LONGEST_WAIT:  # nor NaN
        raise UsageError(
            f"--wait: expected seconds from 0 to {_LONGEST_WAIT}. Received: {wait:g}. Correct it."
        )
    # Another server's models may have names that none of ours has.
    (given.utf8 if target else given.model_name)(model, "Model")
    for option, path in (("--csv", asked.csv), *(("--window", each) for each in asked.windows)):
        if path:
            given.path(path, option)
    by_origin = bool(asked.csv or asked.windows or asked.rows)
    origin = find(open_store(), model) if by_origin and Store.is_there(root) else UNKNOWN
    found = questions.from_files(asked.images) + questions.from_texts(asked.texts)
    found += questions.from_texts(asked.prompts, "--prompt")
    found += question_files.from_rows(asked.rows, origin)
    if asked.sample:
        found += questions.from_last_run(open_store(), model, asked.sample)
    late = [partial(question_files.of_window, each, origin) for each in asked.windows]
    if asked.csv:
        late.append(partial(question_files.from_csv, pathlib.Path(asked.csv), origin))
    if not target:
        check()
    return predictions.ask(
        root, model, found, target, wait=wait, late=late, scalars=asked.scalars, tell=tell
    )
