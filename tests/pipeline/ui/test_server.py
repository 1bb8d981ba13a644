"""The pages' server: who is answered, with what, and who is not."""

import json
import math
import urllib.parse

import pytest

from millrace.pipeline.errors import UsageError
from millrace.pipeline.ui import server
from millrace.pipeline.ui.site import Action, View
from tests.pipeline.ui.conftest import served


def test_the_first_page_is_that_of_the_first_roots_runs(pages):
    status, headers, _ = pages.ask("GET", "/")
    assert (status, headers["Location"]) == (302, "/mill/runs")


def test_every_answer_keeps_other_sites_out(pages):
    for path in ("/", "/mill/runs", "/mill/runs.json", "/static/style.css", "/mill/none"):
        _, headers, _ = pages.ask("GET", path)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


def test_no_page_has_a_script_or_a_style_of_its_own(pages):
    text = pages.get("runs")
    assert "<script>" not in text
    assert "style=" not in text
    assert "onclick" not in text


def test_a_twin_has_null_for_what_is_no_number(toy, monkeypatch):
    found = {"scores": [0.5, math.nan, (-math.inf,)], "of": {"none": None, "word": "NaN"}}
    view = View("none", "error.html", lambda _: found)
    monkeypatch.setattr("millrace.pipeline.ui.routes.VIEWS", (view,))
    with served(toy.root) as pages:
        _, _, text = pages.ask("GET", "/mill/none.json")
    assert text == '{"scores": [0.5, null, [null]], "of": {"none": null, "word": "NaN"}}'


@pytest.mark.parametrize("path", ["/mill/none", "/none/runs"])
def test_a_page_that_is_not_there_is_said_so_and_so_is_its_twin(pages, path):
    status, headers, text = pages.ask("GET", path)
    assert (status, headers.get_content_type()) == (404, "text/html")
    assert f"{path}: " in text
    status, headers, text = pages.ask("GET", f"{path}.json")
    assert (status, headers.get_content_type()) == (404, "application/json")
    assert json.loads(text)["error"].startswith(f"{path}.json: ")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil", "", "8.8.8.8"]
)
def test_a_name_that_another_site_made_to_point_here_is_refused(pages, host):
    assert pages.ask("GET", "/mill/runs", Host=host)[0] == 421


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:80", "127.8.9.1"])
def test_names_of_this_machine_are_answered(pages, host):
    assert pages.ask("GET", "/mill/runs", Host=host)[0] == 200


def test_a_name_that_was_given_is_answered(toy):
    with served(toy.root, hosts=["host.example"]) as pages:
        assert pages.ask("GET", "/mill/runs", Host="host.example:8080")[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://["])
def test_an_action_from_another_site_is_refused(pages, origin):
    assert pages.ask("POST", "/mill/runs", "", Origin=origin)[0] == 403


@pytest.mark.parametrize("secret", ["", "other", "é", "\udcff"])
def test_a_form_without_the_secret_of_this_start_changes_nothing(toy, monkeypatch, secret):
    done = []
    action = Action("change", lambda asked, sent: str(done.append(sent)), "error.html")
    monkeypatch.setattr("millrace.pipeline.ui.routes.ACTIONS", (action,))
    with served(toy.root) as pages:
        body = f"form_secret={urllib.parse.quote(secret, errors='surrogateescape')}"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = pages.ask("POST", "/mill/change", body, Origin=pages.origin, **kind)
    assert answer[0] == 403
    assert done == []


def test_with_a_token_nobody_else_is_answered(toy):
    with served(toy.root, token="s3cret") as pages:
        assert pages.ask("GET", "/mill/runs")[0] == 401
        assert pages.ask("GET", "/mill/runs?token=wrong")[0] == 401
        assert pages.ask("GET", "/mill/runs", Cookie="millrace_token=wrong")[0] == 401
        assert pages.ask("GET", "/mill/runs", Cookie="millrace_token=\xff")[0] == 401
        assert pages.ask("GET", "/mill/runs", Authorization="Bearer \xff")[0] == 401
        assert pages.ask("GET", "/mill/runs.json", Authorization="Bearer s3cret")[0] == 200


def test_a_token_in_the_address_becomes_a_cookie(toy):
    with served(toy.root, token="s3cret") as pages:
        status, headers, _ = pages.ask("GET", "/mill/runs?token=s3cret")
        assert (status, headers["Location"]) == (302, "/mill/runs")
        assert "HttpOnly" in headers["Set-Cookie"]
        assert "SameSite=Strict" in headers["Set-Cookie"]
        cookie = headers["Set-Cookie"].partition(";")[0]
        assert pages.ask("GET", "/mill/runs", Cookie=cookie)[0] == 200


def test_a_port_that_is_taken_is_refused_with_the_fix(pages):
    with pytest.raises(UsageError, match="Give another, or 0 for a free one"):
        server.listen("127.0.0.1", pages.port)
