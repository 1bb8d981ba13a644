"""Raw records to transformed ones, whatever their kind: how many are in memory at once."""

import pytest

from millrace.components.features import language_rows, rows, table_rows, text_rows
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.table_spec import TableSpec
from millrace.components.features.text_spec import TextSpec
from millrace.components.files import columns
from millrace.serving.example import encode


@pytest.mark.parametrize(
    ("kind", "module", "sizes"),
    [
        (TextSpec, text_rows, [1, 1, 1]),
        (LanguageSpec, language_rows, [1, 1, 1]),
        (TableSpec, table_rows, [3]),
    ],
)
def test_texts_are_taken_few_at_a_time(kind, module, sizes, monkeypatch):
    monkeypatch.setattr(columns, "TEXT_BYTES", 1)
    monkeypatch.setattr(rows, "needs_tensorflow", lambda _: False)
    monkeypatch.setattr(module, "transform", lambda batches, *_: [one.num_rows for one in batches])
    records = [encode({"text": "a"})] * 3
    assert rows.transform(records, "f", object.__new__(kind), []) == sizes
