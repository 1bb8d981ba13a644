"""A workload small enough to be written out."""

import dataclasses

import pytest

from millrace.pipeline.orchestrators.workload import Secret, Task, Workload


@pytest.fixture
def workload():
    return Workload(
        name="flowers",
        summary="millrace image-classifier",
        recipe="image-classifier",
        tasks=(
            Task("image-example-gen", "image_example_gen", ()),
            Task("analyze", "analyze", ("image-example-gen",)),
        ),
        options=("--root", "/data"),
        image="millrace:1",
        mounts={"/data": "millrace", "/flowers": "pictures"},
        variables={"TZ": "UTC"},
        secrets={"MILLRACE_STORE": Secret("store", "url")},
        limits={},
    )


@pytest.fixture
def plain(workload):
    """The same without what a cluster may have beside."""
    return dataclasses.replace(workload, mounts={}, variables={}, secrets={})
