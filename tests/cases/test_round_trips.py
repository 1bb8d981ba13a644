"""Rows asked about later give the features of training: in `predict`, `infer` and `skew` alike."""

import json
import pathlib

import numpy as np
import pytest
from etils.epath import Path

from millrace.components.artifacts import Examples, Model, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.shards.writing import SplitRecord
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.example_gen.unlabelled import unlabelled_example_gen
from millrace.components.example_gen.unlabelled_rows import source as sources
from millrace.components.example_gen.unlabelled_rows.logged_requests import LoggedRequests
from millrace.components.files.tfrecord import read_records, write_records
from millrace.components.inference import requests
from millrace.pipeline import question_files, questions
from millrace.pipeline.origin import Origin
from millrace.pipeline.questions import Question
from millrace.serving import wire
from millrace.serving.example import Decoded, decode
from millrace.serving.protos import prediction_log_pb2
from millrace.serving.signature import Signature, TensorInfo

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


def plain(rows: list[Decoded]) -> list[dict[str, object]]:
    return [{name: row[name][0] for name in sorted(row) if name != "filename"} for row in rows]


class Learnt:
    """A table that was ingested, and the three ways to read rows for a model of it."""

    def __init__(self, folder: pathlib.Path, text: str):
        self.folder = Path(folder)
        (self.folder / "learnt.csv").write_text(text)
        out = self.folder / "learnt"
        out.mkdir()
        source = RawFiles(self.folder / "learnt.csv")
        options = {"label": "label", "splits": {"train": 1.0}, "shards": 1}
        self.examples = csv_example_gen(source, out, run_on=BeamOptions(), **options)
        rows = _rows(self.examples, "train")
        self.records = plain([{k: v for k, v in row.items() if k != "label"} for row in rows])
        texts = {name: isinstance(rows[0][name], list) for name in self.records[0]}
        tensors = {
            name: TensorInfo(name, "string" if is_text else "float32", (None,))
            for name, is_text in texts.items()
        }
        self.signature = Signature("serving_default", "predict", tensors, {}, {}, None)
        self.kinds = {name: "bytes" if is_text else "float32" for name, is_text in texts.items()}

    def predict(self, file: Path) -> list[Decoded]:
        origin = Origin(sources.read(self.examples))
        asked = question_files.from_csv(pathlib.Path(file), origin, self.signature)
        return [questions.fit(each, self.signature) for each in asked if isinstance(each, Question)]

    def infer(self, file: Path) -> list[Decoded]:
        model, out = Model(self.folder / "model"), self.folder / "inferred"
        model.path.mkdir()
        out.mkdir()
        inputs = {
            name: {"dtype": tensor.dtype, "shape": [None]}
            for name, tensor in self.signature.inputs.items()
        }
        described = {"kind": "table", "signatures": {"serving_default": {"inputs": inputs}}}
        (model.path / "model.json").write_text(json.dumps(described))
        # A row of units is one of 13: as many as the message of the ingest offers to allow.
        options = {"max_rejected": 0.08}
        found = unlabelled_example_gen(RawFiles(file), model, self.examples, None, out, **options)
        return _rows(found, "unlabelled")

    def skew(self, file: Path) -> list[Decoded]:
        log = prediction_log_pb2.PredictionLog()
        log.log_metadata.model_spec.name = "m"
        for alias, array in requests.inputs(self.signature, self.predict(file)).items():
            tensor = wire.to_proto(array, name=alias)
            log.predict_log.request.inputs[alias].CopyFrom(tensor)
        write_records(self.folder / "log.tfrecord", [log.SerializeToString()])
        logged = LoggedRequests(self.folder, "m", self.kinds)
        found = [logged.convert(each) for each in logged.read([ListedRow("log.tfrecord", "")])]
        return [decode(each.example) for each in found if isinstance(each, SplitRecord)]


def _rows(examples: Examples, split: str) -> list[Decoded]:
    return [decode(record) for file in examples.files(split) for record in read_records(file)]


def read_by_all(learnt: Learnt, new: str | bytes) -> dict[str, list[dict[str, object]]]:
    file = learnt.folder / "new.csv"
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
    learnt = Learnt(tmp_path, table({"label": LABELS, "amount": amounts, "town": towns}, ";"))
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
    learnt = Learnt(
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
    learnt = Learnt(tmp_path, table(columns, ";"))
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
