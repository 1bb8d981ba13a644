"""Hostile and broken inputs by kind, and what reads them; see `inputs.py`."""

import dataclasses
import functools
import gzip
import io
import os
import random
import re
import struct
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from etils import epath
from PIL import Image

from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.serving.example import encode
from millrace.serving.records import frame

SAID = "said.txt"  # what was printed meanwhile
ALL_MAY_FAIL = {"max_rejected": 1.0}

Files = Mapping[str, bytes]


@dataclasses.dataclass(frozen=True)
class Case:
    """An input: its name, what writes it to a folder, and what reads it from there.

    Attributes:
        read: gets the folder that holds `in` and an empty `out`; returns an artifact, or anything.
        count: records, files or rows that it holds; 0 where nobody knows.
        inputs: how many hostile ones there are in it.
    """

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path], Any]
    count: int = 0
    inputs: int = 1


def load() -> None:
    """Import what reads the inputs, once for all the processes that will be forked."""
    import apache_beam  # noqa: F401
    import pandas as pd  # noqa: F401
    import tensorflow as tf  # noqa: F401


def put(files: Files) -> Callable[[Path], None]:
    """What writes these files."""

    def write(folder: Path) -> None:
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)

    return write


def ingested(component: str, place: str = "in", **options: Any) -> Callable[[Path], Any]:
    """What reads a folder, or a file in it, by the component of that name, in this process."""

    def read(folder: Path) -> Any:
        from millrace.components.example_gen import image, pixels, series, tables, text, tfrecords

        modules = (image, pixels, series, tables, text, tfrecords)
        found = [vars(module).get(component) for module in modules]
        (step,) = filter(None, found)
        source = RawFiles(epath.Path(folder / place))
        return step(source, epath.Path(folder / "out"), run_on=BeamOptions(), **options)

    return read


