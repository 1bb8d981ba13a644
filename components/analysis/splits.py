"""One pass over the shards of several splits, whose findings are merged split by split."""

import itertools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from etils.epath import Path

from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.features.record import ClassCounts, class_names

logger = logging.getLogger("millrace.components.analyze")


class SplitFile(NamedTuple):
    """A file of records and the split that it is of."""

    split: str
    file: str


class SplitSurvey(Protocol):
    """What is known of a split's records."""

    classes: ClassCounts

    def to_json(self) -> str: ...


S = TypeVar("S", bound=SplitSurvey)


def split_files(examples: Examples) -> list[SplitFile]:
    """Every file of every split."""
    return [
        SplitFile(split, str(file)) for split in examples.splits for file in examples.files(split)
    ]


def survey_splits(
    files: Sequence[SplitFile],
    find: Callable[[SplitFile], S],
    merge: Callable[[Iterable[S]], S],
    out: Path,
    name: str,
    run_on: BeamOptions,
) -> dict[str, S]:
    """What `find` says of the files of each split, merged; left in `<name>-<split>.json` in `out`.

    Args:
        files: those of a split one after another.
        find: of a file.
        merge: of several files.
        out: the folder of the analysis.
        name: what the files there are called.
        run_on: Beam's flags.
    """
    found = zip(files, shard_pass("Survey", files, find, out, run_on), strict=True)
    surveys = {
        split: merge(survey for _, survey in group)
        for split, group in itertools.groupby(found, key=lambda pair: pair[0].split)
    }
    for split, survey in surveys.items():
        (out / f"{name}-{split}.json").write_text(survey.to_json())
    return surveys


def warn_of_unknown_classes(surveys: Mapping[str, SplitSurvey]) -> None:
    """Log the classes of other splits that train lacks."""
    known = class_names(surveys["train"].classes)
    for split, found in surveys.items():
        unknown = sorted(class_names(found.classes) - known)
        if unknown:
            logger.warning(
                "split %s has %d classes that train lacks; their records will be set aside: %s",
                *(split, len(unknown), ", ".join(unknown[:10])),
            )
