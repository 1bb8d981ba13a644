"""The pages of a root, asked for over a real socket."""

import asyncio
import contextlib
import http.client
import json
import re
import threading
import urllib.parse

import pytest
from aiohttp import web

from millrace.pipeline.ui import server
from millrace.pipeline.ui.site import Site
from tests.pipeline.conftest import Toy


class Pages:
    """A server of pages, and what a browser does to it."""

    def __init__(self, port, keys):
        self.port, self.keys = port, keys
        self.headers = {}

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method, path, body=None, **headers):
        """Status, headers and text of the answer; redirections are not followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {**self.headers, **headers})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def get(self, path):
        """The page of the first root at `path`, which must be there."""
        status, _, text = self.ask("GET", f"/{self.keys[0]}/{path}")
        assert status == 200, text
        return text

    def json(self, path):
        """Its twin."""
        page, _, query = path.partition("?")
        return json.loads(self.get(f"{page}.json{'?' if query else ''}{query}"))

    def post(self, path, page="runs", **fields):
        """Send a form as the page does that has it: with its secret, from its origin."""
        secret = re.search('name="form_secret" value="([^"]+)"', self.get(page))[1]
        body = urllib.parse.urlencode({"form_secret": secret, **fields}, doseq=True)
        kind = "application/x-www-form-urlencoded"
        address = f"/{self.keys[0]}/{path}"
        return self.ask("POST", address, body, Origin=self.origin, **{"Content-Type": kind})


@contextlib.contextmanager
def served(*roots, **options):
    """The pages of `roots` while the block lasts."""
    site = Site(roots)
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(server.application(site, **options))
    listening = server.listen("127.0.0.1", 0)
    port = listening.getsockname()[1]

    async def begin():
        await runner.setup()
        await web.SockSite(runner, listening).start()

    def done(work):
        # In its own thread alone: another loop may run in this one, as a browser's does.
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        done(begin())
        yield Pages(port, list(site.roots))
    finally:
        done(runner.cleanup())
        done(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def toy(tmp_path):
    """The toy pipeline; its root's name is no folder's of every machine."""
    return Toy(tmp_path, "mill")


@pytest.fixture
def pages(toy):
    """The pages of the toy pipeline's root."""
    with served(toy.root) as found:
        yield found
