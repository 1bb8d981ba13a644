"""The bodies of requests: read within a size and a time, and unpacked.

Nothing that a caller announces is believed: not a length beyond the limit, which is refused before
a byte is read, and not that more will come.
"""

import asyncio
import zlib

from aiohttp import hdrs, web
from aiohttp.http_writer import HttpVersion11

from millrace.serving.errors import InvalidArgumentError, UnavailableError
from millrace.serving.rest.codes import TooLargeError, TooSlowError

MAX_UNPACKED_BYTES = 100 * 2**20  # of a gzip body, as ZLib::kMaxUncompressedBytes
_GZIP = 16 + zlib.MAX_WBITS  # zlib: a header of gzip, nothing else
_SLOWEST = 500  # bytes a second, on the whole; Apache's RequestReadTimeout has the same MinRate


class Bodies:
    """Reads bodies; used from one event loop."""

    def __init__(self, most: int, patience: float) -> None:
        """Read none of more than `most` bytes, and wait `patience` seconds for the next part."""
        self._most, self._patience = most, patience
        self._awaited: set[asyncio.Timeout] = set()
        self._is_ending = False

    async def read(self, request: web.BaseRequest) -> bytes:
        """The body of `request`, still packed.

        Raises:
            TooLargeError: it is, or says that it is, longer than allowed.
            TooSlowError: it stopped coming, or came too slowly.
            InvalidArgumentError: it is not in the form that was announced.
            UnavailableError: the server ends, and the rest had not come.
        """
        if (request.content_length or 0) > self._most:
            raise _too_large("body", self._most)
        await _invite(request)
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
                f"The body came too slowly: less than {_SLOWEST} bytes a second, or nothing for "
                f"{self._patience:g} s"
            ) from error
        except web.RequestPayloadError as error:
            raise InvalidArgumentError(f"Malformed HTTP: {error}") from error

    def end(self) -> None:
        """Wait for no more bytes: requests whose bodies are not there yet are refused."""
        self._is_ending = True
        for clock in self._awaited:
            if not clock.expired():  # that one ends by itself, and may not be set again
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


def unpack(body: bytes, encoding: str) -> bytes:
    """`body` without its gzip, if `encoding` says that it has one; nothing if that is broken.

    The real server goes on with an empty document where it cannot unpack one.

    Raises:
        TooLargeError: it is too large without.
    """
    if "gzip" not in encoding:
        return body
    packed = zlib.decompressobj(_GZIP)
    try:
        unpacked = packed.decompress(body, MAX_UNPACKED_BYTES)
    except zlib.error:
        return b""
    if packed.unconsumed_tail:
        raise _too_large("unpacked body", MAX_UNPACKED_BYTES)
    return unpacked if packed.eof else b""


async def _invite(request: web.BaseRequest) -> None:
    """Ask for the body of a caller who waits for that."""
    expects = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    if expects and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


def _too_large(what: str, limit: int) -> TooLargeError:
    return TooLargeError(f"Received a {what} larger than max ({limit} bytes)")
