"""The digest of a source changes with what it says, under every Python alike."""

import functools
import json
import pathlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.user_code import syntax

PROJECT = pathlib.Path(__file__).parents[3]
PYTHONS = pathlib.Path("~/.pyenv/versions").expanduser()

# What the parsers of 3.11, 3.12 and 3.13 are known to tell apart in their trees or their dumps.
KNOTS = r'''
"""Words."""
from __future__ import annotations
import a.b as c, d.e
from . import f
from .g.h import *

class C(D, metaclass=M): ...
def f(a, /, b: int = 1, *c, d=None, **e) -> "None":
    """Words."""
async def g():
    async with a as b, c: return [x async for x in y if await z]
x = f"{a!r:>{b}} {c=} {{}} {d:} {e:%H:%M}" "tail" f"" 'x' u"u", b"\x00\xff", rf"\d{a}"
y = "\u2028\ud800\U0001fae8é" + 'it''s' + "\N{BULLET}"
z = (0xff, 10**3, 1_000, -0.0, 1e999, 2j, 1.5e-7, True, None, ..., 0xLONG)
match x:
    case [1, "a", *rest] | {"k": v, **more} if v: pass
    case C(x=0) as c: ...
try: pass
except* (A, B) as e: raise
lambda *, k=1, **kw: (yield)
del x[1:2, ::3], y[*z]
with (open(a) as b, c): (n := 10)
{**a, "b": 1}; {*a}; print(*a, **b, sep="")
global_ = not a if b else c < d <= e is not f
'''.replace("LONG", "f" * 5000)

DIGESTS = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
from millrace.components.user_code import syntax
files = [pathlib.Path(file) for file in json.load(sys.stdin)]
read = {str(file): syntax.read(file.read_bytes(), "a.b", is_package=False) for file in files}
print(json.dumps({name: (one.digest, sorted(one.modules)) for name, one in read.items()}))
"""


def say(source, module="mine.first", is_package=False):
    return syntax.read(source.encode(), module, is_package=is_package)


@pytest.fixture(scope="module")
def digests(tmp_path_factory):
    """What an interpreter makes of the project's own modules, and of one that is hard to parse."""
    knots = tmp_path_factory.mktemp("sources") / "knots.py"
    knots.write_text(KNOTS, encoding="utf-8")
    floors = ("components", "pipeline", "serving")
    files = [file for floor in floors for file in (PROJECT / floor).rglob("*.py")]
    sources = json.dumps([str(file) for file in (knots, *files)])

    @functools.cache
    def of(version):
        python = next(iter(sorted(PYTHONS.glob(f"{version}.*/bin/python"))), None)
        if python is None:
            pytest.skip(f"expected Python {version} in {PYTHONS}; install it with pyenv")
        command = [python, "-I", "-W", "error", "-c", DIGESTS, PROJECT]
        done = subprocess.run(command, input=sources, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return of


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_the_digest_of_every_module_is_the_same_under_every_python(digests, version):
    first = digests("3.11")
    assert len(first) > 300
    assert all(modules for name, (_, modules) in first.items() if name.endswith("knots.py"))
    assert digests(version) == first


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f(1, 2)  # words", "f(\n  1,\n  2,\n)"),
        ("def f():\n  'words'\n  return 1", "def f():\n  return 1"),
        ("class C:\n  'words'", "class C:\n  pass"),
        ("'words'\nx = 1", "x = 1"),
        ("x = 'a' 'b'", "x = u'ab'"),
        ("x = 0x10 + 1_000", "x = 16 + 1000"),
        ("x = f'{a:}'", "x = f'{a}'"),
        ("x = '\\d'", "x = '\\\\d'"),
    ],
)
def test_what_changes_nothing_changes_no_digest(one, other):
    assert say(one).digest == say(other).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("x = 'a'", "x = a"),
        ("x = None", "x = ()"),
        ("f(a)", "f(*a)"),
        ("f(a=b)", "f(b=a)"),
        ("x = [a, [b]]", "x = [[a], b]"),
        ("x = {**a}", "x = {None: a}"),
        ("x = f'{a}'", "x = f'{a!r}'"),
        ("x = f'{a}'", "x = '{a}'"),
        ("def f(a, b=1): pass", "def f(a, *, b=1): pass"),
        ("def f(a, /, b): pass", "def f(a, b, /): pass"),
        ("def f(a): pass", "def f(*a): pass"),
        ("def f(): pass", "async def f(): pass"),
        ("a + b * c", "(a + b) * c"),
        ("if a:\n  b\nc", "if a:\n  b\n  c"),
        ("for a in b:\n  c\nelse:\n  d", "for a in b:\n  c\n  d"),
        ("import a.b", "import a.b as b"),
        ("from . import a", "from .. import a"),
        ("x = 'Name(id'", "x = 'Name(id,ctx'"),
        ("x = 'a\\nb'", "x = 'a', 'b'"),
    ],
)
def test_what_says_something_else_has_another_digest(one, other):
    assert say(one).digest != say(other).digest


@given(st.text(max_size=20), st.text(max_size=20))
def test_texts_have_the_same_digest_only_where_they_are_the_same(one, other):
    digests = {say(f"x = {each!a}\ny = 1").digest for each in (one, other)}
    assert len(digests) == len({one, other})


def test_a_sum_of_thousands_of_terms_has_a_digest():
    terms = " + ".join(["x"] * 2500)
    assert say(terms).digest != say(f"{terms} + x").digest


@pytest.mark.parametrize("broken", ["def f(:", "x = 1\0", "f(" * 300])
def test_source_that_does_not_parse_has_the_digest_of_its_bytes(broken):
    assert say(broken).digest != say(f"{broken} ").digest
    assert say(broken).modules == frozenset()


def test_source_is_read_in_the_encoding_that_it_declares():
    latin = "# coding: latin-1\nx = 'é'\n".encode("latin-1")
    assert syntax.read(latin, "m", is_package=False).digest == say("x = 'é'").digest


@pytest.mark.parametrize(
    ("module", "is_package", "found"),
    [
        ("mine.nets.cnn", False, "mine.nets.parts"),
        ("mine.nets", True, "mine.nets.parts"),
        ("mine", True, "mine.parts"),
        ("mine.nets", False, "mine.parts"),
    ],
)
def test_a_relative_import_is_resolved_as_python_does(module, is_package, found):
    said = say("from .parts import FACTOR", module, is_package)
    assert said.modules == {found, f"{found}.FACTOR"}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import a.b", {"a.b"}),
        ("import a.b as c\nc.d.e()", {"a.b", "a.b.d", "a.b.d.e"}),
        ("import a\nx = a.b.c(1).d", {"a", "a.b", "a.b.c"}),
        ("from a import b\nb.c()", {"a", "a.b", "a.b.c"}),
        ("from a import *", {"a", "a.*"}),
        ("from .. import x", {"mine", "mine.x"}),
        ("from ... import x", set()),
        ("def f():\n  if g:\n    import a", {"a"}),
        ("try:\n  import a\nexcept ImportError:\n  import b as a", {"a", "b"}),
        ("importlib.import_module('a.b')", {"a.b"}),
        ("import_module('.c', __package__); __import__('d')", {"mine.nets.c", "d"}),
        ("import_module(name); x.y()", set()),
    ],
)
def test_modules_are_found_in_every_form_of_import(source, found):
    assert say(source, "mine.nets.cnn").modules - {""} == found
