"""The HTTP server of the pages, over aiohttp; by default for this machine alone.

What keeps others out: only requests to a known name of this machine are answered, so that no
other site can reach it by a name of its own (DNS rebinding); actions must come from one of our
pages, by their Origin and by a secret in the form; elsewhere than on loopback everybody needs the
token. No page runs a script or loads anything that is not ours, by its content security policy.
"""

import asyncio
import ipaddress
import json
import math
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from millrace.pipeline.errors import UsageError
from millrace.pipeline.ui import routes, templates
from millrace.pipeline.ui.site import Action, Asked, File, Sent, Site, View
from millrace.serving.errors import MillraceError

MOST_SENT = 64 * 2**20  # bytes of an upload
_COOKIE = "millrace_token"
_STATIC = {
    "style.css": "text/css",
    "page.js": "text/javascript",
    "try.js": "text/javascript",
    "favicon.svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SITE, _FORM_SECRET, _TOKEN, _HOSTS = (
    web.AppKey("site", Site),
    web.AppKey("form_secret", str),
    web.AppKey("token", str),
    web.AppKey("hosts", frozenset),
)


def application(site: Site, *, token: str = "", hosts: Sequence[str] = ()) -> web.Application:
    """The pages of `site`.

    Args:
        site: closed with the application.
        token: what everybody has to show, by `?token=` once; nobody, if empty.
        hosts: names under which it may be asked, beside those of loopback.
    """
    app = web.Application(middlewares=[_guarded, _explained], client_max_size=MOST_SENT)
    app[_SITE], app[_FORM_SECRET], app[_TOKEN] = site, templates.new_secret(), token
    app[_HOSTS] = frozenset({"localhost", *hosts})
    app.router.add_get("/", _first)
    for name, media_type in _STATIC.items():
        app.router.add_get(f"/static/{name}", _static(name, media_type))
    for view in routes.VIEWS:
        app.router.add_get(f"/{{root}}/{view.pattern}.json", _twin(view))
        app.router.add_get(f"/{{root}}/{view.pattern}", _page(view))
    for file in routes.FILES:
        app.router.add_get(f"/{{root}}/{file.pattern}", _file(file))
    for action in routes.ACTIONS:
        app.router.add_post(f"/{{root}}/{action.pattern}", _action(action))
    app.on_cleanup.append(_close)
    return app


async def _close(app: web.Application) -> None:
    await asyncio.to_thread(app[_SITE].close)


async def _first(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(f"/{next(iter(request.app[_SITE].roots))}/runs")


def _static(name: str, media_type: str) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=templates.static(name), content_type=media_type)

    return answer


def _twin(view: View) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        found = await asyncio.to_thread(view.gather, _asked(request))
        return web.json_response(found, dumps=_json)

    return answer


