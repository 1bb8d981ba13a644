"""Requests run as batches, with threads and fake models."""

import dataclasses
import threading
import time
from concurrent import futures

import numpy as np
import pytest
from etils.epath import Path

from millrace.serving.batching.model import BatchScheduler
from millrace.serving.batching.parameters import PER_MODEL, BatchingParameters
from millrace.serving.errors import (
    CancelledError,
    DeadlineExceededError,
    InvalidArgumentError,
    ResourceExhaustedError,
    UnavailableError,
)
from millrace.serving.inference import RequestOptions
from millrace.serving.protos.signature_pb2 import SignatureDef
from millrace.serving.signature import Signature, TensorInfo

ROOT = Path("/models/half/1")
CALL = RequestOptions()


class Doubler:
    """Doubles `x`; refuses 13; runs only while `gate` is open."""

    signatures = {}  # noqa: RUF012 - as short as it can be

    def __init__(self):
        self.gate, self.sizes, self.calls, self.closed = threading.Event(), [], [], False
        self.gate.set()

    def run(self, feeds, fetches, call):
        assert self.gate.wait(10)
        (x,) = feeds.values()
        self.sizes.append(x.shape if x.ndim > 1 else len(x))
        self.calls.append(call)
        if (x == 13).any():
            raise InvalidArgumentError("13 is refused")
        if (x == 99).any():
            raise DeadlineExceededError("too slow")
        if (x == 66).any():
            raise ValueError("a bug")
        return [x * 2 for _ in fetches]

    def close(self):
        self.closed = True


def floats(*values):
    return {"x": np.array(values, np.float32)}


@pytest.fixture
def model():
    return Doubler()


@pytest.fixture
def batched(model):
    def run(**parameters):
        return BatchScheduler(BatchingParameters(**{"num_batch_threads": 1, **parameters})).wrap(
            model, ROOT
        )

    yield run
    model.gate.set()


@pytest.fixture
def ask():
    """Send requests from separate threads, in order."""
    with futures.ThreadPoolExecutor(64) as pool:

        def run(batched, *requests, call=CALL):
            answers = []
            for feeds in requests:
                answers.append(pool.submit(batched.run, feeds, ["y"], call))
                time.sleep(0.02)
            return answers

        yield run


def values(answer):
    return answer.result(10)[0].tolist()


def test_a_lone_request_runs_at_once(model, batched):
    (y,) = batched().run(floats(1, 2), ["y"], CALL)
    assert (y.tolist(), model.sizes) == ([2, 4], [2])


def test_requests_that_wait_for_a_slot_run_together_and_get_their_own_rows(model, batched, ask):
    whole = batched()
    model.gate.clear()
    answers = ask(whole, floats(1), floats(2), floats(3, 4), floats(5))
    model.gate.set()
    assert [values(one) for one in answers] == [[2], [4], [6, 8], [10]]
    assert model.sizes == [1, 4]


def test_a_batch_waits_for_its_timeout_or_until_it_is_full(model, batched, ask):
    answers = ask(batched(max_batch_size=2, batch_timeout_micros=60_000_000), floats(1), floats(2))
    assert [values(one) for one in answers] == [[2], [4]]  # within 10 s
    whole = batched(max_batch_size=2, batch_timeout_micros=200_000)
    start = time.monotonic()
    (alone,) = ask(whole, floats(3))
    assert values(alone) == [6]
    assert time.monotonic() - start > 0.2
    assert model.sizes == [2, 1]


def test_a_caller_that_sends_one_request_after_another_stops_waiting(model, batched, ask):
    whole = batched(max_batch_size=2, batch_timeout_micros=100_000)
    taken = []
    for number in range(10):
        start = time.monotonic()
        assert whole.run(floats(number), ["y"], CALL)[0].tolist() == [2 * number]
        taken.append(time.monotonic() - start)
    assert min(taken[:8]) >= 0.1
    assert min(taken[8:]) < 0.1

    model.gate.clear()
    answers = ask(whole, floats(1), floats(2), floats(3))
    model.gate.set()
    assert [values(one) for one in answers] == [[2], [4], [6]]
    assert model.sizes[10:] == [1, 2], "the others met one that ran, and waited for each other"


def test_batches_are_padded_to_allowed_sizes_and_outputs_cut_to_their_rows(model, batched):
    (y,) = batched(max_batch_size=8, allowed_batch_sizes=(4, 8)).run(floats(1, 2), ["y"], CALL)
    assert (y.tolist(), model.sizes) == ([2, 4], [4])


def test_requests_that_do_not_match_run_separately(model, batched, ask):
    whole = batched()
    model.gate.clear()
    doubles = {"x": np.array([5.0])}
    answers = ask(whole, floats(0), floats(1), floats([2, 3]), doubles, floats(4))
    model.gate.set()
    assert [values(one) for one in answers] == [[0], [2], [[4, 6]], [10], [8]]
    assert sorted(map(str, model.sizes)) == ["(1, 2)", "1", "1", "2"]
    assert [one.result()[0].dtype.name for one in answers[3:]] == ["float64", "float32"]


def test_with_padding_requests_of_other_sizes_share_a_batch(model, batched, ask):
    whole = batched(pad_variable_length_inputs=True)
    model.gate.clear()
    answers = ask(whole, floats([0]), floats([1]), floats([2, 3]))
    model.gate.set()
    assert [values(one) for one in answers] == [[[0]], [[2, 2]], [[4, 6]]]
    assert model.sizes == [(1, 1), (2, 2)]


def test_a_scalar_input_is_refused_as_by_the_real_server(batched):
    with pytest.raises(InvalidArgumentError, match="must have at least one dimension"):
        batched().run({"x": np.float32(1)}, ["y"], CALL)


