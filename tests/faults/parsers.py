"""The parsers that are ours, what each is given as valid, and what it gives back; see `fuzz.py`."""

import functools
import gzip
import io
import itertools
import json
import shlex
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from etils import epath

from millrace.components.artifacts import RawFiles
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv import dates, dialect, encodings
from millrace.components.example_gen.images.options import Manifest
from millrace.components.example_gen.shards import span
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.texts import cutting, json_rows, lines, parts
from millrace.components.features import table_spec
from millrace.components.files import archives, columns, json_files, names, pictures
from millrace.components.files.tfrecord import read_records
from millrace.components.models import word_vectors
from millrace.components.tuning import space
from millrace.components.user_code import pieces
from millrace.pipeline import questions, tags
from millrace.pipeline.recipes import catalog
from millrace.serving import config, example, flags, monitoring, security, wire
from millrace.serving.batching import parameters
from millrace.serving.client import rest_messages
from millrace.serving.errors import MillraceError, RpcError
from millrace.serving.grpc_server import servicer
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.records import frame
from millrace.serving.rest import document, examples, paths, reading
from millrace.serving.signature import TensorInfo
from tests.faults import hostile
from tests.faults.fuzz import Parser
from tests.faults.kill import Lost
from tests.serving import certificates


def same(found: object, wanted: object) -> None:
    """Check a way back.

    Raises:
        Lost: what came back is another.
    """
    if repr(found) != repr(wanted):
        raise Lost(f"way back: {type(wanted).__name__}: {found!r:.200} for {wanted!r:.200}")


def typed(read: Callable[[str], object]) -> Callable[[bytes, Path], object]:
    """What reads a text that a person types; bytes that are not UTF-8 as Python has them."""
    return lambda data, folder: read(data.decode(errors="surrogateescape"))


def filed(read: Callable[[Path], object], name: str = "file") -> Callable[[bytes, Path], object]:
    """What reads a file."""

    def call(data: bytes, folder: Path) -> object:
        (folder / name).write_bytes(data)
        return read(epath.Path(folder / name))

    return call


def ingested(component: str, name: str, **options: Any) -> Callable[[bytes, Path], object]:
    """What a component reads as a file of that name, a manifest beside pictures."""
    read = hostile.ingested(component, **options)

    def call(data: bytes, folder: Path) -> object:
        for each in ("in", "out"):
            (folder / each).mkdir()
        for each in "ab" if "manifest" in options else ():
            (folder / "in" / f"{each}.png").write_bytes(PICTURES[0])
        (folder / "in" / name).write_bytes(data)
        return read(folder)

    return call


def a_record(data: bytes, folder: Path) -> None:
    """A tf.train.Example, by protobuf and by Arrow."""
    decoded = example.decode(data)
    same(example.decode(example.encode(decoded)), decoded)
    batch = columns.of_records([data], "place")
    shown = {name for name in batch.schema.names if name and batch[name][0].is_valid}
    if not shown <= decoded.keys():
        raise Lost(f"way back: columns: {shown} of {decoded.keys()}")


def records(name: str) -> Callable[[bytes, Path], object]:
    """A file of records; a plain one is its records, framed."""

    def read(data: bytes, folder: Path) -> None:
        (folder / name).write_bytes(data)
        found = list(read_records(epath.Path(folder / name)))
        if not name.endswith(".gz"):
            same(b"".join(map(frame, found)), data)

    return read


INPUTS = {
    "a": TensorInfo("a:0", "float32", (None, 2)),
    "b": TensorInfo("b:0", "string", (None,)),
    "c": TensorInfo("c:0", "int64", (None, 1)),
}


def predict(data: bytes, folder: Path) -> None:
    """The body of a Predict request, for three inputs and for one."""
    for inputs in ({"a": INPUTS["a"]}, INPUTS):
        try:
            reading.predict_body(document.parse(data)).arrays(inputs)
        except RpcError:
            if inputs is INPUTS:
                raise


def tensors(data: bytes, folder: Path) -> None:
    """A Predict request over gRPC."""
    request = servicer.read(messages.PredictRequest, data)
    for name, proto in request.inputs.items() if request else ():
        array = wire.to_array(proto)
        if array.size < 1 << 20:
            same(wire.to_array(wire.to_proto(array, name=name)).tolist(), array.tolist())


