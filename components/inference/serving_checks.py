"""Whether a model server answers as the model does in this process.

Each check sends real requests by the client and returns what it found: objections, which
speak against the model, and remarks.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from millrace.components.files import columns
from millrace.components.inference import requests
from millrace.components.inference.predictions import difference
from millrace.components.inference.rows import of_records
from millrace.components.inference.saved_model import (
    NOT_FINITE,
    SIGNATURE,
    Outputs,
    answer,
    predictor,
)
from millrace.serving import example
from millrace.serving.client import Client
from millrace.serving.model import LoadedModel
from millrace.serving.signature import CLASSIFY, Signature

_SENT = "the records to send"


@dataclasses.dataclass(frozen=True)
class Findings:
    """What speaks against the model, and what else is worth saying."""

    objections: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def __add__(self, other: "Findings") -> "Findings":
        return Findings(self.objections + other.objections, self.remarks + other.remarks)


@dataclasses.dataclass(frozen=True)
class Served:
    """A server that is up, and the same model in this process to compare its answers with."""

    client: Client
    name: str
    version: int
    model: LoadedModel
    tolerance: float


def check_all(served: Served, records: Sequence[bytes]) -> Findings:
    """Every check below, on serialised Examples.

    Records that the model refuses in this process are not sent, only remarked; one whose
    answer is not finite there speaks against the model.
    """
    predict = predictor(served.model)
    parts = list(of_records(records, _SENT, default="")) if records else []
    asked = [answer(predict, part, len(part)) for part in parts]
    numbers = {columns.position(_SENT, number): number for number in range(len(records))}
    kept = [records[numbers[place]] for each in asked for place in each.rows.positions]
    findings = check_status(served) + check_metadata(served)
    for item in itertools.chain.from_iterable(each.rejected for each in asked):
        number = numbers[item.position]
        line = (f"record {number} ({item.source}) was not sent: {item.reason}",)
        against = item.reason == NOT_FINITE
        findings += Findings(objections=line) if against else Findings(remarks=line)
    if not kept:
        return findings + Findings(("no record could be sent",))
    sent = list(columns.decoded(kept, _SENT))
    return findings + check_predict(served, sent) + check_classify(served, kept)


def check_status(served: Served) -> Findings:
    """The version must be available, and be the only one."""
    states = {each.version: each.state for each in served.client.status(served.name)}
    if states != {served.version: "AVAILABLE"}:
        return Findings(
            (f"GetModelStatus: expected version {served.version} AVAILABLE. Received: {states}",)
        )
    return Findings()


def check_metadata(served: Served) -> Findings:
    """The signatures must be described as the SavedModel has them."""
    found = served.client.metadata(served.name)
    objections = []
    if found.version != served.version:
        objections.append(
            f"GetModelMetadata: expected version {served.version}. Received: {found.version}"
        )
    for name, signature in served.model.signatures.items():
        expected, received = _described(signature), _described(found.signatures.get(name))
        if received != expected:
            objections.append(
                f"GetModelMetadata, signature {name!r}: expected {expected}. Received: {received}"
            )
    return Findings(tuple(objections))


def check_predict(served: Served, rows: Sequence[example.Decoded]) -> Findings:
    """Predict of raw input, one by one and all together, must answer as this process does.

    Every signature that answers Predict alone is called, with all rows in one batch; the
    default one also about each row.
    """
    findings = Findings()
    for signature in requests.callable_signatures(served.model.signatures):
        if requests.is_predict(signature):
            findings += _check_signature(served, signature, rows)
    return findings


def _check_signature(
    served: Served, signature: Signature, rows: Sequence[example.Decoded]
) -> Findings:
    def predict(records: Sequence[example.Decoded]) -> Mapping[str, np.ndarray]:
        inputs = requests.inputs(signature, records)
        return served.client.predict(served.name, inputs, signature=signature.name)

    expected = served.model.predict(requests.inputs(signature, rows), signature=signature.name)
    together = predict(rows)
    if signature.name != SIGNATURE:
        return compare(f"Predict {signature.name}", expected, together, served.tolerance)
    singles = [predict([row]) for row in rows]
    apart = {name: np.concatenate([one[name] for one in singles]) for name in singles[0]}
    findings = _known_classes(together)
    for what, answers in (("Predict together", together), ("Predict one by one", apart)):
        findings += compare(what, expected, answers, served.tolerance)
    return findings


def _known_classes(outputs: Mapping[str, np.ndarray]) -> Findings:
    """A classifier's answers must be among its classes."""
    if "class" not in outputs or "classes" not in outputs:
        return Findings()
    unknown = sorted(set(outputs["class"].ravel()) - set(outputs["classes"].ravel()))
    if not unknown:
        return Findings()
    return Findings((f"Predict, output 'class': expected known classes. Received: {unknown}",))


