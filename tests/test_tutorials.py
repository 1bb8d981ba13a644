"""Every tutorial is followed to its end: its scripts are written and its commands run, in order."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.serving.client import Client
from tests import pages
from tests.command import millrace, started
from tests.serving.conftest import free_port

TUTORIALS = sorted((Path(__file__).parents[1] / "docs/tutorials").glob("*.md"))


def _scripts(text):
    """The scripts that the page shows, by the name that stands last above each."""
    for found in re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield re.findall(r"`(\w+\.py)`", text[: found.start()])[-1], found[1]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_ends_in_an_answer_over_grpc(page, tmp_path):
    port = str(free_port())
    text = page.read_text().replace("8500", port)
    for name, script in _scripts(text):
        (tmp_path / name).write_text(script)
    servers, said = [], ""
    try:
        for program, *words in pages.commands(text):
            if words[0] == "serve":
                servers.append(started(*words, cwd=tmp_path))
                with Client(f"127.0.0.1:{port}") as client:
                    client.wait_until_available(words[1])
                continue
            if program == "python":
                done = subprocess.run(
                    [sys.executable, *words],
                    cwd=tmp_path,
                    capture_output=True,
                    text=True,
                    check=False,
                )
            else:
                done = millrace(*words, cwd=tmp_path)
            assert done.returncode == 0, (words, done.stderr, done.stdout)
            said = done.stdout
    finally:
        for server in servers:
            server.terminate()
            server.communicate(timeout=60)
    assert (words, len(servers)) == (["ask.py"], 1)
    assert re.search(EXPECTED[page.stem], said), said


EXPECTED = {
    "images": r"triangle\W+[01]\.\d",
    "language": r"the moon \w+",
    "series": r"^\d+\.\d+ \[|^\[\d",
    "tables": r"^\[?\d+\.",
    "texts": r"good\W+[01]\.\d",
}
