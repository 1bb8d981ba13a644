"""Pictures mixed in pairs, labels by the same shares, and what is drawn by the seed alone."""

import numpy as np
import pytest
import tensorflow as tf

from millrace.components.models.image_options import Augment
from millrace.components.training.mixing import Mixing, weights

CLASSES = 8
PAPER = 30 * np.arange(CLASSES, dtype=np.uint8)  # the grey of a class's pictures


def batches(count, size=CLASSES):
    """Pictures of 6 x 5, each of one grey, and one-hot rows of which it is."""
    pictures = (
        np.ones((count * size, 6, 5, 1), np.uint8) * np.tile(PAPER, count)[:, None, None, None]
    )
    labels = np.tile(np.eye(CLASSES, dtype=np.float32), (count, 1))
    return tf.data.Dataset.from_tensor_slices((pictures, labels)).batch(size)


def mixed(augment, count=3, seed=1, first=0, skipped=0):
    read = Mixing(augment).mixed(batches(count).skip(skipped), seed, first)
    return [tuple(part.numpy() for part in batch) for batch in read]


@pytest.mark.parametrize(
    "augment", [Augment(mixup=0.4), Augment(cutmix=1.0)], ids=["mixup", "cutmix"]
)
def test_a_label_has_the_shares_that_its_picture_has(augment):
    for pictures, labels in mixed(augment):
        assert (pictures.shape, pictures.dtype) == ((CLASSES, 6, 5, 1), np.uint8)
        np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-6)
        assert ((labels > 0).sum(1) <= 2).all()
        np.testing.assert_allclose(pictures.mean((1, 2, 3)), labels @ PAPER, atol=0.5)
        assert not np.array_equal(labels, np.eye(CLASSES))


def test_a_rectangle_is_pasted_whole():
    for pictures, labels in mixed(Augment(cutmix=1.0)):
        for grey, picture, shares in zip(PAPER, pictures[..., 0], labels, strict=True):
            pasted = picture != grey
            rows, columns = pasted.any(1), pasted.any(0)
            np.testing.assert_array_equal(pasted, np.outer(rows, columns))
            assert pasted.mean() == pytest.approx(1 - shares[grey // 30], abs=1e-6)
            assert np.abs(np.diff(np.flatnonzero(rows))).max(initial=1) == 1


def test_with_both_each_batch_gets_one_of_them():
    kinds = [
        len(np.unique(picture)) == 1 and grey != picture.flat[0]
        for pictures, labels in mixed(Augment(mixup=1.0, cutmix=1.0), 20)
        for grey, picture, shares in zip(PAPER, pictures, labels, strict=True)
        if 0.2 < shares.max() < 0.8
    ]
    assert {True, False} == set(kinds)


def test_what_is_drawn_follows_from_the_seed_and_the_batchs_number():
    augment = Augment(mixup=0.4, cutmix=1.0)
    whole = mixed(augment)
    again = mixed(augment, first=2, skipped=2)
    for one, other in zip(whole[2:], again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert not np.array_equal(whole[0][1], whole[1][1])
    assert not np.array_equal(whole[0][1], mixed(augment, seed=2)[0][1])


def own_shares(alpha):
    """Of 4,000 pictures, and whether each met one of another class."""
    read = Mixing(Augment(mixup=alpha)).mixed(batches(1).unbatch().repeat(500).batch(4000), 1, 0)
    [(_, labels)] = read
    return labels.numpy()[np.arange(4000), np.tile(np.arange(CLASSES), 500)], labels.numpy().max(1)


@pytest.mark.parametrize("alpha", [0.2, 20.0])
def test_shares_have_the_mean_and_the_variance_of_their_distribution(alpha):
    own, largest = own_shares(alpha)
    shares = own[largest < 1]
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_the_smallest_strength_leaves_pictures_whole():
    own, _ = own_shares(1e-4)
    assert ((own < 1e-3) | (own > 1 - 1e-3)).mean() > 0.99


def test_a_row_weighs_what_its_shares_do():
    rows = tf.constant([[1.0, 0.0, 0.0], [0.25, 0.0, 0.75]])
    assert weights(rows, {0: 1.0, 1: 9.0, 2: 3.0}).numpy().tolist() == [1.0, 2.5]
    assert weights(tf.constant([[0.0], [0.25]]), {0: 1.0, 1: 3.0}).numpy().tolist() == [1.0, 1.5]


def test_weights_of_classes_come_with_the_labels():
    mixing = Mixing(Augment(mixup=0.4), dict(enumerate(range(CLASSES))))
    for _, labels, found in mixing.mixed(batches(2), 1, 0):
        np.testing.assert_allclose(found, labels.numpy() @ np.arange(CLASSES), rtol=1e-5)
