"""How far two distributions lie apart: L-infinity and Jensen-Shannon divergence, 0 to 1."""

import math
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

Histogram: TypeAlias = statistics_pb2.Histogram
Bucket: TypeAlias = statistics_pb2.Histogram.Bucket


def l_infinity(left: Mapping[str, float], right: Mapping[str, float]) -> tuple[float, str]:
    """The largest difference of shares, `max |p_i - q_i|`, and the value that has it.

    Args:
        left: the number of occurrences by value.
        right: the same of the other; at least one value in each.
    """
    p, q, values = _shares(left, right)
    gaps = np.abs(p - q)
    widest = int(gaps.argmax())
    return float(gaps[widest]), values[widest]


def text_divergence(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """The Jensen-Shannon divergence of two sets of counts, at least one value in each."""
    p, q, _ = _shares(left, right)
    return jensen_shannon(p, q)


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """`JSD(P, Q) = (D(P || M) + D(Q || M)) / 2` in bits, `M = (P + Q) / 2`; 0 to 1.

    `D(P || M) = sum p_i log2(p_i / m_i)`, terms of `p_i = 0` being 0. Source: J. Lin,
    "Divergence Measures Based on the Shannon Entropy", IEEE Transactions on Information
    Theory 37, 1991.

    Args:
        p: shares that sum to 1, float64 `[parts]`.
        q: the same.
    """
    middle = (p + q) / 2
    return min(1.0, (_kullback_leibler(p, middle) + _kullback_leibler(q, middle)) / 2)


def histogram_divergence(left: Histogram, right: Histogram) -> float:
    """The approximate Jensen-Shannon divergence of two numeric features, from histograms.

    Both are cut at the boundaries of both, values taken as spread evenly within a bucket.
    Buckets without width (a constant, an infinity) and NaN are parts of their own, so a
    constant compared with itself gives 0 and with another constant 1.

    Args:
        left: with at least one value, NaN included.
        right: the same.
    """
    pieces = [_pieces(histogram) for histogram in (left, right)]
    bounds = np.unique(np.concatenate([bounds for bounds, _, _ in pieces]))
    points = sorted({point for _, _, masses in pieces for point in masses}, key=str)
    shares = []
    for histogram, (edges, cumulative, masses) in zip((left, right), pieces, strict=True):
        spread = np.diff(np.interp(bounds, edges, cumulative)) if len(edges) else bounds[1:] * 0
        single = [masses.get(point, 0.0) for point in points]
        parts = np.array([*spread, *single, histogram.num_nan], np.float64)
        shares.append(parts / parts.sum())
    return jensen_shannon(*shares)


def _pieces(histogram: Histogram) -> tuple[np.ndarray, np.ndarray, dict[float, float]]:
    """Edges and cumulative counts of the buckets with width; counts of single points."""
    wide = [b for b in histogram.buckets if b.low_value < b.high_value and _is_finite(b)]
    masses: dict[float, float] = {}
    for bucket in histogram.buckets:
        if bucket.low_value == bucket.high_value or not _is_finite(bucket):
            point = bucket.low_value if math.isinf(bucket.low_value) else bucket.high_value
            masses[point] = masses.get(point, 0.0) + bucket.sample_count
    edges: list[float] = []
    cumulative: list[float] = []
    total = 0.0
    for bucket in wide:
        edges += [bucket.low_value, bucket.high_value]
        cumulative += [total, total + bucket.sample_count]
        total += bucket.sample_count
    return np.array(edges), np.array(cumulative), masses


def _is_finite(bucket: Bucket) -> bool:
    return math.isfinite(bucket.low_value) and math.isfinite(bucket.high_value)


def _shares(
    left: Mapping[str, float], right: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    values = sorted(left.keys() | right.keys())
    p = np.array([left.get(value, 0.0) for value in values])
    q = np.array([right.get(value, 0.0) for value in values])
    return p / p.sum(), q / q.sum(), values


def _kullback_leibler(p: np.ndarray, middle: np.ndarray) -> float:
    some = p > 0
    return float((p[some] * np.log2(p[some] / middle[some])).sum())
