"""How the source of records was read, kept beside them."""

import json

from etils.epath import Path

from millrace.components.artifacts import Examples
from millrace.components.example_gen.unlabelled_rows import source
from millrace.components.example_gen.unlabelled_rows.source import TextSource


def test_classes_are_written_in_one_order_whatever_that_of_the_set(tmp_path):
    examples = Examples(Path(tmp_path))
    written = TextSource(classes=frozenset("hgfedcba"))
    source.write(written, examples)
    content = json.loads((tmp_path / "source.json").read_text())
    assert content["classes"] == list("abcdefgh")
    assert source.read(examples) == written
