"""Rows asked about later give the features of training: in `predict`, `infer` and `skew` alike."""

import csv
import io
import json
import pathlib
from collections.abc import Callable

import numpy as np
import pytest
from etils.epath import Path
from PIL import Image

from millrace.components.artifacts import Analysis, Examples, Model, RawFiles, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.image import image_example_gen
from millrace.components.example_gen.pixels import pixels_example_gen
from millrace.components.example_gen.series import series_example_gen
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.shards.writing import SplitRecord
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.example_gen.text import text_example_gen
from millrace.components.example_gen.time_series.reading import SeriesSource
from millrace.components.example_gen.unlabelled import takes_rows, unlabelled_example_gen
from millrace.components.example_gen.unlabelled_rows import source as sources
from millrace.components.example_gen.unlabelled_rows.logged_requests import LoggedRequests
from millrace.components.features import spec as specs
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.files.tfrecord import write_records
from millrace.components.inference import bulk, requests
from millrace.pipeline import question_files, questions
from millrace.pipeline.origin import Origin
from millrace.pipeline.questions import Question
from millrace.serving import wire
from millrace.serving.example import Decoded, decode
from millrace.serving.protos import prediction_log_pb2
from millrace.serving.signature import Signature, TensorInfo
from tests.components.asked import features_of
from tests.components.example_gen.conftest import records_of

ROWS = range(12)
LABELS = ["yes" if row % 3 else "no" for row in ROWS]
TOWNS = ["Cork", "Bonn", "Köln"]
VALUES = [1000.5 + 37 * row for row in ROWS]


