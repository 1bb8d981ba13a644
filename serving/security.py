"""Access control: TLS from `--ssl_config_file`, and a bearer token for both protocols.

The token is this project's own option; the real server has none. It covers every service of the
gRPC port, including reflection and the profiler, and the API and the metrics of the REST port.
Health checks need no token, so that probes need no secret; nor do CORS preflight requests, which
cannot carry one.
"""

import hmac
import logging
import ssl
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
from google.protobuf import text_format

from millrace.serving import regular_file, text_form
from millrace.serving.errors import ServerError
from millrace.serving.protos import ssl_config_pb2

_SCHEME = "bearer "
_PEM = "-----BEGIN"
_HEALTH = "/grpc.health.v1.Health/"
_log = logging.getLogger(__name__)
UNAUTHENTICATED = "Expected `authorization: Bearer` and this server's token."


class Gate:
    """Admits requests with the right token, or all of them if no token is set."""

    def __init__(self, token: str = "") -> None:
        self._token = token.encode()

    @property
    def is_open(self) -> bool:
        """Whether no token is required."""
        return not self._token

    def authorized(self, header: str | None) -> bool:
        """Whether `header`, the value of `authorization`, has the right token.

        The comparison takes constant time. A header may hold any bytes: those that are not valid
        UTF-8 arrive as lone surrogates.
        """
        if self.is_open:
            return True
        scheme, given = (header or "")[: len(_SCHEME)], (header or "")[len(_SCHEME) :]
        same = hmac.compare_digest(given.strip().encode(errors="surrogatepass"), self._token)
        return same and scheme.lower() == _SCHEME


def read_gate(file: str) -> Gate:
    """Returns the gate for `--api_token_file`; an open one if `file` is empty.

    Raises:
        ServerError: the file cannot be read, or has no token.
    """
    if not file:
        return Gate()
    try:
        token = regular_file.read_text(file).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _no_token(file, str(error)) from error
    if not token or not token.isascii() or not token.isprintable():
        raise _no_token(file, "other content")
    return Gate(token)


def _no_token(file: str, received: str) -> ServerError:
    return ServerError(
        f"--api_token_file={file}: expected a file with one line of printable ASCII. "
        f"Received: {received}. Write a secret into it, e.g. from `openssl rand -hex 32`."
    )


class TokenInterceptor(grpc.ServerInterceptor):
    """Refuses gRPC calls without the token."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._refusal = grpc.unary_unary_rpc_method_handler(_refuse)

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """Pass the call on, or refuse it."""
        details = handler_call_details
        found = dict(details.invocation_metadata).get("authorization")
        if details.method.startswith(_HEALTH) or self._gate.authorized(found):
            return continuation(details)
        return self._refusal


def _refuse(request: bytes, context: grpc.ServicerContext) -> bytes:
    del request
    context.abort(grpc.StatusCode.UNAUTHENTICATED, UNAUTHENTICATED)
    return b""  # not reached: abort ends the handler


def server_credentials(file: str) -> grpc.ServerCredentials | None:
    """Returns the credentials in `--ssl_config_file`; None, for plain text, if `file` is empty.

    The file is looked at for each new connection, so that a renewed certificate needs no restart
    (the real server reads it once). One that is not usable is logged, and the last one kept.

    Raises:
        ServerError: it cannot be read, or lacks the key or the certificate.
    """
    if not file:
        return None
    renewal = _Renewal(file)
    return grpc.dynamic_ssl_server_credentials(
        renewal.first, renewal.fetch, require_client_authentication=renewal.verifies_clients
    )


class _Renewal:
    """The certificate in `--ssl_config_file`, read again when the file is another."""

    def __init__(self, file: str) -> None:
        """Read the file; see `server_credentials` for what it raises."""
        self._file, self._stamp = file, _stamp(file)
        config = _read_config(file)
        self.first, self.verifies_clients = _certificates(config), config.client_verify
        self._lock = threading.Lock()  # gRPC asks from several threads

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """What the file holds if that is new and usable, else None."""
        with self._lock:
            stamp = _stamp(self._file)
            if stamp in (None, self._stamp):  # none while it is being replaced
                return None
            self._stamp = stamp
            try:
                config = _read_config(self._file)
                self._check_verification(config)
            except ServerError as error:
                _log.error("The certificate in use is kept: %s", error)
                return None
        _log.info("--ssl_config_file=%s: new connections have its new certificate", self._file)
        return _certificates(config)

    def _check_verification(self, config: ssl_config_pb2.SSLConfig) -> None:
        if config.client_verify != self.verifies_clients:
            raise ServerError(
                f"--ssl_config_file={self._file}: expected `client_verify` as it was when the "
                f"server started. Received: {config.client_verify}. Restart the server."
            )


def _stamp(file: str) -> tuple[int, int, int] | None:
    """What a file that is written or replaced has another of; None if there is none."""
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _certificates(config: ssl_config_pb2.SSLConfig) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
    )


def _read_config(file: str) -> ssl_config_pb2.SSLConfig:
    """Raises ServerError, see `server_credentials`."""
    try:
        config = text_form.parse(regular_file.read_text(file), ssl_config_pb2.SSLConfig())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ServerError(f"Invalid protobuf file: '{file}': {error}") from error
    if _PEM not in config.server_key or _PEM not in config.server_cert:
        raise ServerError(
            f"--ssl_config_file={file}: expected `server_key` and `server_cert` in PEM. "
            "Received: other text. Put the contents of both files into it, not their names."
        )
    if config.client_verify and not config.custom_ca:
        raise ServerError(
            f"--ssl_config_file={file}: expected `custom_ca` with `client_verify`. "
            "Received: none. Add the authority that signs the certificates of clients."
        )
    _check_pair(file, config)
    return config


def _check_pair(file: str, config: ssl_config_pb2.SSLConfig) -> None:
    """Refuse keys and certificates that gRPC would refuse later, without saying which."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Python reads them from files only; nobody else can read these.
    with tempfile.TemporaryDirectory(prefix="millrace-tls-") as folder:
        key, certificate = Path(folder) / "key.pem", Path(folder) / "certificate.pem"
        key.write_text(config.server_key)
        certificate.write_text(config.server_cert)
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
            if config.custom_ca:
                context.load_verify_locations(cadata=config.custom_ca)
        except (ssl.SSLError, ValueError) as error:
            raise ServerError(
                f"--ssl_config_file={file}: expected a key without a password, its certificate, "
                f"and authorities in PEM. Received: {error}. Use a key and a certificate that "
                "match."
            ) from error


def _no_password() -> str:
    raise ValueError("an encrypted key")
