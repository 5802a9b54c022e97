"""The HTTP app: pages that load from nowhere else, the answer stream, and who is let in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from graphmem.api.app import GRAPHIQL, static_file
from graphmem.api.server import listen
from graphmem.api.settings import Settings
from graphmem.errors import InputError, SettingError
from tests.api.fakes import OneNote
from tests.api.serving import served, until


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(OneNote()) as url:
        yield url


def events(text: str) -> list[tuple[str, object]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(data)) for name, data in found]


@pytest.mark.parametrize("path", ["/", "/graphql"])
def test_pages_name_no_other_server_and_forbid_foreign_scripts(url: str, path: str) -> None:
    reply = httpx.get(url + path)
    assert reply.status_code == 200
    assert "{{" not in reply.text
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", reply.text)
    assert "script-src 'self'" in reply.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/graphql"])
def test_everything_a_page_names_is_served(url: str, path: str) -> None:
    for named in re.findall(r"(?:src|href)=\"(/[^\"]*)\"", httpx.get(url + path).text):
        assert httpx.get(url + named).status_code == 200, named


@pytest.mark.parametrize("name", GRAPHIQL)
def test_a_file_of_graphiql_is_served_only_as_it_was_published(
    url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert httpx.get(f"{url}/static/{name}").status_code == 200
    monkeypatch.setitem(GRAPHIQL, name, "0" * 64)
    assert static_file(name).status_code == 500


def test_files_outside_the_static_folder_are_not_served(url: str) -> None:
    for name in ("..%2fapp.py", "LICENSES.txt", "start.html", "nothing.js", "%2e%2e/app.py"):
        assert httpx.get(f"{url}/static/{name}").status_code == 404, name


def test_health_tells_the_version(url: str) -> None:
    assert httpx.get(f"{url}/healthz").json() == {"status": "ok", "version": "0.1.0"}


def test_the_answer_streams_as_tokens_then_citations_then_done(url: str) -> None:
    reply = httpx.get(f"{url}/answer/stream", params={"question": "Where does Ada live?"})
    assert reply.headers["content-type"].startswith("text/event-stream")
    told = events(reply.text)
    assert [name for name, _ in told] == ["token", "token", "token", "citations", "done"]
    assert "".join(data["text"] for name, data in told if name == "token") == "Zurich [1]"
    assert told[3][1][0]["passage"]["source"]["title"] == "Letters"
    assert told[4][1] == {
        "question": "Where does Ada live?",
        "text": "Zurich [1]",
        "found": True,
        "generator": "extractive",
        "degraded": [],
    }


def test_tokens_arrive_while_the_answer_is_still_written() -> None:
    memory = OneNote(pieces=["a"] * 5, pause_s=0.2)
    with served(memory) as url, httpx.stream("GET", f"{url}/answer/stream?question=x") as reply:
        next(reply.iter_text())
        assert memory.yielded < 5


def test_a_client_that_goes_closes_the_generator() -> None:
    memory = OneNote(pieces=["a"] * 1000, pause_s=0.02)
    with served(memory) as url:
        with httpx.stream("GET", f"{url}/answer/stream?question=x") as reply:
            next(reply.iter_text())
        until(memory.closed.is_set, 3)
    assert memory.yielded < 1000


@pytest.mark.parametrize(("question", "code"), [("busy", "STORE_BUSY"), ("broken", "UNEXPECTED")])
def test_an_answer_that_fails_ends_in_an_error_event(url: str, question: str, code: str) -> None:
    told = events(httpx.get(f"{url}/answer/stream", params={"question": question}).text)
    assert [name for name, _ in told] == ["error"]
    assert told[0][1]["code"] == code
    assert "secret" not in str(told)


def test_a_blank_question_is_refused_with_a_hint(url: str) -> None:
    reply = httpx.get(f"{url}/answer/stream")
    assert reply.status_code == 400
    assert reply.json()["code"] == "INPUT_ERROR"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_foreign_host_name_is_refused(url: str, host: str) -> None:
    assert httpx.get(url, headers={"host": host}).status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost:99", "127.0.0.1", "[::1]:8787"])
def test_loopback_names_are_answered(url: str, host: str) -> None:
    assert httpx.get(url, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_pages_of_other_sites_are_refused(url: str, origin: str) -> None:
    reply = httpx.post(f"{url}/graphql", json={"query": "{ stats { space } }"}, headers={"origin": origin})
    assert reply.status_code == 403


def test_a_picture_on_another_site_cannot_ask_but_a_link_may_lead_here(url: str) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert httpx.get(f"{url}/answer/stream?question=x", headers=headers).status_code == 403
    assert httpx.get(url, headers={**headers, "sec-fetch-mode": "navigate"}).status_code == 200


def test_our_own_page_is_let_in(url: str) -> None:
    reply = httpx.post(f"{url}/graphql", json={"query": "{ stats { space } }"}, headers={"origin": url})
    assert reply.json()["data"]["stats"]["space"] == "default"


def test_further_names_can_be_allowed() -> None:
    with served(OneNote(), allowed_hosts=("memory.example",)) as url:
        assert httpx.get(url, headers={"host": "memory.example"}).status_code == 200


def test_a_request_that_is_too_long_is_refused_with_or_without_its_length(url: str) -> None:
    body = b'{"query": "' + b"x" * 3_000_000 + b'"}'
    headers = {"content-type": "application/json"}
    assert httpx.post(f"{url}/graphql", content=body, headers=headers).status_code == 413
    assert httpx.post(f"{url}/graphql", content=iter([body]), headers=headers).status_code == 413


def test_a_port_in_use_is_one_clear_error() -> None:
    with listen(Settings(port=0)) as (taken, _):
        taken.listen()
        with pytest.raises(InputError, match="in use"), listen(Settings(port=taken.getsockname()[1])):
            pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_a_host_that_others_reach_needs_a_flag(host: str) -> None:
    with pytest.raises(SettingError, match="no login"), listen(Settings(host=host, port=0)):
        pass
