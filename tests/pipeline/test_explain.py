"""Every kind of difference becomes a sentence."""

import dataclasses

from millrace.pipeline.explain import reasons
from millrace.pipeline.fingerprint import Ingredients

BEFORE = Ingredients(
    "m:f", {"epochs": 1, "model": {"width": 2}}, {"examples": "a"}, {"m": "1"}, {"tf": "2"}
)


def _reasons(forced=False, **changes):
    now = dataclasses.replace(BEFORE, **changes)
    return reasons(now, dataclasses.asdict(BEFORE), forced=forced)


def test_a_step_without_a_past_says_so():
    assert reasons(BEFORE, None, forced=False) == ["this step has not run before in this pipeline"]


def test_options_are_named_with_both_values_down_to_the_field():
    changed = {"epochs": 3, "model": {"width": 4}}
    assert _reasons(options=changed) == [
        "option epochs changed from 1 to 3",
        "option model.width changed from 2 to 4",
    ]


def test_inputs_can_change_come_and_go():
    assert _reasons(inputs={"examples": "b"}) == ["input examples changed"]
    assert _reasons(inputs={"examples": None}) == ["input examples is no longer given"]
    assert _reasons(inputs={"examples": "a", "schema": "s"}) == ["input schema is new"]


def test_code_and_versions_are_named():
    assert _reasons(code={"m": "2", "n": "1"}) == ["code changed in m, n"]
    assert _reasons(versions={"tf": "3"}) == ["version of tf changed from '2' to '3'"]
    assert _reasons(versions={"tf": "2", "pandas": "3.1"}) == ["its code imports pandas 3.1 now"]
    assert _reasons(versions={}) == ["its code imports tf no longer"]


def test_another_component_is_named_with_the_one_before():
    assert _reasons(component="m:g") == ["component changed from m:f to m:g"]


def test_what_an_older_store_did_not_record_is_no_difference():
    before = dataclasses.asdict(BEFORE)
    del before["component"]
    assert reasons(BEFORE, before, forced=True) == ["requested by --force"]


def test_without_a_difference_the_output_was_removed_or_the_step_forced():
    assert _reasons() == ["its earlier output is no longer in place"]
    assert _reasons(forced=True) == ["requested by --force"]


def test_a_key_from_before_the_packages_were_renamed_blames_the_names_and_not_the_code():
    code = {"components.trainer": "1", "serving": "2", "lab.model": "3"}
    before = dataclasses.replace(BEFORE, component="components.trainer:trainer", code=code)
    now = dataclasses.replace(
        before,
        component="millrace.components.trainer:trainer",
        options={"epochs": 2, "model": {"width": 2}},
        code={"millrace.components.trainer": "4", "millrace.serving": "2", "lab.model": "3"},
    )
    renamed = "millrace's modules have other names now (millrace.…), so that every step runs once"
    was = dataclasses.asdict(before)
    assert reasons(now, was, forced=False) == [renamed, "option epochs changed from 1 to 2"]
    edited = dataclasses.replace(now, options=before.options, code={**now.code, "lab.model": "5"})
    assert reasons(edited, was, forced=False) == [renamed, "code changed in lab.model"]
