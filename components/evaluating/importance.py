"""Why a model answers as it does: what it answers once a part of its input tells nothing.

The model is asked as it is served, about few rows, drawn by a seed; the work is bounded, whatever
the size of the data. `why.json` has `kind`, `rows`, `metric`, and by the kind of data:

table   `columns`: how much worse the metric is where a column's values are dealt anew among rows
series  `columns`: likewise of each channel; `lags`: of the first target, where what its values at
        some steps back are above the window's mean is dealt anew
text    `classes`: the words whose removal takes most from a class's probability, summed up;
        `examples`: texts word by word, with what each one's removal takes from the answer
image   `pictures`: of the answer's probability what a grey patch takes, by place

Sources: Breiman, "Random forests" (2001), and Fisher, Rudin, Dominici (2019), for permutation;
Zeiler, Fergus, "Visualizing and understanding convolutional networks" (2014), for occlusion.
"""

import collections
import dataclasses
import io
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.evaluating import forecast_rows, importance_plots
from millrace.components.evaluating.classification_tally import cross_entropy
from millrace.components.evaluating.files import write_json
from millrace.components.features import record
from millrace.components.files import columns
from millrace.components.inference import requests
from millrace.components.inference.rows import Rows, read_rows
from millrace.components.inference.saved_model import SIGNATURE, Outputs, class_names
from millrace.serving.model import LoadedModel

_SEED = 0
_ROWS = 500
_READ = 4_000  # rows, of which those are drawn
_COLUMNS = 60
_DEALS = 2
_LAGS = 12  # groups of steps back
_TEXTS, _WORDS = 100, 40
_TEXTS_SHOWN = 4
_TOP = 12  # words of a class
_CLASSES = 12
_PICTURES = 4
_PATCHES = 7  # along a side
_LARGEST = 256  # pixels of a side that is asked about
_BATCH = 128
_WORD = re.compile(r"\S+")
_EDGES = ".,;:!?\"'()[]{}…«»“”„-"

Inputs = dict[str, np.ndarray]
Wrong = Callable[[Outputs], float]
Deal = Callable[[NDArray[np.int64]], Inputs]  # an order of the rows to the inputs that change


def explain(
    model: LoadedModel, described: Mapping[str, Any], files: Iterable[Path], label: str, out: Path
) -> None:
    """Write `why.json` and pictures to `out`; nothing of a kind that is not explained.

    Args:
        model: as it is served.
        described: its `model.json`.
        files: the shards of a split.
        label: the feature with the truth.
        out: an existing folder.
    """
    kinds = {"table": _table, "series": _series, "text": _text, "image": _image}
    of_kind = kinds.get(described.get("kind", ""))
    if of_kind is None or not (rows := _drawn(files)):
        return
    asked = _Asked(model, described, label)
    found = of_kind(asked, rows)
    if found:
        found = {"kind": described["kind"], **found}
        write_json(out / "why.json", {k: v for k, v in found.items() if k != "pixels"})
        importance_plots.draw(found, out)


