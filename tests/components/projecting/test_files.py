"""What is written reads back, and TensorBoard's own plugin serves it."""

import json

import numpy as np
import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client
from werkzeug.wrappers import Response

from millrace.components.projecting import files
from millrace.components.projecting.points import Points

VECTORS = np.array([[0.1, -2.5], [3.0, 1e-7], [0.0, 4.0]], np.float32)


@given(st.lists(st.lists(st.floats(width=32, allow_nan=False), min_size=2, max_size=2), min_size=1))
def test_vectors_read_back_as_the_same_numbers(rows):
    vectors = np.array(rows, np.float32)
    text = files.vectors_text(vectors)
    read = [[float(cell) for cell in line.split("\t")] for line in text.splitlines()]
    assert np.array_equal(np.array(read, np.float32), vectors)


@given(st.lists(st.text(max_size=5), min_size=1))
def test_every_name_is_one_line_of_one_column(names):
    lines = files.names_text(names).split("\n")
    assert len(lines) == len(names) + 1
    assert all(line.strip() and "\t" not in line for line in lines[:-1])


def test_a_name_stays_as_it_is_where_it_can():
    assert files.names_text(["día", "a b", "\n", " ", ""]) == "día\na b\n\\n\n' '\n''\n"


def test_a_sprite_holds_the_thumbnails_row_by_row():
    pictures = (
        np.zeros((3, 2, 2, 1), np.uint8) + np.array([10, 20, 30], np.uint8)[:, None, None, None]
    )
    assert files.thumbnail_side(pictures) == 2
    pixels = np.asarray(files.sprite(pictures, 2))[..., 0]
    assert pixels.tolist() == [[10, 10, 20, 20]] * 2 + [[30, 30, 0, 0]] * 2


@pytest.mark.parametrize(("points", "size", "side"), [(4, 300, 64), (100_000, 300, 25), (9, 8, 8)])
def test_thumbnails_fit_a_texture(points, size, side):
    pictures = np.broadcast_to(np.uint8(0), (points, size, size, 1))
    assert files.thumbnail_side(pictures) == side


def test_tensorboard_serves_what_was_written(tmp_path):
    pictures = np.zeros((3, 4, 4, 3), np.uint8)
    words = Points("embedding", VECTORS, ["[PAD]", "one", "two"])
    files.write(
        [words, Points("eval-examples", VECTORS, ["a", "b", "a"], pictures)], Path(tmp_path)
    )
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    plugin = ProjectorPlugin(
        base_plugin.TBContext(logdir=str(tmp_path), multiplexer=multiplexer, flags=None)
    )
    apps = plugin.get_plugin_apps()

    def get(route, **query):
        return Client(apps[route], Response).get(route, query_string={"run": ".", **query})

    shown = json.loads(get("/info").data)["embeddings"]
    assert [one["tensorName"] for one in shown] == ["embedding", "eval-examples"]
    assert [one["tensorShape"] for one in shown] == [[3, 2], [3, 2]]
    tensor = get("/tensor", name="embedding", num_rows=10).data
    assert np.array_equal(np.frombuffer(tensor, np.float32).reshape(3, 2), VECTORS)
    assert get("/metadata", name="embedding", num_rows=10).text.split() == ["[PAD]", "one", "two"]
    assert get("/sprite_image", name="eval-examples").data.startswith(b"\x89PNG")
