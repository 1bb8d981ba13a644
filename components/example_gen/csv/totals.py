"""Rows that sum up others, as spreadsheets and reports write them: totals, subtotals, means."""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_SUMS = (
    *("total", "totals", "grand total", "grand totals", "overall", "sum", "subtotal", "subtotals"),
    *("sub-total", "sub total", "gesamt", "gesamtsumme", "insgesamt", "summe", "zwischensumme"),
    *("endsumme", "somme", "sous-total", "total général", "totale", "somma", "totale generale"),
    *("suma", "total general", "total geral", "soma", "totaal", "subtotaal"),
    *("eindtotaal", "totalt"),
    *("i alt", "summa", "yhteensä", "razem", "suma końcowa", "celkem", "összesen", "toplam"),
    *("итого", "всего", "сумма", "σύνολο", "合計", "小計", "総計", "合计", "小计", "总计"),
)
_MEANS = (
    *("average", "averages", "avg", "avg.", "mean", "means", "mittelwert", "durchschnitt"),
    *("moyenne", "media", "promedio", "média", "gemiddelde", "średnia", "среднее", "平均", "ø"),
)
_ANY, _SUM = ("|".join(map(re.escape, words)) for words in ((*_SUMS, *_MEANS), _SUMS))
_LIKELY = rf"(?i)^\s*(?:(?:{_ANY})\s*:?|(?:{_SUM})\s.{{1,40}}|.{{1,40}}\s(?:{_SUM})\s*:?)\s*$"
_MOST = 0.34  # share of the rows up to which such a word says more than a category
_FEWEST = 3  # rows below which none is a total
_SUM_OFF, _MEAN_OFF = 1e-4, 5e-3  # share of itself that a figure may be off, being rounded

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def is_total(cell: str) -> bool:
    """Whether `cell` is a word for a total or a mean, and nothing else."""
    return _bare(cell) in (*_SUMS, *_MEANS)


def likely_in(texts: Mapping[str, pa.StringArray]) -> list[str]:
    """The columns of which any cell has a word for a total, with others maybe.

    All are looked at together: the expression takes longer to compile than to match few cells.
    """
    distinct = [cells.dictionary_encode().dictionary for cells in texts.values()]
    if not distinct:
        return []
    likely = pc.match_substring_regex(pa.concat_arrays(distinct), _LIKELY)
    places = pc.indices_nonzero(likely).to_numpy()
    ends = np.cumsum([len(each) for each in distinct])
    found = set(np.searchsorted(ends, places, side="right").tolist())
    return [name for place, name in enumerate(texts) if place in found]


def find(cells: Mapping[str, pa.Array], names: list[str], values: Floats) -> dict[int, str]:
    """The rows that a word of the columns `names` calls totals and that are, with that word.

    They sum up the rows above or below them, or all others; or lack what all others have; or the
    word is in the last row alone, whose numbers are larger than all others.

    Args:
        cells: by column, null where missing.
        names: of the columns of text.
        values: the numbers, NaN where missing, float64 [rows, columns].
    """
    found: dict[int, str] = {}
    for name in names:
        likely = pc.match_substring_regex(cells[name], _LIKELY).fill_null(fill_value=False)
        rows = pc.indices_nonzero(likely).to_numpy().astype(np.int64)
        if len(values) < _FEWEST or not 0 < len(rows) <= max(1, _MOST * len(values)):
            continue
        words = cells[name].take(pa.array(rows)).to_pylist()
        confirmed = _sums_up(rows, words, values) | _lacks(rows, cells)
        confirmed &= 2 * confirmed.sum() >= len(rows)  # else it is by accident
        confirmed[-1] |= rows[-1] == len(values) - 1 and _stands_out(words, values)
        found |= {
            int(row): word for row, word, yes in zip(rows, words, confirmed, strict=True) if yes
        }
    return found


def _bare(cell: str) -> str:
    return " ".join(cell.strip().rstrip(": ").lower().split())


def _sums_up(rows: Ints, words: list[str], values: Floats) -> NDArray[np.bool_]:
    """Which of `rows` hold the sum of two rows or more in a column, or their mean in all of two."""
    others = values.copy()
    others[rows] = np.nan
    counts = _running(np.isfinite(others).astype(float))
    sums = _running(np.nan_to_num(others))
    last = np.full_like(rows, len(values))
    parts = [
        (np.array([0, *rows[:-1]]), rows),  # above, from the total before on
        (rows, np.array([*rows[1:], len(values)])),
        (np.zeros_like(rows), last),
    ]
    are_means = np.array([_bare(word) in _MEANS for word in words])
    found = np.zeros(len(rows), bool)
    for start, stop in parts:
        count, total = counts[stop] - counts[start], sums[stop] - sums[start]
        wanted = np.where(are_means[:, None], total / np.maximum(count, 1), total)
        off = np.where(are_means, _MEAN_OFF, _SUM_OFF)[:, None] * np.abs(wanted)
        is_one = (np.abs(values[rows] - wanted) <= off) & (count > 1) & (wanted != 0)
        all_are = (is_one | np.isnan(values[rows])).all(axis=1) & (is_one.sum(axis=1) > 1)
        found |= np.where(are_means, all_are, is_one.any(axis=1))
    return found


def _running(figures: Floats) -> Floats:
    return np.concatenate([np.zeros((1, figures.shape[1])), figures.cumsum(axis=0)])


def _lacks(rows: Ints, cells: Mapping[str, pa.Array]) -> NDArray[np.bool_]:
    """Which of `rows` have no cell in a column that all other rows have one in."""
    found = np.zeros(len(rows), bool)
    for column in cells.values():
        if column.null_count:
            is_null = column.is_null().to_numpy(zero_copy_only=False)
            found |= is_null[rows] & (is_null.sum() == is_null[rows].sum())
    return found


def _stands_out(words: list[str], values: Floats) -> bool:
    """Whether the last row alone has its word, and a total's numbers are larger than all others."""
    if not is_total(words[-1]) or words[-1] in words[:-1]:
        return False
    if _bare(words[-1]) in _MEANS or not values.shape[1]:
        return True
    figures, others = np.abs(values[-1]), np.nan_to_num(np.abs(values[:-1])).max(axis=0)
    return bool((figures > others).any())
