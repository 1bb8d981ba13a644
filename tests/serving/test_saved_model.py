"""What of a SavedModel is loaded into a session, and what is left out."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.framework import function

from millrace.serving import saved_model
from millrace.serving.errors import RpcError
from millrace.serving.model import LoadedModel


def loaded(path):
    """The MetaGraphDef, the names and types of the nodes, and those of the functions."""
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        meta_graph = saved_model.load(session, str(path), ["serve"])
        graph_def = graph.as_graph_def()
        nodes = {node.name: node.op for node in graph_def.node}
        return meta_graph, nodes, _functions(graph_def)


def _functions(graph_def):
    return {one.signature.name for one in graph_def.library.function}


def test_nodes_and_functions_for_saving_are_left_out(half_plus_two):
    whole = saved_model_pb2.SavedModel.FromString((half_plus_two / "saved_model.pb").read_bytes())
    (original,) = whole.meta_graphs
    meta_graph, nodes, functions = loaded(half_plus_two)
    assert set(nodes) < {node.name for node in original.graph_def.node}
    assert "VarHandleOp" in nodes.values()
    assert not {"AssignVariableOp", "ReadVariableOp"} & set(nodes.values())
    assert original.saver_def.restore_op_name in nodes
    assert original.saver_def.save_tensor_name.partition(":")[0] not in nodes
    saves = {name for name in _functions(original.graph_def) if "traced_save" in name}
    assert len(saves) == 1
    assert functions == _functions(meta_graph.graph_def) == _functions(original.graph_def) - saves
    assert set(meta_graph.signature_def) == set(original.signature_def)


def test_assets_are_found(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("one\ntwo\n")

    class Words(tf.Module):
        def __init__(self):
            super().__init__()
            whole, line = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
            words = tf.lookup.TextFileInitializer(str(file), tf.string, whole, tf.int64, line)
            self.table = tf.lookup.StaticHashTable(words, -1)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def place(self, word):
            return {"place": self.table.lookup(word)}

    words = Words()
    tf.saved_model.save(words, str(tmp_path / "model"), signatures=words.place)
    file.unlink()
    with LoadedModel(tmp_path / "model") as model:
        assert model.predict({"word": ["two", "three"]})["place"].tolist() == [1, -1]


def save_v1(path, x, y, session):
    """Save a graph as a TensorFlow 1 program does."""
    builder = tf.compat.v1.saved_model.builder.SavedModelBuilder(str(path))
    signature = tf.compat.v1.saved_model.predict_signature_def({"x": x}, {"y": y})
    builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
    builder.save()


def test_a_graph_of_tensorflow_1_is_loaded_whole(tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        slope = tf.compat.v1.get_variable("slope", initializer=0.5, use_resource=False)
        y = x * slope + 2
        tf.add(x, 1, name="unused")
        session.run(tf.compat.v1.global_variables_initializer())
        save_v1(tmp_path / "model", x, y, session)
    _, nodes, _ = loaded(tmp_path / "model")
    assert {"unused", "save/restore_all", "slope/Assign"} <= set(nodes)
    with LoadedModel(tmp_path / "model") as model:
        assert model.predict({"x": [4.0]})["y"].tolist() == [4.0]


def test_variables_that_are_not_restored_are_named_with_advice(tmp_path, caplog):
    layers = [keras.layers.Dense(2, name="first"), keras.layers.Dense(1, name="last")]
    model = keras.Sequential([keras.Input((1,), name="x"), *layers])
    tf.saved_model.save(model, str(tmp_path / "model"))  # which loses them, with Keras 3
    with LoadedModel(tmp_path / "model") as loaded:
        (alias,) = loaded.signatures["serving_default"].inputs
        with pytest.raises(RpcError, match="Could not find variable"):
            loaded.predict({alias: [[1.0]]})
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    prefix = model.name
    assert warning == (
        f"{tmp_path / 'model'}: 4 variable(s) that its signatures read are not restored "
        f"({prefix}/first/bias, {prefix}/first/kernel, {prefix}/last/bias and 1 more): requests "
        "that read them fail with `Could not find variable`. Export the model again; a Keras 3 "
        "model by model.export or ExportArchive, not by tf.saved_model.save."
    )


@pytest.mark.parametrize("is_resource", [True, False])
def test_a_variable_of_tensorflow_1_that_nothing_sets_is_named(tmp_path, caplog, is_resource):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        options = {"initializer": 0.5, "use_resource": is_resource}
        slope = tf.compat.v1.get_variable("slope", **options)
        lost = tf.compat.v1.get_variable("lost", collections=[], **options)
        session.run([slope.initializer, lost.initializer])
        save_v1(tmp_path / "model", x, x * slope + lost, session)
    LoadedModel(tmp_path / "model").close()
    assert "1 variable(s) that its signatures read are not restored (lost): " in caplog.text


def test_a_variable_set_under_another_name_or_at_the_start_causes_no_warning(
    tmp_path, half_plus_two, caplog
):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        options = {"initializer": 0.5, "use_resource": True}
        slope = tf.compat.v1.get_variable("slope", **options)
        other = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="slope", name="s")
        again = tf.raw_ops.ReadVariableOp(resource=other, dtype=tf.float32)
        start = tf.compat.v1.get_variable("start", collections=[], **options)
        session.run(slope.initializer)
        signature = tf.compat.v1.saved_model.predict_signature_def(
            {"x": x}, {"y": x * again + start}
        )
        builder = tf.compat.v1.saved_model.builder.SavedModelBuilder(str(tmp_path / "model"))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=start.initializer
        )
        builder.save()
    with LoadedModel(tmp_path / "model") as model:
        assert model.predict({"x": [4.0]})["y"].tolist() == [2.5]
    LoadedModel(half_plus_two).close()
    assert "not restored" not in caplog.text


def test_functions_that_are_called_as_operations_come_with_their_callers(tmp_path):
    @function.Defun(tf.float32, func_name="Halve")
    def halve(x):
        return x / 2

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        save_v1(tmp_path / "model", x, halve(x) + 2, session)
    _, nodes, functions = loaded(tmp_path / "model")
    assert "Halve" in nodes.values()
    assert functions == {"Halve"}
    with LoadedModel(tmp_path / "model") as model:
        assert model.predict({"x": [4.0]})["y"].tolist() == [4.0]


def test_inputs_controls_colocated_nodes_and_parts_of_a_signature_are_kept():
    meta_graph = text_format.Parse(
        """
        graph_def {
          node { name: "x" op: "Placeholder" }
          node { name: "first" op: "NoOp" }
          node { name: "beside" op: "Const" }
          node { name: "middle" op: "Split" input: "x" input: "^first"
                 attr { key: "_class" value { list { s: "loc:@beside" } } } }
          node { name: "y" op: "Identity" input: "middle:1" }
          node { name: "values" op: "Const" }
          node { name: "row_splits" op: "Const" }
          node { name: "restore" op: "NoOp" input: "^from_file" }
          node { name: "from_file" op: "NoOp" }
          node { name: "file" op: "Placeholder" }
          node { name: "asset" op: "Const" }
          node { name: "initialise" op: "NoOp" }
          node { name: "save" op: "NoOp" input: "y" }
        }
        saver_def { filename_tensor_name: "file:0" restore_op_name: "restore"
                    save_tensor_name: "save:0" }
        collection_def { key: "saved_model_main_op" value {
          node_list { value: "initialise" } } }
        asset_file_def { tensor_info { name: "asset:0" } filename: "words.txt" }
        signature_def { key: "serving_default" value {
          inputs { key: "x" value { name: "x:0" } }
          outputs { key: "y" value { name: "y:0" } }
          outputs { key: "sparse" value { coo_sparse { values_tensor_name: "values:0" } } }
          outputs { key: "ragged" value {
            composite_tensor { components { name: "row_splits:0" } } } }
        } }
        """,
        meta_graph_pb2.MetaGraphDef(),
    )
    names = [node.name for node in meta_graph.graph_def.node]
    saved_model.prune(meta_graph)
    assert [node.name for node in meta_graph.graph_def.node] == names[:-1]


def test_a_function_is_left_out_if_only_removed_nodes_call_it_and_nothing_else_names_it():
    meta_graph = text_format.Parse(
        """
        graph_def {
          node { name: "y" op: "PartitionedCall" attr { key: "f" value { func { name: "run" } } } }
          node { name: "save" op: "PartitionedCall"
                 attr { key: "f" value { func { name: "write" } } } }
          node { name: "save_too" op: "PartitionedCall"
                 attr { key: "f" value { func { name: "inner" } } } }
          library {
            function { signature { name: "run" } node_def { name: "a" op: "PartitionedCall"
                       attr { key: "f" value { func { name: "inner" } } } } }
            function { signature { name: "write" } }
            function { signature { name: "inner" } }
            function { signature { name: "gradient_of_run" } }
          }
        }
        signature_def { key: "serving_default" value {
          outputs { key: "y" value { name: "y:0" } } } }
        """,
        meta_graph_pb2.MetaGraphDef(),
    )
    saved_model.prune(meta_graph)
    names = [one.signature.name for one in meta_graph.graph_def.library.function]
    assert names == ["run", "inner", "gradient_of_run"]


def test_a_loaded_model_answers_like_the_saved_one(half_plus_two):
    x = np.float32([1, -4, 0.5])
    expected = tf.saved_model.load(str(half_plus_two)).signatures["serving_default"](tf.constant(x))
    with LoadedModel(half_plus_two) as model:
        assert model.predict({"x": x})["y"].tolist() == expected["y"].numpy().tolist()


def test_tags_must_be_exactly_those_of_a_graph(half_plus_two):
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session, pytest.raises(RuntimeError, match="could not be found in SavedModel"):
        saved_model.load(session, str(half_plus_two), ["serve", "gpu"])