def request_path(text: str) -> None:
    """The path of a request, which one verb has at most."""
    try:
        paths.parse("POST", text).spec()
    except RpcError:
        paths.parse("GET", text).spec()


def texts_in_parts(data: bytes, folder: Path) -> None:
    """A corpus, which is the same whole and in parts."""
    file = epath.Path(folder / "a.txt")
    file.write_bytes(data)
    for unit in ("line", "paragraph", "passage"):
        options = cutting.CorpusOptions(unit, 50, None, "replace")
        found = list(parts.parts(file.parent, [ListedRow("a.txt", "")], options, 64))
        if all(each.within for each in found):
            encoding = found[0].within.encoding
            text = io.TextIOWrapper(io.BytesIO(data), encoding, found[0].within.errors).read()
            apart = [parts.records_of(file, each.within, options) for each in found]
            same(list(itertools.chain.from_iterable(apart)), cutting.cut(text, unit, 50))


def array_of_json(data: bytes, folder: Path) -> None:
    """An array, which is what `json` finds there."""
    found = list(json_rows.array_values(io.BytesIO(data), "file", "utf-8"))
    same(found, json.loads(data.decode("utf-8", "replace").removeprefix("\ufeff")))


def json_line(text: str) -> None:
    """A line of JSON, and what it would be as a table."""
    json_rows.rewritten(text, "file")
    json_rows.line_cells(text)


def csv_sample(data: bytes) -> None:
    """The beginning of a table, as a file of numbers and of texts."""
    text = data.decode(errors="replace")
    for are_texts in (False, True):
        dialect.settle("file", text + "\n", "utf-8", dialect.CsvFormat(), texts=are_texts)


def decoded(data: bytes, folder: Path) -> None:
    """The text of a file, with its encoding found."""
    for bad in ("replace", "ignore", "latin-1", "reject"):
        encodings.decode_text(data, bad=bad)


def extracted(name: str) -> Callable[[bytes, Path], object]:
    """An archive, whose files lie in its own folder."""

    def read(data: bytes, folder: Path) -> None:
        (folder / "in").mkdir()
        (folder / "in" / name).write_bytes(data)
        (folder / "out").mkdir()
        with archives.unpacked(
            epath.Path(folder / "in" / name), epath.Path(folder / "out")
        ) as root:
            for each in Path(root).rglob("*"):
                if each.is_symlink() or not (each.is_file() or each.is_dir()):
                    raise Lost(f"link: {each}")
        if {each.name for each in folder.iterdir()} != {"in", "out"}:
            raise Lost(f"outside: {list(folder.iterdir())}")

    return read


def any_of(*reads: Callable[[], object]) -> None:
    """Try each, and refuse as the last does if all refuse."""
    refusal: MillraceError | None = None
    is_read = False
    for read in reads:
        try:
            read()
            is_read = True
        except MillraceError as error:
            refusal = error
    if refusal and not is_read:
        raise refusal


def labelled(text: str) -> None:
    """A line with its label."""
    any_of(*(functools.partial(lines.labelled, text, separator) for separator in ("", "\t", ":")))


def ranged(text: str) -> None:
    """A range of hyperparameters."""
    found = space.parse(text, "place")
    same(space.parse(str(found), "place"), found)


def spans(text: str) -> None:
    """A pattern and which spans of it."""
    pattern, _, wanted = text.partition(" ")
    if span.is_pattern(pattern):
        span._check(pattern)  # resolve would look for it all over the disk
        span.match(pattern, "a/2024-01-31")
    numbers = [span.FoundSpan(number, 1, str(number)) for number in (1, 3, 7)]
    span.select(numbers, wanted, is_date=False)
    span.select(numbers, wanted, is_date=True)


@functools.cache
def _recipe(name: str) -> Any:
    return catalog.without_data(catalog.find(name))


def option(text: str) -> None:
    """What is set in a recipe of each kind."""
    import copy

    for name in ("tabular", "text-generator"):
        try:
            copy.deepcopy(_recipe(name)).configure([text])
        except MillraceError:
            if name == "text-generator":
                raise


def imported(data: bytes, folder: Path) -> None:
    """A curated schema."""
    from millrace.components.schema_gen import import_schema

    (folder / "out").mkdir()
    filed(lambda file: import_schema(RawFiles(file), epath.Path(folder / "out")))(data, folder)


