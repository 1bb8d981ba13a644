"""Which candidates answer together, by what they answered on the validation split. NumPy alone.

Source: Caruana et al., "Ensemble Selection from Libraries of Models", 2004: the best is taken
first, then again and again the one that makes the average of those taken best, the same one twice
if need be.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from millrace.components.training.measures import Measure

_ROUNDS = 8  # so that weights are eighths at the finest
_LEAST_GAIN = 0.002  # of the measure, below which another member is not worth its time
_EVEN_ROWS = 200  # rows, of which shares that were chosen are half way to equal ones
_LEAST_SHARE = 0.05  # below which another member is not worth its time
_SURE = 10.0  # nats of all rows together, by which a candidate is worse beyond chance
_SHARPNESS = 1.0  # of shares by score, times the root of the number of rows


def weights(answers: Sequence[np.ndarray], measure: Measure, most: int) -> dict[int, float]:
    """The share of each candidate in the answer, by its place; the sum is 1.

    Args:
        answers: of each candidate, arrays of one shape.
        measure: of answers.
        most: how many candidates may have a share.
    """
    scores = [measure(each) for each in answers]
    best = int(np.argmin(scores))
    taken, total, score = [best], answers[best].astype(np.float64), scores[best]
    kept, kept_score = list(taken), score
    for _ in range(_ROUNDS - 1):
        allowed = range(len(answers)) if len(set(taken)) < most else sorted(set(taken))
        trials = {
            place: measure((total + answers[place]) / (len(taken) + 1))
            for place in allowed
            if np.isfinite(scores[place])
        }
        place = min(trials, key=lambda one: (trials[one], one))
        taken.append(place)
        total = total + answers[place]
        if trials[place] < kept_score - _LEAST_GAIN * abs(kept_score):
            kept, kept_score = list(taken), trials[place]
    return {place: kept.count(place) / len(kept) for place in sorted(set(kept))}


def evened(
    shares: Mapping[int, float], scores: Sequence[float], labels: np.ndarray, most: int
) -> dict[int, float]:
    """Shares by few rows drawn towards equal ones of the best candidates; the sum is 1.

    Which shares suit few rows best is mostly chance, and an equal average seldom much worse than
    the best of its members. Among many rows shares stay as they are. Where one class is rare, most
    rows are easy and tell nothing: they count as as many as vary as much where classes are even.

    Args:
        shares: of candidates, by their places, as `weights` has them.
        scores: of each candidate, the log loss.
        labels: of the rows by which they were scored, int.
        most: how many candidates may have a share.
    """
    rows = len(labels)
    order = np.argsort(scores, kind="stable").tolist()
    near = [place for place in order if scores[place] <= scores[order[0]] + _SURE / rows]
    members = list(dict.fromkeys([*shares, *near]))[: max(most, len(shares))]
    equal = dict.fromkeys(members, 1 / len(members))
    return drawn(shares, equal, rows * _evenness(labels), len(members))


def _evenness(labels: np.ndarray) -> float:
    """The chance that two rows are of different classes, as a share of that in even classes."""
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    if len(counts) == 1:
        return 0.0
    return float(1 - np.square(counts / counts.sum()).sum()) / (1 - 1 / len(counts))


def shares_by_score(scores: Sequence[float], rows: int, most: int) -> dict[int, float]:
    """The share of each candidate, by its place, by how wrong it is; the sum is 1.

    Among few rows the best is the best by chance: those that are nearly as good then have nearly
    as much of a share. The more rows, the faster a share falls off with the score.

    Args:
        scores: of each candidate, more than 0; less is better.
        rows: by which they were scored.
        most: how many candidates may have a share.
    """
    order = np.argsort(scores, kind="stable")[:most]
    kept = np.array([scores[place] for place in order])
    best = max(float(kept[0]), np.finfo(float).tiny)
    raw = (best / np.maximum(kept, best)) ** (_SHARPNESS * np.sqrt(rows))
    shares = np.round(raw / raw.sum(), 3)
    shares[0] += 1.0 - shares.sum()
    pairs = zip(order.tolist(), np.round(shares, 3).tolist(), strict=True)
    return {place: share for place, share in sorted(pairs) if share}


def drawn(
    shares: Mapping[int, float], towards: Mapping[int, float], rows: float, most: int
) -> dict[int, float]:
    """Shares drawn towards others, the more the fewer the rows; the sum is 1.

    Args:
        shares: of candidates, by their places.
        towards: likewise.
        rows: by which `shares` were chosen.
        most: how many candidates may have a share.
    """
    own = rows / (rows + _EVEN_ROWS)
    found = {
        place: own * shares.get(place, 0.0) + (1.0 - own) * towards.get(place, 0.0)
        for place in {*shares, *towards}
    }
    largest = sorted(found, key=lambda place: (-found[place], place))[:most]
    kept = {place: found[place] for place in sorted(largest) if found[place] >= _LEAST_SHARE}
    return {place: share / sum(kept.values()) for place, share in kept.items()}