def _json(found: Any) -> str:
    """`found` as JSON, which has no NaN and no infinity: null for them."""
    try:
        return json.dumps(found, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(found), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _page(view: View) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        asked = _asked(request)
        return await asyncio.to_thread(
            lambda: _rendered(request, view.template, view.gather(asked))
        )

    return answer


def _file(file: File) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        found = await asyncio.to_thread(file.read, _asked(request))
        headers = {}
        if found.filename:
            quoted = json.dumps(found.filename)
            headers["Content-Disposition"] = f"attachment; filename={quoted}"
        charset = "utf-8" if found.media_type.startswith("text/") else None
        return web.Response(
            body=found.body, content_type=found.media_type, charset=charset, headers=headers
        )

    return answer


def _action(action: Action) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        texts = {
            name: [value for value in form.getall(name) if isinstance(value, str)] for name in form
        }
        if not _is_same(texts.get("form_secret", [""])[-1], request.app[_FORM_SECRET]):
            raise web.HTTPForbidden(text="This form is of an earlier start. Load the page again.")
        uploads = {
            name: (value.filename, value.file.read())
            for name, value in form.items()
            if isinstance(value, web.FileField)
        }
        fields = {name: values[-1] for name, values in texts.items() if values}
        sent = Sent(fields, texts, uploads)
        found = await asyncio.to_thread(action.carry_out, _asked(request), sent)
        if isinstance(found, str):
            raise web.HTTPSeeOther(found)
        if request.headers.get("Accept") == "application/json":
            return web.json_response(found, dumps=_json)
        return await asyncio.to_thread(_rendered, request, action.template, found)

    return answer


def _asked(request: web.Request) -> Asked:
    parts = dict(request.match_info)
    try:
        return request.app[_SITE].asked(
            parts.pop("root"),
            parts,
            {name: request.query.getall(name) for name in request.query},
        )
    except KeyError:
        known = ", ".join(request.app[_SITE].roots)
        raise UsageError(f"{request.path}: expected a root's name. There are: {known}.") from None


def _rendered(
    request: web.Request, template: str, shown: Mapping[str, Any], status: int = 200
) -> web.Response:
    text = templates.render(
        template,
        shown=shown,
        key=request.match_info.get("root", ""),
        roots=list(request.app[_SITE].roots),
        form_secret=request.app[_FORM_SECRET],
        path=request.path,
        query=request.query_string,
    )
    return web.Response(text=text, content_type="text/html", status=status)


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse who must not be answered, and send the headers that keep a page to itself."""
    _check_host(request)
    answer: web.StreamResponse | None = _check_token(request)
    if answer is None:
        if request.method not in ("GET", "HEAD"):
            _check_origin(request)
        try:
            answer = await handler(request)
        except web.HTTPException as error:
            error.headers.update(_HEADERS)
            raise
    answer.headers.update(_HEADERS)
    return answer


@web.middleware
async def _explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Show an error that says what to do as a page, or as JSON behind `.json`."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        error: MillraceError = UsageError(f"{request.path}: there is no such page.")
    except MillraceError as raised:
        error = raised
    status = 404 if isinstance(error, UsageError) else 500
    if request.path.endswith(".json"):
        return web.json_response({"error": str(error)}, status=status)
    return _rendered(request, "error.html", {"error": str(error)}, status)


def _check_host(request: web.Request) -> None:
    """Refuse a name that is not ours: a page of another site may have been made to point here."""
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
        is_known = name in request.app[_HOSTS] or ipaddress.ip_address(name).is_loopback
    except ValueError:
        is_known = False
    if not is_known:
        raise web.HTTPMisdirectedRequest(text=f"{request.host!r} is not a name of this server.")


def _check_origin(request: web.Request) -> None:
    origin = request.headers.get("Origin", "")
    if origin.partition("://")[2] != request.host:
        raise web.HTTPForbidden(text=f"Actions come from these pages, not from {origin!r}.")


def _check_token(request: web.Request) -> web.Response | None:
    """Refuse whoever does not show the token; the answer to one who shows it in the address."""
    token = request.app[_TOKEN]
    if not token:
        return None
    header = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if any(_is_same(shown, token) for shown in (request.cookies.get(_COOKIE, ""), header)):
        return None
    if _is_same(request.query.get("token", ""), token):
        # To the address without the token: addresses are passed on.
        answer = web.Response(status=302, headers={"Location": request.path})
        answer.set_cookie(_COOKIE, token, httponly=True, samesite="Strict")
        return answer
    raise web.HTTPUnauthorized(text="Open the address with the token that `millrace ui` printed.")


def _is_same(shown: str, secret: str) -> bool:
    """In constant time; what is shown may be any text, and bytes that are none."""
    return secrets.compare_digest(shown.encode(errors="surrogatepass"), secret.encode())


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        UsageError: it cannot.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family)
    except OSError as error:
        raise UsageError(
            f"--port {port} at {address}: expected to listen there. Received: {error.strerror}. "
            "Give another, or 0 for a free one."
        ) from None