def named(text: str) -> None:
    """Names of models, steps, tags and notes."""
    refused: list[Exception] = []
    for check in (names.model, names.step, tags.word, tags.note):
        try:
            check(text)
        except (ValueError, MillraceError) as error:
            refused.append(error)
    for error in refused:
        raise error if isinstance(error, MillraceError) else OptionError(str(error))


class _Signature:
    def __init__(self, channels: int) -> None:
        self.inputs = {"window": TensorInfo("w:0", "float32", (None, 3, channels))}


def answers(data: bytes, folder: Path) -> None:
    """What a server answers over REST."""
    reads = (
        *(rest_messages.metadata, rest_messages.classes, rest_messages.regressions),
        rest_messages.statuses,
    )
    any_of(*(functools.partial(read, data) for read in reads))


@functools.cache
def _keys() -> bytes:
    """A server's key, certificate and authority, made anew; empty where no OpenSSL is."""
    if not shutil.which("openssl"):
        return b""
    with tempfile.TemporaryDirectory(prefix="keys-") as name:
        folder = Path(name)
        certificates.authority(folder)
        certificates.signed(folder, "server")
        pem = {"server_key": "server.key", "server_cert": "server.pem", "custom_ca": "ca.pem"}
        text = "".join(f"{k}: {json.dumps((folder / f).read_text())}\n" for k, f in pem.items())
    return f"{text}client_verify: true\n".encode()


def _zipped() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as packed:
        packed.writestr("cat/a.txt", "a" * 50)
        packed.writestr("dog/b.txt", "b" * 50)
    return sink.getvalue()


