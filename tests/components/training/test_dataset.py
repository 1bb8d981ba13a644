"""Batches for Keras: their order, their labels, their number."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.artifacts import Examples
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.layout import LayoutColumn, RecordLayout
from millrace.components.files.tfrecord import write_records
from millrace.components.models.image_options import Augment
from millrace.components.training import dataset
from millrace.components.training.dataset import Order, Share
from millrace.components.training.mixing import Mixing
from millrace.components.training.objective import AUTO, Loss, Objective, settle
from millrace.serving.example import encode

SPEC = ImageSpec(("a", "b", "c"), 2, 1, 1)
SPARSE = settle(3, AUTO, "probabilities")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return written(tmp_path_factory.mktemp("examples"), 20, 3)


def written(folder, count, shards):
    """The files of a train split of `count` examples, their pixels two times their number."""
    examples = Examples(folder)
    examples.split_path("train").mkdir()
    for shard in range(shards):
        numbers = range(shard, count, shards)
        records = [encode({"image": bytes([n, n]), "label": n % 3}) for n in numbers]
        write_records(examples.shard("train", shard, shards), records)
    return examples.files("train")


def epochs(files, first=0, last=3, seed=1, buffer=20, batch=8, count=20):
    """The numbers of the examples of each batch."""
    order = Order(seed, first, last, buffer)
    batches = dataset.training(files, SPEC.layout, SPARSE, order, batch, count)
    return [pixels.numpy()[:, 0, 0, 0].tolist() for pixels, _ in batches]


def test_every_epoch_holds_every_example_once_in_batches(files):
    found = epochs(files)
    assert [len(batch) for batch in found] == [8, 8, 4] * 3
    for epoch in range(3):
        batches = found[3 * epoch : 3 * epoch + 3]
        assert sorted(itertools.chain.from_iterable(batches)) == list(range(20))


def test_epochs_differ_from_one_another_and_by_seed(files):
    found = epochs(files)
    assert found[:3] != found[3:6]
    assert found != epochs(files, seed=2)


@pytest.mark.parametrize("buffer", [1, 4, 20])
def test_an_epoch_resumed_at_has_the_order_it_would_have_had(files, buffer):
    assert epochs(files, first=1, buffer=buffer) == epochs(files, buffer=buffer)[3:]


@pytest.mark.parametrize("in_memory", [True, False], ids=["in memory", "read anew"])
def test_an_epoch_resumed_at_is_mixed_as_it_would_have_been(files, monkeypatch, in_memory):
    if not in_memory:
        monkeypatch.setattr(dataset, "_BUFFER_BYTES", 0)
    mixing = Mixing(Augment(mixup=0.4, cutmix=1.0))
    one_hot = settle(3, Loss("categorical_crossentropy"), "probabilities")

    def labels(first):
        order = Order(1, first, 3, 20)
        read = dataset.training(files, SPEC.layout, one_hot, order, 8, 20, mixing=mixing)
        return [found.numpy().tolist() for _, found in read]

    whole = labels(0)
    assert labels(2) == whole[6:]
    assert any(0 < share < 1 for batch in whole for row in batch for share in row)


def test_an_epoch_has_the_order_that_it_had_in_earlier_versions(files):
    keras.utils.set_random_seed(42)
    expected = [[10, 19, 7, 2, 13, 3, 9, 0], [6, 16, 18, 1, 15, 4, 8, 12], [14, 11, 5, 17]]
    assert epochs(files, last=1) == expected


@pytest.mark.parametrize("in_memory", [True, False], ids=["in memory", "read anew"])
@pytest.mark.parametrize("machines", [(1, 2), (3,), (2, 1, 2)], ids=str)
def test_replicas_have_every_batch_between_them(files, monkeypatch, machines, in_memory):
    whole = epochs(files)
    order = Order(1, 0, 3, 20)
    if not in_memory:
        monkeypatch.setattr(dataset, "_BUFFER_BYTES", 0)
    parts = [[] for _ in whole]
    for machine, count in enumerate(machines):
        share = Share(sum(machines[:machine]), count, sum(machines))
        read = dataset.training(files, SPEC.layout, SPARSE, order, 8, 20, share)
        for place, (pixels, labels, own) in enumerate(read):
            numbers = pixels.numpy()[:, 0, 0, 0].tolist()
            assert [number % 3 for number in numbers] == labels.numpy().tolist()
            assert len(numbers) == max(1, own)
            parts[place // count] += numbers[: int(own)]
    assert parts == whole


@pytest.mark.parametrize(
    ("replicas", "sizes"),
    [(3, [2, 3, 3, 2, 3, 3, 1, 1, 2]), (5, [1, 2, 1, 2, 2] * 2 + [0, 1, 1, 1, 1])],
)
def test_parts_of_a_batch_differ_by_one_example_at_most(files, replicas, sizes):
    share = Share(0, replicas, replicas)
    order = Order(1, 0, 1, 20)
    read = dataset.training(files, SPEC.layout, SPARSE, order, 8, 20, share)
    assert [int(own) for *_, own in read] == sizes


def test_a_part_of_nothing_holds_an_example_of_another_replica(files):
    share = Share(0, 2, 2)
    order = Order(1, 0, 1, 20)
    nothing, one = list(dataset.training(files, SPEC.layout, SPARSE, order, 1, 20, share))[:2]
    assert [int(own) for *_, own in (nothing, one)] == [0, 1]
    np.testing.assert_array_equal(nothing[0], one[0])


def test_replicas_evaluate_a_split_between_them(files):
    parts = [
        dataset.evaluation(files, SPEC.layout, SPARSE, 20, again=again, share=Share(number, 1, 2))
        for number, again in enumerate((False, True))
    ]
    numbers = [pixels.numpy()[:, 0, 0, 0].tolist() for part in parts for pixels, *_ in part]
    expected = [n for shard in range(3) for n in range(shard, 20, 3)]
    assert numbers == [expected[:10], expected[10:]]


@pytest.mark.parametrize(
    ("count", "shards", "buffer", "batch"),
    [(20, 1, 20, 8), (20, 3, 4, 7), (200, 20, 200, 16), (7, 3, 1, 100), (2, 3, 2, 1)],
)
def test_a_split_in_memory_has_the_order_of_one_that_is_read_anew_in_every_epoch(
    tmp_path, monkeypatch, count, shards, buffer, batch
):
    split = written(tmp_path, count, shards)
    monkeypatch.setattr(dataset, "_CHUNK_EXAMPLES", 3 * batch + 1)
    kept = epochs(split, buffer=buffer, batch=batch, count=count)
    monkeypatch.setattr(dataset, "_BUFFER_BYTES", 0)
    assert epochs(split, buffer=buffer, batch=batch, count=count) == kept


def test_a_split_in_memory_is_read_once(tmp_path):
    [file] = written(tmp_path, 20, 1)
    batches = dataset.training([file], SPEC.layout, SPARSE, Order(1, 0, 2, 20), 20, 20)
    again = dataset.evaluation([file], SPEC.layout, SPARSE, 20, again=True)
    file.unlink()
    assert [sorted(labels.numpy().tolist()) for _, labels in batches] == [
        sorted(number % 3 for number in range(20))
    ] * 2
    [(pixels, _)] = again
    assert pixels.numpy()[:, 0, 0, 0].tolist() == list(range(20))


def test_a_split_beyond_the_memory_is_not_kept(tmp_path, monkeypatch):
    [file] = written(tmp_path, 20, 1)
    monkeypatch.setattr(dataset, "_BUFFER_BYTES", 119)  # of 20 times two pixels and a label
    batches = dataset.training([file], SPEC.layout, SPARSE, Order(1, 0, 1, 20), 20, 20)
    file.unlink()
    with pytest.raises(tf.errors.NotFoundError):
        next(iter(batches))


def test_pixels_and_labels_stay_together(files):
    for pixels, labels in dataset.training(files, SPEC.layout, SPARSE, Order(1, 0, 1, 20), 8, 20):
        assert pixels.dtype == "uint8"
        assert pixels.shape[1:] == (2, 1, 1)
        assert labels.numpy().tolist() == (pixels.numpy()[:, 0, 0, 0] % 3).tolist()


def test_labels_have_the_form_that_the_loss_takes(files):
    one_hot = settle(3, Loss("categorical_crossentropy"), "probabilities")
    binary = settle(2, AUTO, "probabilities")
    [(pixels, rows)] = dataset.evaluation(files, SPEC.layout, one_hot, 20)
    numbers = pixels.numpy()[:, 0, 0, 0]
    np.testing.assert_array_equal(rows, np.eye(3, dtype=np.float32)[numbers % 3])
    [(_, column)] = dataset.evaluation(files, SPEC.layout, binary, 20)
    assert (column.dtype, column.shape) == ("float32", (20, 1))


@pytest.mark.parametrize("again", [False, True])
def test_evaluation_keeps_the_order_of_the_files_and_knows_its_length(files, again):
    batches = dataset.evaluation(files, SPEC.layout, SPARSE, 20, again=again)
    assert int(batches.cardinality()) == 1
    [(pixels, _)] = batches
    expected = [n for shard in range(3) for n in range(shard, 20, 3)]
    assert pixels.numpy()[:, 0, 0, 0].tolist() == expected


def test_targets_alone_are_read_without_pixels(files):
    [found] = dataset.targets(files, SPEC.layout)
    assert np.bincount(found).tolist() == [7, 7, 6]


@given(count=st.integers(0, 10**9), side=st.integers(1, 4000))
def test_the_shuffle_buffer_never_takes_more_than_its_memory(count, side):
    spec = ImageSpec(("a", "b"), side, side, 3)
    buffer = dataset.default_buffer(spec.layout, count)
    assert 1 <= buffer <= max(1, count)
    assert buffer == 1 or buffer * (side * side * 3 + 4) <= 256 * 2**20


def test_several_inputs_make_a_dictionary_and_a_forecast_keeps_its_shape(tmp_path):
    layout = RecordLayout(
        (LayoutColumn("window", "float32", (2, 1)), LayoutColumn("known", "int32", (3,))),
        LayoutColumn("future", "float32", (2, 2)),
    )
    features = {"window": [1.5, 2.5], "known": [1, 2, 3], "future": [0.0, 1.0, 2.0, 3.0]}
    path = tmp_path / "data_tfrecord-00000-of-00001.gz"
    write_records(path, [encode(features)] * 2)
    objective = Objective("huber", 4, 0, logits=False, task="forecast")
    [(inputs, target)] = dataset.evaluation([path], layout, objective, 2)
    assert inputs["window"].numpy().tolist() == [[[1.5], [2.5]]] * 2
    assert (inputs["known"].dtype, inputs["known"].numpy().tolist()) == ("int32", [[1, 2, 3]] * 2)
    assert target.numpy().tolist() == [[[0.0, 1.0], [2.0, 3.0]]] * 2


def test_a_number_to_be_learnt_is_a_column(tmp_path):
    layout = RecordLayout(
        (LayoutColumn("numeric", "float32", (1,)),), LayoutColumn("label", "float32")
    )
    path = tmp_path / "data_tfrecord-00000-of-00001.gz"
    write_records(path, [encode({"numeric": [1.0], "label": 2.0})] * 3)
    objective = Objective("mean_squared_error", 1, 0, logits=False, task="regression")
    [(inputs, target)] = dataset.evaluation([path], layout, objective, 3)
    assert (inputs.shape, target.numpy().tolist()) == ((3, 1), [[2.0]] * 3)
