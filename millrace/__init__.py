"""Millrace: pipelines from data to a served model, on Beam, Keras and TensorFlow Serving."""
# Every module's package: its code is part of the key of every step (components' source_code), and
# the client's wheel holds it as well. So it imports nothing, not even for the type checker's sake,
# that source_code would follow from here into the whole engine.