@dataclasses.dataclass(frozen=True)
class _Asked:
    """A model, what is known of it, and the feature with the truth."""

    model: LoadedModel
    described: Mapping[str, Any]
    label: str

    def inputs(self, rows: Rows) -> Inputs:
        """What the signature takes."""
        return dict(requests.inputs_of_columns(self.model.signatures[SIGNATURE], rows.features))

    def answers(self, inputs: Inputs) -> Outputs:
        """In batches."""
        count = len(next(iter(inputs.values())))
        parts = [
            self.model.predict({name: each[i : i + _BATCH] for name, each in inputs.items()})
            for i in range(0, count, _BATCH)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _drawn(files: Iterable[Path]) -> Rows | None:
    """Some rows of the first ones, in their order."""
    found: list[Rows] = []
    for part in itertools.chain.from_iterable(read_rows(file, _BATCH) for file in files):
        if found and part.features.schema != found[0].features.schema:
            continue
        found.append(part)
        if sum(map(len, found)) >= _READ:
            break
    if not found:
        return None
    whole = Rows(
        pa.Table.from_batches([each.features for each in found]).combine_chunks().to_batches()[0],
        np.concatenate([each.sources for each in found]),
        np.concatenate([each.positions for each in found]),
    )
    chosen = np.zeros(len(whole), bool)
    chosen[np.random.default_rng(_SEED).permutation(len(whole))[:_ROWS]] = True
    return whole.where(chosen)


def _table(asked: _Asked, rows: Rows) -> dict[str, Any]:
    inputs = asked.inputs(rows)
    judged = _judge(asked, rows, asked.answers(inputs))
    if judged is None:
        return {}
    metric, wrong = judged
    found = _worse(asked, inputs, {name: _column(inputs, name) for name in inputs}, wrong)
    return {"rows": len(rows), "metric": metric, "columns": found}


def _series(asked: _Asked, rows: Rows) -> dict[str, Any]:
    spec = forecast_rows.WindowSpec.of(asked.described)
    rows = rows.where(spec.are_whole(rows.features))
    if len(rows) < 2:
        return {}
    inputs = asked.inputs(rows)
    _, future = spec.arrays(rows.features)
    known = np.isfinite(future)

    def wrong(outputs: Outputs) -> float:
        return float(np.abs(outputs["forecast"] - future)[known].mean())

    described = asked.described
    names = [*described["targets"], *described["covariates"], *described["known"]]
    names += described["calendar"]
    ahead = {name: place for place, name in enumerate(described["known"])}
    channels = {name: _channel(inputs, place, ahead.get(name)) for place, name in enumerate(names)}
    lags = _lags(inputs["window"])
    return {
        "rows": len(rows),
        "metric": "mae",
        "columns": _worse(asked, inputs, channels, wrong),
        "target": described["targets"][0],
        "lags": _worse(asked, inputs, lags, wrong, ranked=False),
    }


def _text(asked: _Asked, rows: Rows) -> dict[str, Any]:
    texts = [
        (record.text(row) or b"").decode(errors="replace") for row in columns.rows(rows.features)
    ]
    chosen = [text for text in texts if text.strip()][:_TEXTS]
    if not chosen:
        return {}
    spans = [[found.span() for found in _WORD.finditer(text)][:_WORDS] for text in chosen]
    variants = [
        text[:start] + text[end:]
        for text, of_text in zip(chosen, spans, strict=True)
        for start, end in of_text
    ]
    name = next(iter(asked.model.signatures[SIGNATURE].inputs))
    asked_for = np.array([each.encode() for each in [*chosen, *variants]], object)
    outputs = asked.answers({name: asked_for})
    classes = class_names(outputs)
    scores = outputs["scores"].astype(np.float64)
    own, without = scores[: len(chosen)], scores[len(chosen) :]
    owner = np.repeat(np.arange(len(chosen)), [len(each) for each in spans])
    pushes = own[owner] - without  # [words, classes]
    words = [
        text[start:end].strip(_EDGES).lower()
        for text, of_text in zip(chosen, spans, strict=True)
        for start, end in of_text
    ]
    return {
        "rows": len(chosen),
        "metric": "probability",
        "classes": _by_class(words, pushes, classes),
        "examples": _examples(chosen, spans, own, owner, pushes, classes),
    }


def _image(asked: _Asked, rows: Rows) -> dict[str, Any]:
    from PIL import Image, ImageOps

    name = next(iter(asked.model.signatures[SIGNATURE].inputs))
    files = asked.inputs(rows.part(0, _PICTURES))[name].tolist()
    pictures, variants = [], []
    for file in files:
        with Image.open(io.BytesIO(file)) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
        picture.thumbnail((_LARGEST, _LARGEST))
        pixels = np.asarray(picture)
        pictures.append(pixels)
        variants += [_png(each) for each in [pixels, *_patched(pixels)]]
    outputs = asked.answers({name: np.array(variants, object)})
    classes = class_names(outputs)
    scores = outputs["scores"].reshape(len(files), 1 + _PATCHES**2, len(classes))
    chosen = scores[:, 0].argmax(axis=1)
    own = scores[np.arange(len(files)), :, chosen]
    taken = (own[:, :1] - own[:, 1:]).reshape(-1, _PATCHES, _PATCHES)
    return {
        "rows": len(files),
        "metric": "probability",
        "pixels": pictures,
        "pictures": [
            {"class": classes[each], "score": float(own[i, 0]), "taken": taken[i].tolist()}
            for i, each in enumerate(chosen)
        ],
    }


def _judge(asked: _Asked, rows: Rows, outputs: Outputs) -> tuple[str, Wrong] | None:
    """The metric of a table's model, and how wrong answers are by it."""
    if "scores" in outputs:
        index = {name: number for number, name in enumerate(class_names(outputs))}
        numbers, labels = rows.texts(asked.label, default="")
        truth = np.array([index.get(each, -1) for each in labels])[numbers]
        known = truth >= 0
        if not known.any():
            return None
        return "loss", lambda given: float(
            cross_entropy(truth[known], given["scores"][known]).mean()
        )
    cells = columns.first(rows.features, asked.label)
    if cells is None or pa.types.is_binary(cells.type):
        return None
    number = cells.to_numpy(zero_copy_only=False).astype(np.float64)
    known = np.isfinite(number)
    if not known.any():
        return None
    return "mae", lambda given: float(np.abs(given["prediction"] - number)[known].mean())


def _worse(
    asked: _Asked,
    inputs: Inputs,
    deals: Mapping[str, Deal],
    wrong: Wrong,
    *,
    ranked: bool = True,
) -> list[dict[str, Any]]:
    """By how much the metric rises where a part of the inputs is dealt anew, the most first."""
    random = np.random.default_rng(_SEED)
    count = len(next(iter(inputs.values())))
    whole = wrong(asked.answers(inputs))
    found = []
    for name, deal in itertools.islice(deals.items(), _COLUMNS):
        orders = [random.permutation(count) for _ in range(_DEALS)]
        rises = [wrong(asked.answers({**inputs, **deal(order)})) - whole for order in orders]
        found.append({"name": name, "worse": float(np.mean(rises))})
    return sorted(found, key=lambda each: -each["worse"]) if ranked else found


def _column(inputs: Inputs, name: str) -> Deal:
    return lambda order: {name: inputs[name][order]}


def _channel(inputs: Inputs, place: int, ahead: int | None) -> Deal:
    """Deals a channel of the windows, and what is known of it ahead."""

    def deal(order: NDArray[np.int64]) -> Inputs:
        window = inputs["window"].copy()
        window[:, :, place] = window[order, :, place]
        if ahead is None or "known" not in inputs:
            return {"window": window}
        known = inputs["known"].copy()
        known[:, :, ahead] = known[order, :, ahead]
        return {"window": window, "known": known}

    return deal


def _lags(window: np.ndarray) -> dict[str, Deal]:
    """Deals, by groups of steps back, what the first target is above its window's mean."""
    level = np.nanmean(np.where(np.isfinite(window), window, np.nan)[:, :, :1], axis=1)
    lookback = window.shape[1]
    edges = np.unique(np.geomspace(1, lookback + 1, min(_LAGS, lookback) + 1).astype(int))

    def deal_of(first: int, last: int) -> Deal:
        steps = slice(lookback - last, lookback - first + 1)

        def deal(order: NDArray[np.int64]) -> Inputs:
            dealt = window.copy()
            dealt[:, steps, 0] = level + (window[:, steps, 0] - level)[order]
            return {"window": dealt}

        return deal

    pairs = [(first, end - 1) for first, end in itertools.pairwise(edges.tolist())]
    return {
        f"{first}" if first == last else f"{first} to {last}": deal_of(first, last)
        for first, last in pairs
    }


def _by_class(
    words: Sequence[str], pushes: NDArray[np.float64], classes: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """The words that push most towards each class; twice seen before once seen."""
    counts = collections.Counter(words)
    places = {word: place for place, word in enumerate(counts)}
    sums = np.zeros((len(counts), len(classes)))
    np.add.at(sums, [places[word] for word in words], pushes)
    seen = np.array(list(counts.values()))
    listed = list(counts)
    found = {}
    for number, name in enumerate(classes[:_CLASSES]):
        order = np.lexsort((-sums[:, number], seen < 2))[:_TOP].tolist()
        found[name] = [
            {"word": listed[i], "push": float(sums[i, number] / seen[i]), "times": int(seen[i])}
            for i in order
            if listed[i] and sums[i, number] > 0
        ]
    return found


def _examples(
    texts: Sequence[str],
    spans: Sequence[Sequence[tuple[int, int]]],
    own: NDArray[np.float64],
    owner: NDArray[np.int64],
    pushes: NDArray[np.float64],
    classes: Sequence[str],
) -> list[dict[str, Any]]:
    found = []
    for number, text in enumerate(texts[:_TEXTS_SHOWN]):
        chosen = int(own[number].argmax())
        taken = pushes[owner == number, chosen].tolist()
        words = [text[start:end] for start, end in spans[number]]
        found.append(
            {
                "class": classes[chosen],
                "score": float(own[number, chosen]),
                "words": [list(each) for each in zip(words, taken, strict=True)],
            }
        )
    return found


def _patched(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """The picture with a patch of its mean colour at each place, row by row."""
    height, width = pixels.shape[:2]
    grey = pixels.mean(axis=(0, 1)).astype(np.uint8)
    for row, column in itertools.product(range(_PATCHES), repeat=2):
        changed = pixels.copy()
        top, bottom = (height * each // _PATCHES for each in (row, row + 1))
        left, right = (width * each // _PATCHES for each in (column, column + 1))
        changed[top : max(bottom, top + 1), left : max(right, left + 1)] = grey
        yield changed


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "PNG", compress_level=1)
    return sink.getvalue()