def check_classify(served: Served, records: Sequence[bytes]) -> Findings:
    """Classify of Examples must answer as this process does, for each signature made for it."""
    signatures = [each for each in served.model.signatures.values() if each.method_name == CLASSIFY]
    if not signatures:
        return Findings(remarks=("Classify: not called, the model has no signature for it",))
    findings = Findings()
    for signature in signatures:
        expected = served.model.predict(
            {"inputs": np.array(records, object)}, signature=signature.name
        )
        answers = served.client.classify(served.name, records, signature=signature.name)
        found: Outputs = {}
        if "classes" in expected:
            labels = [[one.label.encode() for one in each] for each in answers]
            found["classes"] = np.array(labels, object)
        if "scores" in expected:
            found["scores"] = np.array(
                [[one.score for one in each] for each in answers], np.float32
            )
        findings += compare(f"Classify {signature.name}", expected, found, served.tolerance)
    return findings


def compare(
    what: str,
    expected: Mapping[str, np.ndarray],
    received: Mapping[str, np.ndarray],
    tolerance: float,
) -> Findings:
    """Compare outputs `[rows, ...]` with expected ones: names, shapes, text, finite numbers.

    Args:
        what: the call; opens each objection.
        expected: the answers of this process.
        received: the server's.
        tolerance: how far numbers may be apart, see `predictions.difference`.
    """
    if sorted(expected) != sorted(received):
        return Findings(
            (f"{what}: expected outputs {sorted(expected)}. Received: {sorted(received)}",)
        )
    findings, largest = Findings(), 0.0
    for name in sorted(expected):
        ours, theirs = expected[name], received[name]
        place = f"{what}, output {name!r}"
        if ours.shape != theirs.shape:
            objection = f"{place}: expected shape {ours.shape}. Received: {theirs.shape}"
            findings += Findings((objection,))
        elif ours.dtype == object:
            findings += _compare_text(place, ours, theirs)
        elif not np.isfinite(theirs).all():
            findings += Findings((f"{place}: expected finite numbers. Received: {theirs}",))
        else:
            gap = difference(theirs, ours)
            largest = max(largest, gap)
            if not gap <= tolerance:
                findings += Findings(
                    (f"{place}: expected {tolerance:g} apart at most. Received: {gap:.3g}",)
                )
    return findings + Findings(remarks=(f"{what}: largest difference {largest:.3g}",))


def _compare_text(place: str, ours: np.ndarray, theirs: np.ndarray) -> Findings:
    differing = np.flatnonzero((ours != theirs).ravel())
    if not len(differing):
        return Findings()
    first = differing[0]
    return Findings(
        (
            f"{place}: expected {ours.ravel()[first]!r}. Received: {theirs.ravel()[first]!r}, "
            f"and so for {len(differing)} of {ours.size} values",
        )
    )


def _described(signature: Signature | None) -> str:
    """A signature's method, inputs and outputs, as a line that can be compared and read."""
    if signature is None:
        return "no such signature"
    sides = [
        ", ".join(f"{name} {tensor.dtype} {tensor.shape}" for name, tensor in side.items())
        for side in (signature.inputs, signature.outputs)
    ]
    return f"{signature.method_name}: {sides[0]} -> {sides[1]}"
