"""Where an error comes from in a person's own code: file, line, its text, and what went wrong.

Between a step and a person's function lie Beam, TensorFlow, AutoGraph and Keras, whose frames say
nothing about that function. What is looked at: tracebacks; the map that AutoGraph keeps from the
code that it generates to the one that was written; and the tracebacks that errors from other
processes, and from operations in a graph, carry in their text. Standard library only.
"""

import dataclasses
import functools
import itertools
import linecache
import pathlib
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator

import millrace
from millrace.serving.errors import MillraceError

_MOST = 5  # frames shown; the innermost say most
_LINES = 3  # of an error's own text
_FRAME = re.compile(r'File "(?P<file>[^"\n]+\.py)", line (?P<line>\d+)(?:, in (?P<function>\S+))?')
_SEGMENT = re.compile(
    r"Traceback \(most recent call last\)|During handling of the above exception"
    r"|The above exception was the direct cause"
)
_ERROR = re.compile(r"^\s*(?P<kind>[A-Za-z_][\w.]*): \S.*$", re.MULTILINE)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What Keras puts around the error of a layer.
_AROUND = re.compile(
    r"^Exception encountered when calling .*?\.\s+(?:Could not automatically infer.*?"
    r"Error encountered:)?|Arguments received by .*",
    re.DOTALL,
)
_PACKED = re.compile(r"/millrace-code-[^/]+/(?P<below>.+)")
_GENERATED = "__autograph_generated_file"


@dataclasses.dataclass(frozen=True)
class Frame:
    """A line that was being carried out.

    Attributes:
        file: its whole path.
        line: from 1.
        function: that it is in; empty where this is not known.
    """

    file: str
    line: int
    function: str = ""

    def __str__(self) -> str:
        file = _written(self.file)
        here = pathlib.Path.cwd()
        place = file.relative_to(here) if file.is_relative_to(here) else file
        source = linecache.getline(str(file), self.line).strip()
        within = f" in {self.function}" if self.function and "<module" not in self.function else ""
        return f"{place}:{self.line}{within}" + (f"\n    {source}" if source else "")


@dataclasses.dataclass(frozen=True)
class OwnError:
    """An error of a person's own code: its frames, the outermost first, and what it says."""

    frames: tuple[Frame, ...]
    said: str

    def __str__(self) -> str:
        return "\n".join([*map(str, self.frames), self.said])


def find(error: BaseException) -> OwnError | None:
    """The error in a person's own code that led to `error`; None where there is none.

    An error of ours that such code raises says itself what is to be done: it is none.
    """
    chain = [each for each in _chain(error) if not isinstance(each, MillraceError)]
    for each in chain:
        if frames := _own(_translated(each)) or _own(_traced(each)):
            return OwnError(frames[-_MOST:], _said(each))
    for each in chain:
        if found := _in_text(str(each)):
            return found
    return None


def is_own(file: str) -> bool:
    """Whether `file` is neither Python's, installed, nor of millrace.

    Frames of compiled libraries name files of where these were built, which are nowhere here.
    """
    return (
        file.endswith(".py")
        and (pathlib.PurePath(file).is_absolute() or pathlib.Path(file).is_file())
        and _GENERATED not in file
        and not file.startswith(("<", *_others()))
        and not str(pathlib.Path(file).resolve()).startswith(_others())
    )


@functools.cache
def _others() -> tuple[str, ...]:
    """The folders of all other code."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    ours = pathlib.Path(millrace.__file__).parent
    rooms = (ours, *(room.resolve() for room in ours.iterdir() if room.is_dir()))
    return tuple(f"{place}/" for place in {*map(sysconfig.get_path, names), *rooms})


def _is_ours(file: str) -> bool:
    return file.startswith(_others()) and "/millrace/" in file


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error`, what it was raised from or while that was handled, and so on."""
    seen = set[int]()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _translated(error: BaseException) -> Iterator[Frame]:
    """The frames that AutoGraph has mapped back; it has the innermost first."""
    found = getattr(getattr(error, "ag_error_metadata", None), "translated_stack", ())
    for frame in reversed(found):
        yield Frame(str(frame.filename), int(frame.lineno), str(frame.function_name))


def _traced(error: BaseException) -> Iterator[Frame]:
    if isinstance(error, SyntaxError) and error.filename:
        yield Frame(error.filename, error.lineno or 1)
        return
    for frame in traceback.extract_tb(error.__traceback__):
        yield Frame(frame.filename, frame.lineno or 1, frame.name)


def _written(file: str) -> pathlib.Path:
    """Where `file` lies that a worker has in an archive of own modules, see `packed`."""
    if not (packed := _PACKED.search(file)):
        return pathlib.Path(file)
    folders = (pathlib.Path.cwd(), *map(pathlib.Path, sys.path))
    found = (place for folder in folders if (place := folder / packed["below"]).is_file())
    return next(found, pathlib.Path(file))


def _own(frames: Iterable[Frame]) -> tuple[Frame, ...]:
    return tuple(frame for frame in frames if is_own(frame.file))


def _in_text(text: str) -> OwnError | None:
    """The first traceback in `text` that has own frames: the others follow from it."""
    text = _COLOURS.sub("", text)
    starts = [0, *(match.start() for match in _SEGMENT.finditer(text)), len(text)]
    for start, end in itertools.pairwise(starts):
        matches = list(_FRAME.finditer(text, start, end))
        frames = [Frame(m["file"], int(m["line"]), m["function"] or "") for m in matches]
        # What comes before a frame of ours is a script that began the run.
        ours = [number for number, frame in enumerate(frames) if _is_ours(frame.file)]
        first = next((number for number in ours if _own(frames[number:])), 0)
        if own := _own(frames[first:]):
            after = _ERROR.search(text, matches[-1].end())
            said = after.group().strip() if after else _first_lines(text[matches[-1].end() :])
            return OwnError(own[-_MOST:], said)
    return None


def _said(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    text = _COLOURS.sub("", str(error))
    if found := _in_text(text):  # an operation in a graph says where it was made
        return found.said
    return f"{type(error).__name__}: {_first_lines(text)}".rstrip(": ")


def _first_lines(text: str) -> str:
    lines = [line.strip() for line in _AROUND.sub("", text).splitlines() if line.strip()]
    return " ".join(lines[:_LINES])
