"""Reads the bodies of requests, within limits of size and time, and decompresses them.

Nothing that a client announces is trusted: a length over the limit is refused before a byte is
read, and a body that stops arriving is not waited for.
"""

import asyncio
import zlib

from aiohttp import hdrs, web
from aiohttp.http_writer import HttpVersion11

from millrace.serving.errors import InvalidArgumentError, UnavailableError
from millrace.serving.rest.codes import TooLargeError, TooSlowError

MAX_DECOMPRESSED_BYTES = 100 * 2**20  # of a gzip body, as ZLib::kMaxUncompressedBytes
_GZIP = 16 + zlib.MAX_WBITS  # zlib's code for a gzip header only
_SLOWEST = 500  # bytes per second on average, as MinRate in Apache's RequestReadTimeout


class BodyReader:
    """Reads bodies; used from one event loop."""

    def __init__(self, most: int, patience: float) -> None:
        """Read bodies of up to `most` bytes, waiting up to `patience` seconds for the next part."""
        self._most, self._patience = most, patience
        self._awaited: set[asyncio.Timeout] = set()
        self._is_ending = False

    async def read(self, request: web.BaseRequest) -> bytes:
        """Returns the body of `request`, still compressed.

        Raises:
            TooLargeError: it is longer than allowed, or announced to be.
            TooSlowError: it arrived too slowly.
            InvalidArgumentError: it does not have the announced encoding.
            UnavailableError: the server is shutting down before all of it arrived.
        """
        if (request.content_length or 0) > self._most:
            raise _too_large("body", self._most)
        await _send_continue(request)
        try:
            async with asyncio.timeout(None) as clock:
                self._awaited.add(clock)
                try:
                    return await self._all(request, clock)
                finally:
                    self._awaited.discard(clock)
        except TimeoutError as error:
            if self._is_ending:
                raise UnavailableError("The server is shutting down") from error
            raise TooSlowError(
                f"The body arrived too slowly: less than {_SLOWEST} bytes per second, or nothing "
                f"for {self._patience:g} s"
            ) from error
        except web.RequestPayloadError as error:
            raise InvalidArgumentError(f"Malformed HTTP: {error}") from error

    def end(self) -> None:
        """Refuse requests whose bodies have not arrived yet."""
        self._is_ending = True
        for clock in self._awaited:
            if not clock.expired():  # an expired one cannot be rescheduled
                clock.reschedule(0)

    async def _all(self, request: web.BaseRequest, clock: asyncio.Timeout) -> bytes:
        loop = asyncio.get_running_loop()
        start, body = loop.time(), bytearray()
        while True:
            slow = start + self._patience + len(body) / _SLOWEST
            clock.reschedule(0 if self._is_ending else min(loop.time() + self._patience, slow))
            part = await request.content.readany()
            if not part:
                return bytes(body)
            body += part
            if len(body) > self._most:
                raise _too_large("body", self._most)


def decompress(body: bytes, encoding: str) -> bytes:
    """Decompress `body` if `encoding` is gzip; returns an empty body if it is damaged.

    The real server also continues with an empty body then.

    Raises:
        TooLargeError: the decompressed body is too large.
    """
    if "gzip" not in encoding:
        return body
    stream = zlib.decompressobj(_GZIP)
    try:
        content = stream.decompress(body, MAX_DECOMPRESSED_BYTES)
    except zlib.error:
        return b""
    if stream.unconsumed_tail:
        raise _too_large("decompressed body", MAX_DECOMPRESSED_BYTES)
    return content if stream.eof else b""


async def _send_continue(request: web.BaseRequest) -> None:
    """Answer `Expect: 100-continue`, so that the client sends the body."""
    expects = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    if expects and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the response itself has not begun


def _too_large(what: str, limit: int) -> TooLargeError:
    return TooLargeError(f"Received a {what} larger than max ({limit} bytes)")
