"""Which requests share a batch, and when it is due."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.serving.batching.parameters import BatchingParameters
from millrace.serving.batching.queue import BatchQueue, ConcurrencyTracker
from millrace.serving.errors import InvalidArgumentError, UnavailableError


def queue(**parameters):
    return BatchQueue(
        BatchingParameters(**{"max_batch_size": 4, "max_enqueued_batches": 2, **parameters})
    )


def test_requests_of_one_layout_share_a_batch_until_it_is_full():
    waiting = queue(batch_timeout_micros=10**6)
    first = waiting.add("a", 1, "form", 0.0)
    assert waiting.add("b", 3, "form", 0.1) is first
    second = waiting.add("c", 1, "form", 0.2)
    assert (first.tasks, second.tasks) == (["a", "b"], ["c"])
    assert first.is_due(0.2)
    assert not second.is_due(0.2)


def test_requests_of_different_layouts_never_share_a_batch():
    waiting = queue()
    assert waiting.add("a", 1, "one", 0.0) is not waiting.add("b", 1, "other", 0.0)


def test_a_batch_is_due_after_its_timeout_counted_from_its_first_request():
    waiting = queue(batch_timeout_micros=2_000_000)
    batch = waiting.add("a", 1, "form", 10.0)
    waiting.add("b", 1, "form", 11.0)
    assert not batch.is_due(11.9)
    assert batch.is_due(12.0)


def test_a_batch_that_a_request_did_not_fit_into_is_due_and_closed():
    waiting = queue(batch_timeout_micros=10**6)
    first = waiting.add("a", 3, "form", 0.0)
    assert waiting.add("b", 2, "form", 0.0) is not first
    assert first.is_due(0.0)
    assert waiting.add("c", 1, "form", 0.0).tasks == ["b", "c"]


def test_without_a_timeout_a_batch_is_due_at_once():
    assert queue().add("a", 1, "form", 5.0).is_due(5.0)


def test_a_lone_request_does_not_wait_for_the_timeout():
    assert queue(batch_timeout_micros=10**6).add("a", 1, "form", 5.0, alone=True).is_due(5.0)


def test_after_eight_lone_requests_none_waits_until_two_overlap():
    company = ConcurrencyTracker()

    def ask():
        alone = company.enter()
        company.leave()
        return alone

    assert [ask() for _ in range(10)] == [False] * 8 + [True] * 2
    assert company.enter()
    assert not company.enter(), "there is another"
    company.leave()
    company.leave()
    assert [ask() for _ in range(9)] == [False] * 8 + [True]


def test_a_request_of_too_many_rows_is_refused_with_the_real_servers_text():
    with pytest.raises(InvalidArgumentError) as refusal:
        queue().check(5)
    assert str(refusal.value) == "Task size 5 is larger than maximum input batch size 4"
    queue().check(4)


def test_a_full_queue_refuses_with_the_real_servers_text_and_accepts_again_later():
    waiting = queue()
    first = waiting.add("a", 4, "form", 0.0)
    waiting.add("b", 3, "form", 0.0)
    waiting.add("c", 1, "form", 0.0)  # there is room in the last batch
    with pytest.raises(UnavailableError) as refusal:
        waiting.add("d", 1, "form", 0.0)
    assert str(refusal.value) == (
        "The batch scheduling queue to which this task was submitted is full; "
        "currently 2 batches enqueued and max_enqueued_batches is 2"
    )
    waiting.take(first)
    assert waiting.add("d", 1, "form", 0.0).tasks == ["d"]


def test_a_request_that_is_split_needs_room_for_all_of_it():
    waiting = queue(max_batch_size=100, max_execution_batch_size=4)
    waiting.check_capacity(8)
    waiting.add("a", 1, "form", 0.0)
    with pytest.raises(UnavailableError) as refusal:
        waiting.check_capacity(8)
    assert str(refusal.value) == (
        "The batch scheduling queue to which this task was submitted is full; task size is 8 but "
        "scheduling capacity is only 4 (num_enqueued_batches=1, max_enqueued_batches=2, "
        "max_execution_batch_size=4)"
    )


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from("xyz"), st.floats(0, 3), st.booleans())),
    st.integers(0, 2_000_000),
)
def test_every_request_is_in_exactly_one_batch_of_its_layout(arrivals, timeout):
    waiting = queue(batch_timeout_micros=timeout, max_enqueued_batches=5)
    accepted, taken, now = [], [], 0.0
    for task, (rows, layout, later, takes) in enumerate(arrivals):
        now += later
        try:
            batch = waiting.add(task, rows, layout, now)
        except UnavailableError:
            assert len(waiting.batches) == 5
        else:
            assert (batch.layout, batch in waiting.batches) == (layout, True)
            accepted.append(task)
        for due in [batch for batch in waiting.batches if takes and batch.is_due(now)]:
            waiting.take(due)
            taken.append(due)
        assert len(waiting.batches) <= 5
        assert len({b.layout for b in waiting.batches if not b.closed}) == sum(
            not b.closed for b in waiting.batches
        )
    batches = [*taken, *waiting.batches]
    assert sorted(task for batch in batches for task in batch.tasks) == accepted
    for batch in batches:
        assert batch.rows == sum(arrivals[task][0] for task in batch.tasks) <= 4
        assert {arrivals[task][1] for task in batch.tasks} == {batch.layout}
        assert batch.tasks == sorted(batch.tasks)
        assert batch.is_due(now + timeout / 1e6 + 1)