def european(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


AMOUNTS = {
    "dollars": [f"${value:,.2f}" for value in VALUES],
    "euros": [f"{european(value)} €" for value in VALUES],
    "percent": [f"{100 * value}%" for value in VALUES],
    "brackets": [f"({value:,.2f})" if row % 2 else f"{value:,.2f}" for row, value in
                 enumerate(VALUES)],
    "sign at the end": [f"{value}-" if row % 2 else str(value) for row, value in enumerate(VALUES)],
    "thin spaces": [f"{value:,.2f}".replace(",", "\u2009") for value in VALUES],
    "decimal commas": [str(value).replace(".", ",") for value in VALUES],
}  # fmt: skip


def table(columns: dict[str, list[str]], separator: str) -> str:
    """A CSV in which cells that hold the separator stand in quotes."""
    rows = [[*columns], *zip(*columns.values(), strict=True)]
    quoted = [[f'"{cell}"' if separator in cell else cell for cell in row] for row in rows]
    return "".join(separator.join(row) + "\n" for row in quoted)


PLACES = ("filename", "forecast/times")


def plain(rows: list[Decoded]) -> list[dict[str, object]]:
    """Rows without what tells their places, a column's value and not the list of it."""
    return [{name: _value(row[name]) for name in sorted(row) if name not in PLACES} for row in rows]


def _value(values: list[bytes] | np.ndarray) -> object:
    every = values if isinstance(values, list) else values.tolist()
    return every[0] if len(every) == 1 else every


class Learnt:
    """Data that was ingested, and the three ways to read what a model of it is asked about."""

    def __init__(
        self,
        examples: Examples,
        kind: str,
        inputs: dict[str, TensorInfo],
        spec: SeriesSpec | None = None,
    ):
        self.folder = examples.path.parent
        self.examples, self.kind, self.spec = examples, kind, spec
        self.signature = Signature("serving_default", "predict", inputs, {}, {}, None)
        self.kinds = {
            requests.feature_of(alias): "bytes" if tensor.dtype == "string" else "float32"
            for alias, tensor in inputs.items()
        }

    @property
    def records(self) -> list[dict[str, object]]:
        """What was learnt from, as far as the model takes it."""
        rows = records_of(self.examples)["train"]
        return plain([{k: v for k, v in row.items() if k in self.kinds} for row in rows])

    def predict(self, file: Path) -> list[Decoded]:
        asked: list[Question | Rejected]
        if self.kind == "image":
            asked = [*questions.from_files([str(file)])]
        else:
            origin = Origin(sources.read(self.examples), self.spec)
            asked = question_files.from_csv(pathlib.Path(file), origin, self.signature)
        return [questions.fit(each, self.signature) for each in asked if isinstance(each, Question)]

    def infer(self, file: Path) -> list[Decoded]:
        model, out = Model(self.folder / "model"), self.folder / "inferred"
        model.path.mkdir(exist_ok=True)
        out.mkdir()
        inputs = {
            name: {"dtype": tensor.dtype, "shape": list(tensor.shape or ())}
            for name, tensor in self.signature.inputs.items()
        }
        described = {"kind": self.kind, "signatures": {"serving_default": {"inputs": inputs}}}
        (model.path / "model.json").write_text(json.dumps(described))
        if not takes_rows(model):
            shards = bulk.file_shards(RawFiles(file), 1)
            asked = [
                each for shard in shards for each in bulk.input_rows(shard, "image/encoded", 8)
            ]
            return [features for rows, _ in asked for features in features_of(rows)]
        analysis = None
        if self.spec:
            analysis = Analysis(self.folder)
            specs.write(self.spec, analysis.file)
        # A row of units is one of 13: as many as the message of the ingest offers to allow.
        options = {"max_rejected": 0.08}
        found = unlabelled_example_gen(
            RawFiles(file), model, self.examples, analysis, out, **options
        )
        return records_of(found)["unlabelled"]

    def skew(self, file: Path) -> list[Decoded]:
        log = prediction_log_pb2.PredictionLog()
        log.log_metadata.model_spec.name = "m"
        for alias, array in requests.inputs(self.signature, self.predict(file)).items():
            tensor = wire.to_proto(array, name=alias)
            log.predict_log.request.inputs[alias].CopyFrom(tensor)
        write_records(self.folder / "log.tfrecord", [log.SerializeToString()])
        bases = {"window": self.spec.base} if self.spec and self.spec.base else {}
        logged = LoggedRequests(self.folder, "m", self.kinds, bases)
        found = [logged.convert(each) for each in logged.read([ListedRow("log.tfrecord", "")])]
        return [decode(each.example) for each in found if isinstance(each, SplitRecord)]


def learnt_table(folder: pathlib.Path, text: str) -> Learnt:
    (folder / "learnt.csv").write_text(text)
    options = {"label": "label", "splits": {"train": 1.0}, "shards": 1}
    examples = ingested(csv_example_gen, folder / "learnt.csv", **options)
    row = {
        name: value for name, value in records_of(examples)["train"][0].items() if name != "label"
    }
    inputs = {
        name: TensorInfo(name, "string" if isinstance(value, list) else "float32", (None,))
        for name, value in row.items()
    }
    return Learnt(examples, "table", inputs)


def ingested(step: Callable[..., Examples], source: pathlib.Path, **options: object) -> Examples:
    out = Path(source.parent / "examples")
    out.mkdir()
    return step(RawFiles(Path(source)), out, run_on=BeamOptions(), **options)


def read_by_all(
    learnt: Learnt, new: str | bytes, name: str = "new.csv"
) -> dict[str, list[dict[str, object]]]:
    file = learnt.folder / name
    file.write_bytes(new.encode() if isinstance(new, str) else new)
    ways = {"predict": learnt.predict, "infer": learnt.infer, "skew": learnt.skew}
    return {name: plain(way(file)) for name, way in ways.items()}


def same(rows: list[dict[str, object]]) -> dict[str, list[dict[str, object]]]:
    return dict.fromkeys(("predict", "infer", "skew"), rows)


def _in_utf16(text: str) -> bytes:
    return ("sep=;\r\n" + text.replace("\n", "\r\n")).encode("utf-16")


@pytest.mark.parametrize("form", AMOUNTS)
def test_numbers_in_another_order_and_dialect_are_those_of_training(tmp_path, form):
    towns = [TOWNS[row % 3] for row in ROWS]
    amounts = AMOUNTS[form]
    learnt = learnt_table(tmp_path, table({"label": LABELS, "amount": amounts, "town": towns}, ";"))
    signs = [-1 if row % 2 and form in ("brackets", "sign at the end") else 1 for row in ROWS]
    expected = np.float32([sign * value for sign, value in zip(signs, VALUES, strict=True)])
    assert [row["amount"] for row in learnt.records] == expected.tolist()
    new = table({"town": towns, "amount": amounts}, "\t")
    assert read_by_all(learnt, new) == same(learnt.records)


@pytest.mark.parametrize(
    "written",
    [
        lambda new: "sep=;\n" + new,
        _in_utf16,
        lambda new: "Report of sales\nmade on Monday\n\n" + new,
        lambda new: "# made on Monday\n# by hand\n" + new,
        lambda new: new.replace("amount\n", "amount\n;EUR\n"),
        lambda new: new.replace("\n", ";\n"),
        lambda new: new.partition("\n")[2],
    ],
    ids=["sep", "sep in UTF-16", "prose", "comments", "units", "trailing", "no header"],
)
def test_what_stands_around_the_rows_of_a_new_file_changes_no_feature(tmp_path, written):
    towns = [TOWNS[row % 3] for row in ROWS]
    learnt = learnt_table(
        tmp_path, table({"town": towns, "amount": AMOUNTS["euros"], "label": LABELS}, ";")
    )
    found = read_by_all(learnt, written(table({"town": towns, "amount": AMOUNTS["euros"]}, ";")))
    assert found == same(learnt.records)


DATES = ("%d.%m.%Y", "%m/%d/%Y", "%Y%m%d", "%d-%b-%Y", "%m/%d/%Y %I:%M %p", "%G-W%V", "%b %Y")


@pytest.mark.parametrize("form", DATES)
def test_a_single_row_has_the_date_and_the_code_of_training_with_a_header_or_without(
    tmp_path, form
):
    first = np.datetime64("2020-01-30T13:05", "s")
    dates = [(first + np.timedelta64(11 * row, "D")).item().strftime(form) for row in ROWS]
    codes = [f"{row % 5:05}" for row in ROWS]
    amounts = AMOUNTS["euros"]
    columns = {"label": LABELS, "date": dates, "amount": amounts, "code": codes}
    learnt = learnt_table(tmp_path, table(columns, ";"))
    assert learnt.records[0]["code"] == b"00000"
    assert learnt.records[0]["date/month"] == 1
    asked = {"code": codes[:1], "amount": [str(VALUES[0])], "date": dates[:1]}
    (row,) = learnt.predict(_written(tmp_path, table(asked, ",")))
    assert plain([row]) == learnt.records[:1]
    without_header = ";".join([dates[0], amounts[0], codes[0]]) + "\n"
    assert read_by_all(learnt, without_header) == same(learnt.records[:1])


def _written(folder: pathlib.Path, text: str) -> Path:
    (folder / "one.csv").write_text(text)
    return Path(folder / "one.csv")


REVIEWS = [("so, so \u2014 na ja", "neg"), ('the "best"', "pos"), ("dull\nand long", "neg")]
ONE_LINE = [(text.replace("\n", " "), label) for text, label in REVIEWS]


def csv_of(rows: list[tuple[str, ...]]) -> str:
    sink = io.StringIO(newline="")
    csv.writer(sink).writerows(rows)
    return sink.getvalue()


def lines_of(rows: list[tuple[str, str]], form: str) -> str:
    return "".join(form.format(text=text, label=label) + "\n" for text, label in rows)


TEXT_FORMS: dict[str, tuple[str, str, dict[str, str], str]] = {
    "a table": (csv_of([("review", "label"), *REVIEWS]), "new.csv", {},
                csv_of([("id", "review"), *(("1", text) for text, _ in REVIEWS)])),
    "a table of tabs": (lines_of(ONE_LINE, "{label}\t{text}"), "new.txt", {},
                        lines_of(ONE_LINE, "{label}\t{text}")),
    "JSON lines": (lines_of(ONE_LINE, '{{"id": 1, "label": "{label}", "text": "it"}}'), "new.jsonl",
                   {}, '{"text": "it"}\n' * 3),
    "labelled lines": (lines_of(ONE_LINE, "{label} {text}"), "new.txt",
                       {"layout": "labelled_lines"}, lines_of(ONE_LINE, "{text}")),
    "fastText": (lines_of(ONE_LINE, "__label__{label}\t{text}"), "new.txt",
                 {"layout": "labelled_lines"}, lines_of(ONE_LINE, "__label__{label} {text}")),
    "a mark between": (lines_of(ONE_LINE, "{label}::{text}"), "new.lines",
                       {"layout": "labelled_lines", "separator": "::"},
                       lines_of(ONE_LINE, "{label}::{text}")),
}  # fmt: skip


@pytest.mark.parametrize("form", TEXT_FORMS)
def test_texts_are_asked_about_in_the_form_that_was_learnt(tmp_path, form):
    learnt_text, name, options, new = TEXT_FORMS[form]
    source = tmp_path / f"learnt{pathlib.Path(name).suffix}"
    source.write_bytes(learnt_text.encode())
    examples = ingested(text_example_gen, source, splits={"train": 1.0}, shards=1, **options)
    learnt = Learnt(examples, "text", {"text": TensorInfo("text", "string", (None,))})
    rows = REVIEWS if form == "a table" else ONE_LINE
    texts = ["it"] * 3 if form == "JSON lines" else [text for text, _ in rows]
    assert learnt.records == [{"text": text.encode()} for text in texts]
    assert read_by_all(learnt, new, name) == same(learnt.records)


HOURS = [np.datetime64("2020-03-01T00") + hour for hour in range(48)]


def _in_two_columns(first: int, count: int) -> str:
    rows = [(str(HOURS[n])[:10], str(HOURS[n])[11:] + ":00:00", f"{n},5") for n in
            range(first, first + count)]  # fmt: skip
    return "Date;Time;load\n" + "".join(";".join(row) + "\n" for row in rows)


def _panel(first: int, count: int) -> str:
    rows = [f"{HOURS[n]}:00,{s},{n + 100 * k}" for n in range(first, first + count)
            for k, s in enumerate("ab")]  # fmt: skip
    return "\n".join(["when,store,sales", *rows, ""])


def _wide(first: int, count: int) -> str:
    rows = [f"{HOURS[n]}:00,{n}.5,{n + 100}.5" for n in range(first, first + count)]
    return "\n".join(["when,a,b", *rows, ""])


def _large(first: int, count: int) -> str:
    rows = [f"{HOURS[n]}:00;{european(6_779_547_060.25 + 40 * n)}" for n in
            range(first, first + count)]  # fmt: skip
    return "\n".join(["when;turnover", *rows, ""])


SERIES_FORMS: dict[str, tuple[Callable[[int, int], str], str, dict[str, object], object]] = {
    "two columns": (_in_two_columns, "load", {}, [[45.5, 46.5, 47.5]]),
    "panel": (_panel, "sales", {}, [[45, 46, 47], [145, 146, 147]]),
    "wide": (_wide, "value", {"wide": True}, [[45.5, 46.5, 47.5], [145.5, 146.5, 147.5]]),
    "base": (_large, "turnover", {}, [[45 * 40, 46 * 40, 47 * 40]]),
}


@pytest.mark.parametrize("form", SERIES_FORMS)
def test_the_end_of_a_series_is_read_as_it_was_learnt(tmp_path, form):
    written, target, options, windows = SERIES_FORMS[form]
    (tmp_path / "learnt.csv").write_text(written(0, 48))
    examples = ingested(series_example_gen, tmp_path / "learnt.csv", **options)
    source = sources.read(examples)
    assert isinstance(source, SeriesSource)
    base = tuple(source.bases.values())
    assert bool(base) == (form == "base")
    one = (1.0,)
    spec = SeriesSpec((target,), 3, 2, "h", (0.0,), one, one, base=base)
    window = TensorInfo("window", "float64" if base else "float32", (None, 3, 1))
    learnt = Learnt(examples, "series", {"window": window}, spec)
    shift = 6_779_547_060.25 - base[0] if base else 0
    for rows in read_by_all(learnt, written(40, 8)).values():
        assert [row["window"] for row in rows] == np.add(windows, shift).tolist()


def _picture(kind: str, **options: object) -> bytes:
    sink = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    Image.fromarray(noise).save(sink, kind, **options)
    return sink.getvalue()


TURNED = Image.Exif()
TURNED[0x0112] = 6


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", _picture("PNG")),
        ("a.tiff", _picture("TIFF")),
        ("a.jpg", _picture("JPEG", exif=TURNED)),
        ("a.webp", _picture("WEBP", exif=TURNED, lossless=True)),
    ],
)
def test_a_picture_is_asked_about_as_it_was_learnt(tmp_path, name, data):
    for label in "xy":
        (tmp_path / "learnt" / label).mkdir(parents=True)
        (tmp_path / "learnt" / label / name).write_bytes(data)
    examples = ingested(image_example_gen, tmp_path / "learnt", splits={"train": 1.0})
    picture = {"image_bytes": TensorInfo("image_bytes", "string", (None,))}
    learnt = Learnt(examples, "image", picture)
    found = read_by_all(learnt, data, name)
    pictures = {way: [row["image/encoded"] for row in rows] for way, rows in found.items()}
    assert pictures == {way: [learnt.records[0]["image/encoded"]] for way in found}


def test_a_row_of_pixels_is_asked_about_as_the_picture_that_it_is(tmp_path):
    pixels = np.arange(128, dtype=np.uint8).reshape(2, 8, 8)
    rows = [[label, *picture.ravel().tolist()] for label, picture in zip("xy", pixels, strict=True)]
    names = ["label", *(f"pixel{n}" for n in range(64))]
    (tmp_path / "learnt.csv").write_text(csv_of([tuple(names), *(map(str, row) for row in rows)]))
    examples = ingested(pixels_example_gen, tmp_path / "learnt.csv", splits={"train": 1.0})
    picture = {"image_bytes": TensorInfo("image_bytes", "string", (None,))}
    learnt = Learnt(examples, "image", picture)
    sink = io.BytesIO()
    Image.fromarray(pixels[0]).save(sink, "PNG")
    for found in read_by_all(learnt, sink.getvalue(), "new.png").values():
        (asked,) = (row["image/encoded"] for row in found)
        assert np.array_equal(_decoded(asked), _decoded(learnt.records[0]["image/encoded"]))


def _decoded(picture: object) -> np.ndarray:
    assert isinstance(picture, bytes)
    return np.asarray(Image.open(io.BytesIO(picture)))