def _tarred(mode: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as packed:
        for name in ("cat/a.txt", "dog/b.txt"):
            info = tarfile.TarInfo(name)
            info.size = 50
            packed.addfile(info, io.BytesIO(b"a" * 50))
    return sink.getvalue()


def _array() -> bytes:
    sink = io.BytesIO()
    pixels = np.arange(4 * 5 * 5, dtype=np.uint8).reshape(4, 5, 5)
    np.savez(sink, x_train=pixels, y_train=np.array([0, 1, 0, 1]))
    return sink.getvalue()


def _words(text: str) -> tuple[bytes, ...]:
    return tuple(word.encode() for word in text.split(" "))


ROWS = hostile.TABLE.encode(), hostile.TABLE.replace(",", ";").replace(".", ",").encode()
CELLS = (*_words('a , ; " \n \r\n \r \t | 1 -1 1.5 1,5 1e9 NaN NA # 2020-01-31 x y ü'), b" ", b"")
SERIES = hostile.DAYS.encode(), b"id,time,y\na,1,2\na,2,3\nb,1,4\nb,2,5\n"
JSONS = (
    b'[{"text": "a", "label": 1}, {"text": "b\\u00fc", "label": [1.5e3, null, true]}]',
    b'{"text": "a", "label": {"a": -1}}',
)
LINES = b"".join(b'{"text": "a film %d", "label": %d}\n' % (n, n % 2) for n in range(9)), *JSONS
SIGNS = (*_words('{ } [ ] , : " \\ \\u00 \\ud800 1 -0 1e400 null true NaN Inf "a" a'), b"\n")
REQUEST = (
    b'{"inputs": {"a": [[1, 2.5]], "b": ["x"], "c": [[3]]}}',
    b'{"instances": [{"a": [1, 2], "b": {"b64": "eA=="}, "c": [3]}], "signature_name": "s"}',
    b'{"instances": [[1.0, 2.0], [3.0, 4.0]]}',
)
FIELDS = _words(' "inputs" "instances" "a" "b" "c" "b64" "signature_name" "examples" "context"')
KEYS = _words('"results" "metadata" "signature_def" "inputs" "dtype" "version" "state" "status"')
RECORD = example.encode({"a": [b"x", b"y"], "b": np.array([1.5, 2]), "c": np.array([1, -1])})
BLOCK = (*_words('{ } : " , [ ] # a 1 -1 1.5 true config model_config_list name base_path'), b"\n")
PICTURES = tuple(hostile.picture(form, 3) for form in ("PNG", "JPEG", "GIF", "BMP", "WEBP"))


def serving() -> Iterable[Parser]:
    """Those of the serving floor."""
    tensor = wire.to_proto(np.arange(6, dtype=np.float32).reshape(2, 3), name="a")
    text = wire.to_proto(np.array([b"a", b"bc"], object), name="b")
    asked = messages.PredictRequest(
        model_spec=messages.ModelSpec(name="m"), inputs={"a": tensor, "b": text}
    ).SerializeToString()
    described = b'{"examples": [{"a": 1, "b": [1.5], "c": {"b64": "eA=="}}], "context": {"a": 2}}'
    status = b'[{"version": "1", "state": "A", "status": {"error_message": "a"}}]'
    listed = (
        *(b'{"results": [[["a", 1.5], ["b", -1e3]]]}', b'{"results": [1.5, 2]}'),
        b'{"model_version_status": ' + status + b"}",
        b'{"model_spec": {"name": "m", "version": "3"}, "metadata": {"signature_def": '
        b'{"signature_def": {"s": {"methodName": "m", "inputs": {"a": {"dtype": "DT_FLOAT", '
        b'"name": "a:0", "tensorShape": {"dim": [{"size": "-1"}, {"size": "2"}]}}}}}}}}',
    )
    batching = b"max_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8"
    path = b"/v1/models/m/versions/3:predict", b"/v1/models/m%20/labels/a/metadata"
    line = b"--port=8500 --model_name=m --model_base_path=/m --enable_batching=true"
    watch = b'prometheus_config { enable: true path: "/p" }'
    keys = _keys(), b'server_key: "k" server_cert: "c" custom_ca: "a" client_verify: true'
    yield Parser("REST predict", predict, REQUEST, SIGNS + FIELDS, is_long=True)
    yield Parser(
        "REST examples",
        lambda data, folder: examples.read(document.parse(data)),
        (described,),
        SIGNS + FIELDS,
        is_long=True,
    )
    yield Parser(
        "REST paths", typed(request_path), path, _words("/ : % %2f v1 models"), is_long=True
    )
    yield Parser("REST answers", answers, listed, SIGNS + KEYS)
    yield Parser("gRPC predict", tensors, (asked, asked[:-9]))
    yield Parser("tf.Example", a_record, (RECORD, example.encode({})))
    yield Parser("model config", filed(config.read), (hostile.SERVED,), BLOCK, is_long=True)
    yield Parser("batching config", filed(parameters.read), (batching,), BLOCK, is_long=True)
    yield Parser("monitoring config", filed(monitoring.prometheus_path), (watch,), BLOCK)
    yield Parser(
        "TLS config", filed(lambda file: security.server_credentials(str(file))), keys, BLOCK
    )
    yield Parser("token", filed(lambda file: security.read_gate(str(file))), (b"abc\n",))
    flag = typed(lambda text: flags.parse(text.split(" ")))
    yield Parser("flags", flag, (line,), _words("--port = 1 --help"), is_quick=False)


def files() -> Iterable[Parser]:
    """Those of files of data."""
    whole = b"".join(frame(RECORD) for _ in range(40))
    yield Parser("TFRecord", records("a.tfrecord"), (whole, frame(b"")))
    yield Parser("TFRecord, gzip", records("a.tfrecord.gz"), (gzip.compress(whole, mtime=0),))
    yield Parser("CSV dialect", lambda data, folder: csv_sample(data), ROWS + SERIES, CELLS)
    yield Parser("encodings", decoded, (*ROWS, "ÄÖ żółw".encode("cp1250"), "日本".encode("cp932")))
    yield Parser("JSON lines", typed(json_line), JSONS, SIGNS)
    yield Parser("JSON array", array_of_json, JSONS, SIGNS)
    yield Parser(
        "JSON files", filed(lambda file: json_files.read_list(file, text=str)), JSONS, SIGNS
    )
    yield Parser("lines with labels", typed(labelled), (b"__label__a __label__b text", b"a\tb"))
    corpus = b"one line\nanother line\n\nA paragraph\r\nof two\n\n\n \nand one more " * 4
    yield Parser(
        "corpus in parts", texts_in_parts, (corpus, corpus.decode().encode("utf-16")), CELLS
    )
    yield Parser("zip", extracted("a.zip"), (_zipped(),))
    yield Parser("tar", extracted("a.tar"), (_tarred("w"),))
    yield Parser("tar.gz", extracted("a.tar.gz"), (_tarred("w:gz"),))
    yield Parser("pictures", lambda data, folder: pictures.read_picture(data), PICTURES)
    vectors = b"the 0.1 0.2\na 0.3 -1e3\n"
    read = filed(lambda file: word_vectors.read(file, ["", "the", "a"]))
    yield Parser("word vectors", read, (vectors, b"2 2\n" + vectors), CELLS)
    may_fail = hostile.ALL_MAY_FAIL
    manifest = b"path,label,split\na.png,x,train\nb.png,y,eval\n"
    options = {"manifest": Manifest("t.csv")} | may_fail
    for name, call, seeds in (
        ("tables", ingested("csv_example_gen", "t.csv", **may_fail), ROWS),
        ("series", ingested("series_example_gen", "t.csv", **may_fail), SERIES),
        ("texts in tables", ingested("text_example_gen", "t.csv", **may_fail), ROWS),
        ("texts in JSON", ingested("text_example_gen", "t.jsonl", **may_fail), LINES),
        ("manifest", ingested("image_example_gen", "t.csv", **options), (manifest,)),
        ("arrays", ingested("pixels_example_gen", "a.npz", **may_fail), (_array(),)),
    ):
        yield Parser(name, call, seeds, SIGNS if "JSON" in name else CELLS, is_quick=False)


def lines_of_command() -> Iterable[Parser]:
    """Those of what a person types."""
    piece = (
        *(b"mine.losses:focal(gamma=2)", b"BinaryAccuracy(threshold=0.7, name='a')"),
        b"a:b({'a': [1, (2, 3)]}, x={1, 2})",
    )
    signs = _words("( ) [ ] { } ' \" , = : - + 1 1e999 None a * ** lambda f'' \\ # . 1is {[]:1} \0")
    said = (
        *(b"trainer.epochs=3", b"trainer.model.units=8,4", b"trainer.model=dense"),
        *(b'trainer.optimizer={"kind": "adam"}', b"csv_example_gen.splits=train=0.5,test=0.5"),
        *(b"trainer.loss=mine:loss(a=1)", b"trainer.seed=1"),
    )
    parts_said = _words('trainer . epochs = model units optimizer schedule , 1 -1 [ ] { } " : kind')
    yield Parser("pieces", typed(lambda text: pieces.read(text, "place")), piece, signs)
    yield Parser("options", typed(option), said, parts_said, is_quick=False)
    ranges = b"log 1e-4..1e-1", b"int 16..128 step 16", b"choice a|b", b"uniform 0..0.5 step 0.1"
    yield Parser("ranges", typed(ranged), ranges, _words("int log uniform .. step 1 0 1e999 -1 |"))
    crosses = typed(lambda text: table_spec.parse_crosses([text], ["a", "b", "a:b", "ab"], 9))
    yield Parser("crosses", crosses, (b"a:b", b"a:b:ab"), _words("a : b ab"))
    forms = b"%d.%m.%Y %H:%M", b"%Y-%m-%d", b"unix"
    dated = typed(lambda text: dates.check_form("place", text))
    yield Parser("dates", dated, forms, _words("% %% %Y %d %q ( ) [ ? * | \\ or"))
    patterns = b"a/{YYYY}-{MM}-{DD} latest:7", b"a/{SPAN:4}/{VERSION} 3..12", b"b/{SPAN}* ..9"
    yield Parser(
        "spans", typed(spans), patterns, _words("{SPAN} {YYYY} {MM} {DD} {VERSION:9} .. *")
    )
    yield Parser("names", typed(named), (b"toy", b"a-b.c"))
    for channels in (1, 2):
        window = functools.partial(questions.from_window, signature=_Signature(channels))
        yield Parser(f"windows of {channels}", typed(window), (b"1,2,3", b"1,2;3,;4,5"), CELLS)
    assigned = typed(lambda text: questions.from_row(questions.from_columns(shlex.split(text))))
    yield Parser("columns", _no_closing(assigned), (b"a=1 b='x y'",), CELLS)
    yield Parser("schema", imported, (hostile.SCHEMA,), BLOCK, is_long=True)


def _no_closing(read: Callable[[bytes, Path], object]) -> Callable[[bytes, Path], object]:
    """As a shell does: what it cannot part never arrives."""

    def call(data: bytes, folder: Path) -> object:
        try:
            shlex.split(data.decode(errors="surrogateescape"))
        except ValueError:
            raise DataError("no closing quote") from None
        return read(data, folder)

    return call


def every() -> list[Parser]:
    """All of them, the quick ones first."""
    found = [*serving(), *files(), *lines_of_command()]
    return sorted(found, key=lambda parser: not parser.is_quick)
