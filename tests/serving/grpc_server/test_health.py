"""The standard health service, called with its own stub, as by Kubernetes and Envoy."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from millrace.serving.client import Client
from millrace.serving.flags import Options
from millrace.serving.grpc_server.health import HealthService
from millrace.serving.server import ModelServer
from tests.serving.conftest import free_port

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
NAMES = ["", "tensorflow.serving.ModelService", "tensorflow.serving.PredictionService"]


def request(name):
    return health_pb2.HealthCheckRequest(service=name)


@pytest.mark.parametrize("name", NAMES)
def test_the_status_of_the_process_and_both_services_is_reported(channel, name):
    stub = health_pb2_grpc.HealthStub(channel)
    assert stub.Check(request(name), timeout=20).status == SERVING
    watch = stub.Watch(request(name))
    assert next(watch).status == SERVING
    watch.cancel()


def test_any_other_name_is_unknown(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    with pytest.raises(grpc.RpcError) as refusal:
        stub.Check(request("tensorflow.serving.Other"), timeout=20)
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(request("tensorflow.serving.Other"))
    assert next(watch).status == SERVICE_UNKNOWN
    watch.cancel()


def test_a_watch_occupies_no_thread_and_does_not_delay_the_shutdown(push, tmp_path):
    push(tmp_path / "half", 1)
    options = {"enable_grpc_healthcheck_service": True, "grpc_max_threads": 1}
    options |= {"model_name": "half", "model_base_path": str(tmp_path / "half")}
    port = free_port()
    server = ModelServer(Options(port=port, **options))
    assert server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watches = [stub.Watch(request(name)) for name in NAMES]
        assert [next(watch).status for watch in watches] == [SERVING] * 3
        with Client(f"127.0.0.1:{port}") as client:
            assert client.predict("half", {"x": [1.0]}, timeout=20)["y"] == 2.5
        server.stop()
        assert [next(watch).status for watch in watches] == [NOT_SERVING] * 3
        for watch in watches:
            with pytest.raises(grpc.RpcError) as end:
                next(watch)
            # Not UNAVAILABLE, which follows when the drain times out.
            assert end.value.code() is grpc.StatusCode.CANCELLED


def test_a_watch_that_has_ended_is_not_kept():
    class Ended:
        def add_callback(self, _):
            return False

        def is_active(self):
            return False

    health = HealthService()
    health.Watch(request(""), Ended())
    assert health._watching == set()