def test_too_many_rows_and_a_full_queue_are_refused(model, batched, ask):
    whole = batched(max_batch_size=2, max_enqueued_batches=1)
    with pytest.raises(InvalidArgumentError, match="Task size 3 is larger than maximum input"):
        whole.run(floats(1, 2, 3), ["y"], CALL)
    model.gate.clear()
    answers = ask(whole, floats(1), floats(2, 3))
    with pytest.raises(UnavailableError, match="currently 1 batches enqueued and max_enqueued"):
        whole.run(floats(4), ["y"], CALL)
    model.gate.set()
    assert [values(one) for one in answers] == [[2], [4, 6]]
    assert whole.run(floats(4), ["y"], CALL)[0].tolist() == [8]


def test_a_large_request_is_split_if_that_is_enabled(model, batched):
    whole = batched(
        max_batch_size=10, enable_large_batch_splitting=True, max_execution_batch_size=4
    )
    (y,) = whole.run(floats(*range(9)), ["y"], CALL)
    assert y.tolist() == [2.0 * x for x in range(9)]
    assert model.sizes == [4, 4, 1]


def test_a_request_whose_deadline_passes_before_the_run_is_refused(model, batched, ask):
    whole = batched()
    model.gate.clear()
    (first,) = ask(whole, floats(1))
    (late,) = ask(whole, floats(2), call=RequestOptions(timeout=0.01))
    (patient,) = ask(whole, floats(3), call=RequestOptions(timeout=30))
    model.gate.set()
    with pytest.raises(ResourceExhaustedError) as refusal:
        values(late)
    assert str(refusal.value) == "Run() timeout exceeded while waiting in batching queue"
    assert [values(first), values(patient)] == [[2], [6]]
    assert model.sizes == [1, 1]
    assert model.calls[0].timeout is None
    assert 29 < model.calls[1].timeout < 30


def test_a_cancelled_request_is_not_run(model, batched, ask):
    whole = batched()
    model.gate.clear()
    (first,) = ask(whole, floats(1))
    (gone,) = ask(whole, floats(2), call=RequestOptions(is_active=lambda: False))
    model.gate.set()
    with pytest.raises(CancelledError):
        values(gone)
    assert (values(first), model.sizes) == ([2], [1])


def test_a_failing_request_fails_alone(model, batched, ask):
    whole = batched()
    model.gate.clear()
    answers = ask(whole, floats(0), floats(1), floats(13), floats(2))
    model.gate.set()
    with pytest.raises(InvalidArgumentError, match="13 is refused"):
        values(answers.pop(2))
    assert [values(one) for one in answers] == [[0], [2], [4]]


@pytest.mark.parametrize(("poison", "kind"), [(99, DeadlineExceededError), (66, ValueError)])
def test_a_timeout_or_a_bug_fails_the_batch_and_frees_its_slot(model, batched, ask, poison, kind):
    whole = batched()
    model.gate.clear()
    answers = ask(whole, floats(0), floats(1), floats(poison))
    model.gate.set()
    for one in answers[1:]:
        with pytest.raises(kind):
            values(one)
    assert whole.run(floats(4), ["y"], CALL)[0].tolist() == [8]


def test_other_outputs_need_another_batch_and_empty_queues_are_dropped(model, batched):
    whole = batched()
    assert len(whole.run(floats(1), ["y", "z"], CALL)) == 2
    assert len(whole.run(floats(1), ["z"], CALL)) == 1
    assert whole._queues == {}


def test_loading_a_model_that_takes_scalars_logs_a_warning(model, batched, caplog):
    of = {"prompt": TensorInfo("p:0", "string", (None,)), "length": TensorInfo("l:0", "int32", ())}
    one = Signature("generate", "", of, {}, {}, SignatureDef())
    model.signatures = {"generate": one, "other": dataclasses.replace(one, inputs={})}
    batched()
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "/models/half/1: signature generate takes scalars (length), which cannot be batched: every "
        "request to it will be refused. Serve this model without --enable_batching, or use"
    )


def test_closing_frees_the_model(model, batched):
    batched().close()
    assert model.closed


def test_models_may_have_their_own_parameters_or_stay_unbatched(model, tmp_path):
    batching = BatchScheduler(BatchingParameters(), per_model=True)
    assert batching.wrap(model, Path(tmp_path)) is model
    (tmp_path / PER_MODEL).write_text("max_batch_size { value: 2 }")
    own = batching.wrap(model, Path(tmp_path))
    with pytest.raises(InvalidArgumentError, match="maximum input batch size 2"):
        own.run(floats(1, 2, 3), ["y"], CALL)


def test_many_callers_each_get_their_own_rows_exactly_once(model):
    parameters = BatchingParameters(
        max_batch_size=8,
        batch_timeout_micros=500,
        max_enqueued_batches=1000,
        num_batch_threads=2,
        allowed_batch_sizes=(2, 4, 8),
    )
    whole = BatchScheduler(parameters).wrap(model, ROOT)

    def several(caller):
        for turn in range(40):
            x = np.arange(turn % 9, dtype=np.float64 if caller % 3 else np.float32) + caller * 100
            x[x == 13] = x[x == 66] = x[x == 99] = 0
            (y,) = whole.run({"x": x}, ["y"], CALL)
            assert y.tolist() == (2 * x).tolist()
            assert y.dtype == x.dtype
        return True

    with futures.ThreadPoolExecutor(32) as pool:
        assert all(pool.map(several, range(32), timeout=60))
    assert max(model.sizes) <= 8
