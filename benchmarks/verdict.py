"""The tables of `benchmarks.serving`, and which of its targets are met."""

import dataclasses
import statistics
from collections.abc import Callable, Iterable, Sequence

from benchmarks import servers
from benchmarks.load import Measured

COST, P50 = 1.25, 1.3  # the targets: multiples of the bare call and the bare echo together
_TITLES = (
    *("model", "at once", "batching", "p50 ms", "p99 ms", "requests/s", "CPU ms", "batch"),
    *("of the call's rate", "of the echo's", "of MLServer's"),
    *("cost / (call + echo)", "p50 / (call + echo)"),
)


@dataclasses.dataclass(frozen=True)
class Round:
    """Everything, measured once.

    Attributes:
        off: the model server.
        on: the same with batching.
        echo: the bare server.
        peer: MLServer, where there is one.
        one: the session called with one row.
        many: the same with `batch` rows.
        batch: the mean number of rows that ran together.
    """

    off: Measured
    on: Measured
    echo: Measured
    peer: Measured | None
    one: Measured
    many: Measured
    batch: float


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """All rounds of one model with one number of concurrent requests."""

    model: str
    at_once: int
    rounds: Sequence[Round]

    def median(self, figure: Callable[[Round], float]) -> float:
        """The median of a figure over the rounds."""
        return statistics.median(map(figure, self.rounds))

    def has_peer(self) -> bool:
        """Whether MLServer was called."""
        return all(one.peer for one in self.rounds)


@dataclasses.dataclass(frozen=True)
class _Variant:
    """One case, with batching on or off."""

    case: Case
    batching: str  # on or off

    def name(self) -> str:
        return f"{self.case.model}, {self.case.at_once} at once, batching {self.batching}"

    def of(self, one: Round) -> Measured:
        return one.on if self.batching == "on" else one.off

    def call(self, one: Round) -> Measured:
        return one.many if self.batching == "on" else one.one

    def rows(self, one: Round) -> int:
        return max(1, round(one.batch)) if self.batching == "on" else 1

    def cost(self) -> float:
        return self.case.median(
            lambda r: self.of(r).cpu / (self.call(r).cpu / self.rows(r) + r.echo.cpu)
        )

    def p50(self) -> float:
        return self.case.median(lambda r: self.of(r).p50 / (self.call(r).p50 + r.echo.p50))

    def peers(self, figure: Callable[[Measured], float]) -> float:
        """Our figure as a multiple of the peer's; NaN where there is none."""
        return self.case.median(
            lambda r: figure(self.of(r)) / figure(r.peer) if r.peer else float("nan")
        )


def ours(cases: Sequence[Case]) -> str:
    """The figures of the model server."""
    return _table(_TITLES, map(_ours, _rows(cases)))


def others(cases: Sequence[Case]) -> str:
    """The figures of the others in the same run."""
    titles = ("model", "at once", "bare call", "bare echo", "MLServer")
    return _table(
        titles,
        (
            (
                case.model,
                str(case.at_once),
                _short(case, lambda r: r.one),
                _short(case, lambda r: r.echo),
                _short(case, lambda r: r.peer or r.one) if case.has_peer() else "",
            )
            for case in cases
        ),
    )


def targets(cases: Sequence[Case]) -> str:
    """Each target, in how many rows it is met, and the row that is furthest off."""
    rows = list(_rows(cases))
    alone = [row for row in rows if row.case.at_once == 1]
    wait = servers.BATCHING["batch_timeout_micros"] / 1e3
    slower = {
        _Variant(case, "on"): case.median(lambda r: r.on.p50 - r.off.p50)
        for case in cases
        if case.at_once == 1
    }
    found = [
        _target(
            f"CPU of a request at most {COST} of call + echo", {r: r.cost() for r in rows}, COST
        ),
        _target(
            f"p50 at concurrency 1 at most {P50} of call + echo",
            {row: row.p50() for row in alone if row.batching == "off"},
            P50,
        ),
        _target(f"batching slower by at most its timeout, {wait:g} ms", slower, wait),
    ]
    if all(case.has_peer() for case in cases):
        slowness = {row: 1 / row.peers(lambda m: m.rate) for row in rows}
        tails = {row: row.peers(lambda m: m.p99) for row in rows}
        found.append(_target("MLServer's requests/s at most ours", slowness, 1.0))
        found.append(_target("p99 at most MLServer's", tails, 1.0))
    return _table(("target", "met", "in rows", "furthest off"), found)


def _target(text: str, found: dict[_Variant, float], most: float) -> tuple[str, ...]:
    met = sum(value <= most for value in found.values())
    worst = max(found, key=lambda row: found[row])
    return (
        text,
        "yes" if met == len(found) else "no",
        f"{met} of {len(found)}",
        f"{found[worst]:.2f} ({worst.name()})",
    )


def _rows(cases: Sequence[Case]) -> Iterable[_Variant]:
    return (_Variant(case, batching) for case in cases for batching in ("off", "on"))


def _ours(row: _Variant) -> tuple[str, ...]:
    case, of = row.case, row.of
    return (
        case.model,
        str(case.at_once),
        row.batching,
        f"{case.median(lambda r: of(r).p50):.2f}",
        f"{case.median(lambda r: of(r).p99):.2f}",
        f"{case.median(lambda r: of(r).rate):,.0f}",
        f"{case.median(lambda r: of(r).cpu):.2f}",
        f"{case.median(lambda r: r.batch) if row.batching == 'on' else 1:.1f}",
        f"{case.median(lambda r: of(r).rate / (row.call(r).rate * row.rows(r))):.2f}",
        f"{case.median(lambda r: of(r).rate / r.echo.rate):.2f}",
        f"{row.peers(lambda m: m.rate):.2f}" if case.has_peer() else "",
        f"{row.cost():.2f}",
        f"{row.p50():.2f}",
    )


def _short(case: Case, of: Callable[[Round], Measured]) -> str:
    p50, rate = case.median(lambda r: of(r).p50), case.median(lambda r: of(r).rate)
    return f"{p50:.2f}, {rate:,.0f}"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
