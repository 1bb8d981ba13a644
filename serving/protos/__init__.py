"""TensorFlow Serving's messages, in a protobuf package of this project's own: `millrace.wire`.

Field numbers are TensorFlow's, names too, so the bytes are the same; the package is not, so
that TensorFlow can be imported in the same process. The `*_pb2` modules are generated:

    python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. serving/protos/*.proto
"""