def spoiled(data: bytes, draw: random.Random) -> dict[str, bytes]:
    """What can become of the bytes of a file, by name."""
    half = len(data) // 2
    turned = bytearray(data)
    for _ in range(8):
        turned[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return {
        "empty": b"",
        "a byte": data[:1],
        "a few bytes": data[:12],
        "half": data[:half],
        "all but one": data[:-1],
        "without its beginning": data[8:],
        "zeros in the middle": data[:half] + bytes(64) + data[half + 64 :],
        "bits turned": bytes(turned),
        "noise": draw.randbytes(len(data)),
        "zeros": bytes(len(data)),
        "huge numbers": data[:16] + b"\xff" * 8 + data[24:],
        "twice": data + data,
    }


def picture(form: str, seed: int, size: tuple[int, int] = (9, 7)) -> bytes:
    """A file of an image of noise."""
    noise = random.Random(seed).randbytes(3 * size[0] * size[1])
    sink = io.BytesIO()
    Image.frombytes("RGB", size, noise).save(sink, form)
    return sink.getvalue()


def images() -> list[Case]:
    """Folders of good pictures and spoiled ones, a format each, and folders that are odd."""
    cases = []
    good = {f"{'cat' if seed % 2 else 'dog'}/{seed}.png": picture("PNG", seed) for seed in range(6)}
    for form in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
        broken = spoiled(picture(form, 99), random.Random(form))
        bad = {f"cat/{name}.{form.lower()}": data for name, data in broken.items()}
        read = ingested("image_example_gen", **ALL_MAY_FAIL)
        count = len(good | bad)
        cases.append(Case(f"spoiled {form}", put(good | bad), read, count, inputs=len(bad)))
    bomb = io.BytesIO()
    Image.new("1", (40_000, 40_000)).save(bomb, "PNG")
    flat = {"a bomb.png": bomb.getvalue(), "text.jpg": b"a text", "page.png": b"<html></html>"}
    names = {"a\nline.png": picture("PNG", 7), "‮gnp.png": picture("PNG", 8)}
    odd = {f"cat/{name}": data for name, data in (flat | names).items()}
    for name, data in odd.items():
        read = ingested("image_example_gen", **ALL_MAY_FAIL)
        cases.append(Case(repr(name), put(good | {name: data}), read, len(good) + 1))

    def links(folder: Path) -> None:
        put(good)(folder)
        (folder / "cat" / "again").symlink_to(folder)

    def pipe(folder: Path) -> None:
        put(good)(folder)
        os.mkfifo(folder / "cat" / "pipe.png")

    for write in (links, pipe):
        cases.append(Case(write.__name__, write, ingested("image_example_gen", **ALL_MAY_FAIL)))
    return [*cases, *packed_images(good), *arrays()]


def packed_images(good: Files) -> list[Case]:
    """An archive of good pictures, spoiled, and in archives in archives."""
    cases = []
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, content in good.items():
            packed.writestr(path, content)
    read = ingested("image_example_gen", "in/a.zip")
    for name, data in spoiled(sink.getvalue(), random.Random("zip")).items():
        cases.append(Case(f"a zip, {name}", put({"a.zip": data}), read))
    nested = sink.getvalue()
    for depth in range(1, 41):
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("a.zip", nested)
        nested = sink.getvalue()
        if depth in (1, 3, 40):
            cases.append(Case(f"a zip in {depth} zips", put({"a.zip": nested}), read))
    return cases


def arrays() -> list[Case]:
    """Folders of `.npy` files: as an `.npz` holds them, in classes, beside pictures, damaged."""
    pixels = np.arange(6 * 5 * 5, dtype=np.uint8).reshape(6, 5, 5)
    files = {"x_train.npy": pixels, "y_train.npy": np.array([0, 1] * 3)}
    saved = {}
    for name, array in {**files, "objects.npy": np.array([{"a": 1}, None], object)}.items():
        sink = io.BytesIO()
        np.save(sink, array)
        saved[name] = sink.getvalue()
    shape = saved["x_train.npy"].replace(b"(6, 5, 5)", b"(6, 5e9,)")
    huge = saved["x_train.npy"].replace(b"(6, 5, 5), }       ", b"(9999999, 99999), }")
    good = {f"{'ab'[n % 2]}/{n}.png": picture("PNG", n) for n in range(4)}
    trials = {
        "pixels and labels": {name: saved[name] for name in files},
        "an array in each class": {
            "a/1.npy": saved["x_train.npy"],
            "b/2.npy": saved["x_train.npy"],
        },
        "beside pictures": {**good, "a/1.npy": saved["x_train.npy"]},
        "objects": {"x_train.npy": saved["objects.npy"], "y_train.npy": saved["y_train.npy"]},
        "a wrong shape": {"x_train.npy": shape, "y_train.npy": saved["y_train.npy"]},
        "a huge shape": {"x_train.npy": huge, "y_train.npy": saved["y_train.npy"]},
        "cut off": {"x_train.npy": saved["x_train.npy"][:99], "y_train.npy": saved["y_train.npy"]},
    }
    return [
        Case(f".npy, {name}, {component}", put(each), ingested(component, **ALL_MAY_FAIL))
        for name, each in trials.items()
        for component in ("image_example_gen", "pixels_example_gen")
    ]


TABLE = "a,b,label\n" + "".join(f"{n},{n / 3:.2f},{'xy'[n % 2]}\n" for n in range(20))
DAYS = "day,sales\n" + "".join(f"2020-01-{n:02},{n}\n" for n in range(1, 29))
MILLION = b",".join(b"c%d" % n for n in range(1_000_000))
NASTY = {
    "NUL bytes": b"\0\0\0,\0\n",
    "a quote that is not closed": b'"1,2,x\n',
    "quotes within": b'1"2,"3"4,x\n',
    "too few cells": b"1\n",
    "too many cells": b"1,2,x,4,5,6\n",
    "not UTF-8": b"\xff\xfe\xfa,2,x\n",
    "a half pair": b"\xed\xa0\x80,2,x\n",
    "infinite": b"inf,-inf,x\n",
    "a number without end": b"9" * 5_000 + b",1e999999,x\n",
    "digits of another script": "١٢,٣,x\n".encode(),
    "two zones": b"2020-03-01T00:00+01:00,2020-03-01T00:00Z,x\n",
    "no such day": b"2020-02-30,2020-13-45,x\n",
    "a formula": b"=cmd|' /C calc'!A0,2,x\n",
    "returns alone": b"1,2,x\r3,4,y\r",
    "blank lines": b"\n\n \n,,\n",
    "escapes": b"\x1b[31m,\x07,x\n",
    "a long cell": b"a" * 300_000 + b",2,x\n",
}


def rows(text: str, component: str) -> list[Case]:
    """A table in which a row is nasty, at its beginning, in the middle, and at its end."""
    head, *good = text.encode().splitlines(keepends=True)
    read, cases = ingested(component, **ALL_MAY_FAIL), []
    for name, row in NASTY.items():
        for place, at in (("first", 0), ("in the middle", len(good) // 2), ("last", len(good))):
            data = head + b"".join([*good[:at], row, *good[at:]])
            cases.append(Case(f"{name}, {place}", put({"t.csv": data}), read))
    whole = {
        "no rows": head,
        "no head": b"".join(good),
        "one column twice": b"a,a,a\n" + b"".join(good),
        "a BOM": b"\xef\xbb\xbf" + text.encode(),
        "UTF-16": text.encode("utf-16"),
        "UTF-16 cut within a pair": text.encode("utf-16")[:-1],
        "UTF-32": text.encode("utf-32"),
        "many columns": b",".join(b"c%d" % n for n in range(20_000))
        + b"\n"
        + b"1," * 19_999
        + b"1",
        "a million columns": b"\n".join((MILLION, re.sub(rb"c\d+", b"1", MILLION))),
        "a million names alone": MILLION,
        "a million cells in a row": good[0] + re.sub(rb"c\d+", b"1", MILLION),
        "commas": b"," * 10_000,
        "quotes": b'"' * 10_001,
        "line ends": b"\n" * 10_000,
    }
    cases += [Case(name, put({"t.csv": data}), read) for name, data in whole.items()]
    broken = spoiled(text.encode(), random.Random(component))
    cases += [Case(name, put({"t.csv": data}), read) for name, data in broken.items()]
    packed = spoiled(gzip.compress(text.encode(), mtime=0), random.Random(component))
    cases += [Case(f"gzip, {n}", put({"t.csv.gz": data}), read) for n, data in packed.items()]
    return cases


def texts() -> list[Case]:
    """Folders of good texts and spoiled ones, and tables of texts."""
    words = "a good film that nobody saw, and Ünïcödé".encode()
    good = {f"{'pos' if n % 2 else 'neg'}/{n}.txt": words + b" %d" % n for n in range(8)}
    bad = {f"pos/{name}.txt": data for name, data in spoiled(words * 9, random.Random(1)).items()}
    bad |= {f"neg/nasty {number}.txt": row for number, row in enumerate(NASTY.values())}
    read = ingested("text_example_gen", **ALL_MAY_FAIL)
    cases = [
        Case(name, put({**good, name: data}), read, len(good) + 1) for name, data in bad.items()
    ]
    lines = b'{"text": "a good film %d", "label": %d}\n'
    good_lines = b"".join(lines % (n, n % 2) for n in range(12))
    nasty = {
        "not closed": b'{"text": "a\n',
        "deep": b"[" * 100_000 + b"\n",
        "a list": b"[1, 2]\n",
        "NaN": b'{"text": NaN, "label": 1}\n',
        "half pair": b'{"text": "\\ud800", "label": 1}\n',
        "nested": b'{"text": {"a": 1}, "label": []}\n',
        "a key twice": b'{"text": "a", "text": "b", "label": 1}\n',
        "a long number": b'{"text": ' + b"9" * 10_000 + b', "label": 1}\n',
        "NUL": b"\0\n",
    }
    for name, line in nasty.items():
        cases.append(Case(f"JSON lines, {name}", put({"t.jsonl": good_lines + line}), read))
    return cases


def tfrecords() -> list[Case]:
    """Files of records with a spoiled frame, and records with a spoiled content."""
    labels = ("image/class/label", "image/class/text")

    def example(seed: int, **other: Any) -> bytes:
        content = {"image/encoded": picture("PNG", seed), labels[0]: seed % 2}
        return encode({**content, labels[1]: "xy"[seed % 2], **other})

    good = [example(seed) for seed in range(6)]
    read = ingested("import_example_gen", **ALL_MAY_FAIL)
    whole = b"".join(map(frame, good))
    cases = []
    frames = spoiled(whole, random.Random(3)) | {
        "a length beyond the file": struct.pack("<Q", 2**63) + whole[8:],
        "a wrong checksum of the length": whole[:8] + bytes(4) + whole[12:],
        "a wrong checksum at the end": whole[:-4] + bytes(4),
        "lines": b"a,b\n1,2\n",
    }
    frames.pop("twice")
    for name, data in frames.items():
        cases.append(Case(f"frame: {name}", put({"train/a.tfrecord": data}), read))
        packed = gzip.compress(data, mtime=0)
        files = {"train/a.tfrecord.gz": packed[: -1 - len(packed) // 9]}
        cases.append(Case(f"gzip cut off: {name}", put(files), read))
    contents = spoiled(example(9), random.Random(4)) | {
        "no picture": encode({labels[0]: 1}),
        "a text as the label": example(9, **{labels[0]: "one"}),
        "a negative label": example(9, **{labels[0]: -5}),
        "a huge label": example(9, **{labels[0]: 2**62}),
        "a float as the picture": example(9, **{"image/encoded": 1.5}),
    }
    for name, data in contents.items():
        files = {"train/a.tfrecord": whole + frame(data)}
        cases.append(Case(f"record: {name}", put(files), read, len(good) + 1))
    return cases


def models() -> list[Case]:
    """SavedModels with a spoiled file, as the model server loads them."""

    def loaded(folder: Path) -> None:
        from millrace.serving.flags import Options
        from millrace.serving.loading import Loader

        Loader(Options(), None)(epath.Path(folder / "in")).close()

    cases, files = [], saved_model()
    for path, data in files.items():
        for name, broken in spoiled(data, random.Random(path)).items() if data else ():
            cases.append(Case(f"{path}: {name}", put({**files, path: broken}), loaded))
        others = {other: files[other] for other in files if other != path}
        cases.append(Case(f"no {path}", put(others), loaded))
    graph = files["saved_model.pb"]
    for name in (b"AddV2", b"ReadVariableOp"):
        other = graph.replace(name, name[:-1] + b"X")
        cases.append(Case(f"an unknown {name}", put({**files, "saved_model.pb": other}), loaded))
    return cases


@functools.cache
def saved_model() -> dict[str, bytes]:
    """The files of a small model, made in a process of its own: this one will be forked."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        made = "from tests.serving import conftest; import sys; conftest.export(sys.argv[1])"
        subprocess.run([sys.executable, "-c", made, name], check=True, capture_output=True)
        place = Path(name)
        found = {str(f.relative_to(place)): f.read_bytes() for f in place.rglob("*") if f.is_file()}
    return dict(sorted(found.items()))


SERVED = b'model_config_list { config { name: "a" base_path: "/m" model_platform: "tensorflow" } }'
SCHEMA = b'feature { name: "a" type: INT presence { min_fraction: 1.0 min_count: 1 } }'


def configuration() -> list[Case]:
    """Configurations of the server, schemas, and what stands in a command line."""

    def served(folder: Path) -> None:
        from millrace.serving import config

        config.read(epath.Path(folder / "in" / "c"))

    def schema(folder: Path) -> None:
        from millrace.components.schema_gen import import_schema

        import_schema(RawFiles(epath.Path(folder / "in" / "c")), epath.Path(folder / "out"))

    cases = []
    for name, read, text in (("models", served, SERVED), ("schema", schema, SCHEMA)):
        odd = spoiled(text, random.Random(name)) | {
            "JSON": b'{"a": 1}',
            "deep": b"a {" * 20_000,
            "unknown": b"unknown: 1",
            "a wrong type": text.replace(b'"a"', b"7"),
            "not UTF-8": b"\xff" + text,
            "a long number": text + b" x: " + b"9" * 10_000,
        }
        cases += [Case(f"{name}: {n}", put({"c": data}), read) for n, data in odd.items()]
    values = ["trainer.epochs=-1", "trainer.epochs=1e999", "trainer.epochs=", "trainer.epochs=NaN"]
    values += ["trainer.epochs=" + "9" * 9_999, "trainer=1", "=", "", ".", "a.b.c.d=1", "trainer."]
    values += ["trainer.epochs=[1,", "trainer.model={", "trainer.batch_size=\x1b[31m", "\n=1"]
    lines = [["run", "line-fit", "--set", value] for value in values]
    recipes = ["", "nothing", "../../etc/passwd", "os:system", "no.module:name", "json:dumps", ":"]
    lines += [["run", recipe] for recipe in [*recipes, "a:b:c", "tests:\n", "sys:path"]]
    places = ["", "/nowhere", "/dev/null", "http://", "s3://", "x://y", "a\nb", "~nobody", "/proc"]
    lines += [["run", "tabular", "--data", place] for place in places]
    spans = ["", "latest:0", "latest:-1", "5..1", "a..b", "..", "latest:" + "9" * 99]
    lines += [["run", "tabular", "--data", "{SPAN}", "--spans", span] for span in spans]
    names = ["", "..", "a/b", "a b", "\n", "x" * 999, "é"]
    lines += [["run", "line-fit", "--name", name, "--to", "nothing"] for name in names]
    for words in lines:
        shown = " ".join(words)[:80]
        cases.append(Case(f"line: {shown!r}", put({}), functools.partial(commanded, words)))
    stores = ["", "x", "sqlite", "sqlite:////dev/null", "mysql://a", "postgresql://[", "://", "a\n"]
    for url in [*stores, "sqlite:////proc/x/y.db", "postgresql://u:p@127.0.0.1:1/x"]:
        cases.append(Case(f"store: {url!r}", put({}), functools.partial(opened, url)))
    return cases


def commanded(words: list[str], folder: Path) -> None:
    """Run the command line in this process, which ends by `SystemExit`."""
    from millrace.pipeline.cli import main

    os.chdir(folder / "in")
    sys.argv = ["millrace", *words, "--root", str(folder / "out")]
    main.main()


def opened(url: str, folder: Path) -> None:
    """Open a store."""
    from millrace.pipeline.store import Store

    Store.open(url).close()


KINDS: dict[str, Callable[[], list[Case]]] = {
    "images": images,
    "texts": texts,
    "tables": functools.partial(rows, TABLE, "csv_example_gen"),
    "series": functools.partial(rows, DAYS, "series_example_gen"),
    "tfrecords": tfrecords,
    "models": models,
    "configuration": configuration,
}
