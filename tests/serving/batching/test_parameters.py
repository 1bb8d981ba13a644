"""The contents of a batching file."""

import pytest
from etils.epath import Path

from millrace.serving import cores
from millrace.serving.batching.parameters import BatchingParameters, read
from millrace.serving.errors import ServerError


@pytest.fixture
def parse(tmp_path):
    def run(text):
        file = tmp_path / "batching.txt"
        file.write_text(text)
        return read(Path(file))

    return run


def test_defaults_are_the_real_servers(parse):
    assert parse("") == BatchingParameters(1000, 0, 10, cores.available())


def test_every_parameter_is_read(parse):
    parameters = parse(
        """
        max_batch_size { value: 32 }
        batch_timeout_micros { value: 5000 }
        max_enqueued_batches { value: 100 }
        num_batch_threads { value: 3 }
        thread_pool_name { value: "batches" }
        allowed_batch_sizes: 8
        allowed_batch_sizes: 16
        pad_variable_length_inputs: true
        enable_large_batch_splitting { value: true }
        max_execution_batch_size { value: 16 }
        """
    )
    assert parameters == BatchingParameters(
        max_batch_size=32,
        batch_timeout_micros=5000,
        max_enqueued_batches=100,
        num_batch_threads=3,
        allowed_batch_sizes=(8, 16),
        pad_variable_length_inputs=True,
        enable_large_batch_splitting=True,
        max_execution_batch_size=16,
    )
    assert [parameters.round_up(rows) for rows in (1, 8, 9, 16)] == [8, 8, 16, 16]
    assert parameters.batch_limit == 16


def test_an_execution_size_only_applies_with_splitting(parse):
    parameters = parse("max_batch_size { value: 8 } max_execution_batch_size { value: 2 }")
    assert parameters.batch_limit == 8


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size must be positive; was 0"),
        ("num_batch_threads { value: 0 }", "num_batch_threads must be positive; was 0"),
        ("max_enqueued_batches { value: 0 }", "max_enqueued_batches must be positive; was 0"),
        (
            "batch_timeout_micros { value: -1 }",
            "batch_timeout_micros must be non-negative; was -1",
        ),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 4",
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; "
            "expected 8",
        ),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 8 allowed_batch_sizes: 8",
            "allowed_batch_sizes entries must be monotonically increasing",
        ),
        (
            "max_batch_size { value: 8 } enable_large_batch_splitting { value: true } "
            "max_execution_batch_size { value: 9 }",
            "max_execution_batch_size must be less than or equal to max_batch_size; was 9; "
            "expected at most 8",
        ),
    ],
)
def test_invalid_values_are_refused(parse, text, refusal):
    with pytest.raises(ServerError) as caught:
        parse(text)
    assert str(caught.value) == refusal


def test_a_file_that_does_not_parse_is_refused_with_its_name(parse, tmp_path):
    with pytest.raises(ServerError, match=r"^Invalid protobuf file: '.*batching\.txt': .*nome"):
        parse("nome: 1")
    with pytest.raises(ServerError, match=r"^Invalid protobuf file: '.*none'"):
        read(Path(tmp_path / "none"))
