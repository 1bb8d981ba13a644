"""What a generator writes: prompts out of the data, continued at several temperatures."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils.epath import Path

from millrace.components.features import record
from millrace.components.inference.saved_model import Row
from millrace.serving.model import LoadedModel

TEMPERATURES = (0.0, 0.5, 1.0)
_PROMPTS = 3  # of each split
_WORDS = 4  # of a prompt
_CHARACTERS = 24  # of a prompt, at most
_LENGTHS = {"word": 40, "subword": 60, "character": 300}  # tokens
_SEED = 0


@dataclasses.dataclass(frozen=True, order=True)
class Sample:
    """A prompt's continuation."""

    split: str
    number: int
    prompt: str
    temperature: float
    text: str


def in_words(
    model: LoadedModel, split: str, rows: Iterable[Row], settings: Mapping[str, Any]
) -> tuple[Sample, ...]:
    """The continuations of the openings of the first rows, by the signature `generate`."""
    prompts = list(itertools.islice(_openings(rows), _PROMPTS))
    if not prompts:
        return ()
    asked = {
        "prompt": np.array([prompt.encode() for prompt in prompts], object),
        "length": np.array(_LENGTHS[settings["level"]], np.int32),
        "top_k": np.array(0, np.int32),
        "seed": np.array(_SEED, np.int32),
    }
    found = []
    for temperature in TEMPERATURES:
        heat = np.array(temperature, np.float32)
        answers = model.predict({**asked, "temperature": heat}, signature="generate")
        for number, (prompt, text) in enumerate(zip(prompts, answers["text"], strict=True)):
            found.append(Sample(split, number, prompt, temperature, text.decode(errors="replace")))
    return tuple(found)


def opening(text: str) -> str:
    """The first words of a text's second line, for the first may be a rest; else of the first.

    At most four words, and of those what fits into 24 characters, but the first one always.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    words = (lines[1:2] or lines or [""])[0].split()[:_WORDS]
    while len(words) > 1 and len(" ".join(words)) > _CHARACTERS:
        words.pop()
    return " ".join(words)[:_CHARACTERS]


def _openings(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        prompt = opening((record.text(row.features) or b"").decode(errors="replace"))
        if prompt:
            yield prompt


def write_samples(samples: Sequence[Sample], file: Path) -> None:
    """Write samples as a page to read."""
    paragraphs = []
    for (split, _, prompt), same in itertools.groupby(
        samples, key=lambda sample: (sample.split, sample.number, sample.prompt)
    ):
        paragraphs.append(f"=== split {split}, prompt {prompt!r}, seed {_SEED}")
        paragraphs += [f"--- temperature {each.temperature:g}\n{each.text}" for each in same]
    file.write_text("".join(f"{paragraph}\n\n" for paragraph in paragraphs))
