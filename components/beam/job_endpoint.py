"""Whether a Beam job server answers at `--job_endpoint`; Beam would wait for it silently."""

from typing import TYPE_CHECKING

from millrace.components.errors import OptionError

if TYPE_CHECKING:
    import grpc

EMBEDDED = "embed"  # by which Beam means a job server of its own
_SECONDS = 5.0


def is_server(endpoint: str | None) -> bool:
    """Whether `endpoint` names a job server, and is not one that Beam starts itself."""
    return bool(endpoint) and endpoint != EMBEDDED


def check(endpoint: str) -> None:
    """Refuse an endpoint where no Beam job server answers.

    Args:
        endpoint: `host:port`; `embed` and the empty text name none.

    Raises:
        OptionError: it is of another form, or no job server answers there.
    """
    check_form(endpoint)
    if is_server(endpoint):
        has_options(endpoint)


def has_options(endpoint: str) -> bool:
    """Whether the job server at `endpoint` has options of its own; Prism alone has none.

    Raises:
        OptionError: no job server answers there.
    """
    # Imported here: a run without an endpoint needs neither.
    import grpc
    from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
        request = beam_job_api_pb2.DescribePipelineOptionsRequest()
        try:
            return bool(stub.DescribePipelineOptions(request, timeout=_SECONDS).options)
        except grpc.RpcError as error:
            raise _refusal(endpoint, _reason(error)) from None


def check_form(endpoint: str) -> None:
    """Refuse an endpoint that is not `host:port`; `embed` and the empty text name none.

    Raises:
        OptionError: it is of another form.
    """
    if not is_server(endpoint):
        return
    host, _, port = endpoint.rpartition(":")
    is_port = port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16
    if not host.strip() or not is_port:
        raise _refusal(endpoint, "no host and port (1 to 65535)")


def _reason(error: "grpc.RpcError") -> str:
    match error.code().name:
        case "UNIMPLEMENTED":
            return "a gRPC server of another kind"
        case "DEADLINE_EXCEEDED":
            return f"no answer in {_SECONDS:g} s"
        case name:
            return f"{name}: {error.details()}"


def _refusal(endpoint: str, received: str) -> OptionError:
    return OptionError(
        f"Beam flags: --job_endpoint={endpoint}: expected host:port of a Beam job server. "
        f"Received: {received}. Start one there or correct the endpoint; `--job_endpoint=embed` "
        "has Beam start one in this process."
    )
