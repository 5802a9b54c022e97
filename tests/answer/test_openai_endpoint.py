"""A model behind an OpenAI-compatible URL, such as a local server gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from graphmem.answer import chat_model, respond
from tests.answer.world import passage, recall, run

FOUND = recall("Where does Ada live?", passage("I moved to Zurich in May.", "Ada", "2026-05-12T09:00"))


class Endpoint(BaseHTTPRequestHandler):
    requests: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append({"path": self.path, **body})  # type: ignore[attr-defined]
        if body["model"] == "broken":
            self.send_error(500)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for piece in ("Ada lives ", "in Zurich", " [1]."):
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
            chunk["choices"] = [{"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": None}]
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.requests = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_endpoint_named_by_the_environment_writes_the_answer(endpoint: ThreadingHTTPServer) -> None:
    generator = chat_model("openai:local-model")
    text, answer = run(respond(FOUND, generator=generator))
    assert text == answer.text == "Ada lives in Zurich [1]."
    assert answer.generator == "openai:local-model"
    (request,) = endpoint.requests  # type: ignore[attr-defined]
    assert request["path"] == "/v1/chat/completions"
    assert request["stream"] is True
    assert [message["role"] for message in request["messages"]] == ["system", "user"]


@pytest.mark.usefixtures("endpoint")
def test_an_endpoint_that_fails_leaves_the_extracted_answer() -> None:
    _, answer = run(respond(FOUND, generator=chat_model("openai:broken", max_retries=0)))
    assert "Zurich" in answer.text
    assert answer.generator == "extractive"
    assert any("openai:broken failed" in remark for remark in answer.degraded)
