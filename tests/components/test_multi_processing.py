"""Beam's steps over several processes: each does a part, and every byte is as in one process."""

import itertools
import os
from pathlib import Path as LocalPath

import apache_beam as beam
import pytest
from apache_beam.transforms.core import Create
from etils.epath import Path

from millrace.components.analyze import analyze
from millrace.components.artifacts import Examples, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.series import series_example_gen
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.example_gen.text import text_example_gen
from millrace.components.example_gen.time_series import records as series_records
from millrace.components.features.image_spec import ImageOptions
from millrace.components.features.language_spec import LanguageOptions
from millrace.components.features.series_spec import SeriesOptions
from millrace.components.features.table_spec import TableOptions
from millrace.components.features.text_spec import TextOptions
from millrace.components.files.folders import files
from millrace.components.files.tfrecord import write_records
from millrace.components.statistics_gen import statistics_gen
from millrace.components.transform import transform
from millrace.serving.example import encode
from tests.components import pictures

OUTPUTS = ("examples", "statistics", "analysis")
ALONE = BeamOptions()
TWO = BeamOptions(("--direct_running_mode=multi_processing", "--direct_num_workers=2"))


class _Noted(beam.PTransform):
    """`beam.Create`, and a note of which process has which element next."""

    folder, numbers = "", itertools.count()

    def __init__(self, values, reshuffle=True):
        super().__init__()
        self._create = Create(values, reshuffle=reshuffle)

    def expand(self, pbegin):
        name = LocalPath(self.folder) / f"{next(self.numbers)}-of-{len(self._create.values)}"
        return pbegin | self._create | beam.Map(_note, str(name))


def _note(element, name):
    LocalPath(f"{name}.{os.getpid()}").touch()
    return element


def _shares(folder):
    """For each list of several elements, how many processes had some of it."""
    notes = [file.name.partition(".")[0] for file in folder.iterdir()]
    lists = {note for note in notes if not note.endswith("-of-1")}
    return [notes.count(note) for note in lists]


def _texts():
    words = ["sun", "rain", "wind", "snow", "ice", "hail", "fog"]
    return [" ".join(words[(n * k) % 7] for k in range(1, 4 + n % 6)) for n in range(60)]


def _tables(folder, out, run_on):
    rows = [f"{n},{n % 7 / 2},{'ab'[n % 2]}" for n in range(400)]
    (folder / "rows.csv").write_text("\n".join(["id,size,kind", *rows, ""]))
    examples = csv_example_gen(
        RawFiles(Path(folder)), out / "examples", run_on=run_on, drop=("id",), shards=2
    )
    analyze(examples, out / "analysis", run_on=run_on, features=TableOptions())


def _rows_of_text(folder, out, run_on):
    rows = [f"{text} {n},{'ab'[n % 2]}" for n, text in enumerate(_texts())]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows, ""]))
    source = RawFiles(Path(folder))
    examples = text_example_gen(source, out / "examples", run_on=run_on, shards=2)
    analyze(examples, out / "analysis", run_on=run_on, features=TextOptions())


def _series(folder, out, run_on):
    rows = [
        f"{name},2020-01-{day:02},{day % 5 + len(name)}"
        for name in ("a", "bb", "ccc", "dddd")
        for day in range(1, 32)
    ]
    (folder / "rows.csv").write_text("\n".join(["name,time,y", *rows, ""]))
    examples = series_example_gen(
        RawFiles(Path(folder)), out / "examples", run_on=run_on, series=("name",)
    )
    options = SeriesOptions(lookback=2, horizon=1)
    analyze(examples, out / "analysis", run_on=run_on, features=options)


def _pictures(folder, out, run_on):
    examples = pictures.write(folder / "raw", {"train": pictures.blobs(12)}, 3)
    statistics_gen(examples, out / "statistics", run_on=run_on)
    options = ImageOptions(height=4, width=4, scale="standardise")
    analysis = analyze(examples, out / "analysis", run_on=run_on, features=options)
    transform(examples, analysis, out / "examples", run_on=run_on)


def _language(folder, out, run_on):
    examples = Examples(Path(folder) / "raw")
    examples.split_path("train").mkdir(parents=True)
    records = [encode({"text": text, "text/unit": "line"}) for text in _texts()]
    for shard in range(3):
        write_records(examples.shard("train", shard, 3), records[shard::3])
    examples.write_summary({"train": len(records)})
    analyze(examples, out / "analysis", run_on=run_on, features=LanguageOptions())


@pytest.mark.parametrize(
    ("steps", "lists"),
    [
        (_tables, 5),  # gather, write; analyze, labels elsewhere, rows that splits share
        (_rows_of_text, 3),  # class names, write; analyze
        (_series, 2),  # write; analyze
        (_pictures, 4),  # survey, moments; transform; statistics
        (_language, 1),  # analyze
    ],
)
def test_each_list_of_shards_is_worked_on_by_both_processes_to_the_same_bytes(
    steps, lists, tmp_path, monkeypatch
):
    monkeypatch.setattr(series_records, "_SHARD_CELLS", 100)
    monkeypatch.setattr(beam, "Create", _Noted)
    outputs = {}
    for name, run_on in (("alone", ALONE), ("two", TWO)):
        for part in ("notes", "data", *(f"out/{each}" for each in OUTPUTS)):
            (tmp_path / name / part).mkdir(parents=True)
        monkeypatch.setattr(_Noted, "folder", str(tmp_path / name / "notes"))
        out = Path(tmp_path / name / "out")
        steps(tmp_path / name / "data", out, run_on)
        outputs[name] = {file: path.read_bytes() for file, path in files(out)}
    assert outputs["two"] == outputs["alone"]
    assert _shares(tmp_path / "two" / "notes") == [2] * lists
