"""A bare grpcio server: each path has one answer, sent without looking at the request.

    python -m benchmarks.echo PORT FOLDER

The answer of the path `/echo/NAME` is the content of the file `FOLDER/NAME.answer`. Nothing is
parsed and nothing computed: its cost is that of gRPC in Python.
"""

import pathlib
import sys
from concurrent import futures

import grpc

from millrace.serving import cores


def main(port: str, folder: str) -> None:
    """Serve until killed."""
    answers = {file.stem: file.read_bytes() for file in pathlib.Path(folder).glob("*.answer")}
    server = grpc.server(
        futures.ThreadPoolExecutor(4 * cores.available()),  # as the model server has
        handlers=[
            grpc.method_handlers_generic_handler(
                "echo", {name: _constant(answer) for name, answer in answers.items()}
            )
        ],
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def _constant(answer: bytes) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(lambda request, context: answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
