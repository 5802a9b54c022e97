"""A model that proposes, as users ask for it: an estimate first, a yes, caps, and never by being named alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import graphmem
from graphmem.api.engines import store_at
from graphmem.api.generators import close, generator_of, manner_of, proposer_of, stays_here
from graphmem.construct import BRIEF, FULL, Caps, Proposer
from graphmem.embed import HashEmbedder
from graphmem.errors import NotFound, SettingError
from graphmem.ingest import estimate, ingest
from tests.api.conftest import SAMPLE, run_cli
from tests.api.serving import served
from tests.api.test_graphql import post
from tests.construct.hostile import Saying, Telling, passages_in
from tests.ingest.files import jsonl, written
from tests.moe_runtime.serving import small_store

TURNS = [{"speaker": "Ada", "text": f"I saw kite {n} today. It flew over the harbour."} for n in range(30)]


class Endpoint(BaseHTTPRequestHandler):
    """An OpenAI-compatible model that proposes the first four words of each passage as a note."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        prompt = [(message["role"], message["content"]) for message in body["messages"]]
        for number, text in passages_in(prompt).items():
            row = json.dumps({"passage": number, "notes": [{"quote": " ".join(text.split()[:4])}, {"quote": "no"}]})
            chunk: dict[str, Any] = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
            chunk["choices"] = [{"index": 0, "delta": {"role": "assistant", "content": row}, "finish_reason": None}]
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def endpoint() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.requests = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def where(endpoint: ThreadingHTTPServer) -> dict[str, str]:
    """The environment in which that model is named."""
    url = f"http://127.0.0.1:{endpoint.server_port}/v1"
    return {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none", "GRAPHMEM_LLM": "openai:kites"}


@pytest.fixture
def kites(tmp_path: Path) -> Path:
    return written(tmp_path, "kites.jsonl", jsonl(*TURNS))


def test_a_model_that_is_named_alone_is_not_asked(endpoint: ThreadingHTTPServer, kites: Path, tmp_path: Path) -> None:
    done = run_cli("ingest", kites, "--into", tmp_path / "a.db", "-o", "json", **where(endpoint))
    assert done.returncode == 0, done.stderr
    assert "no model is called, nothing leaves this machine" in done.stderr
    assert json.loads(done.stdout)["calls"] == 0
    assert endpoint.requests == []  # type: ignore[attr-defined]


def test_a_dry_run_tells_what_it_would_take_and_does_nothing(
    endpoint: ThreadingHTTPServer, kites: Path, tmp_path: Path
) -> None:
    store = tmp_path / "a.db"
    done = run_cli("ingest", kites, "--into", store, "--propose", "--dry-run", **where(endpoint))
    assert done.returncode == 0, done.stderr
    assert "openai:kites is asked in at most 3 calls" in done.stderr
    assert "the text of the passages is sent to it" in done.stderr
    assert "caps are 1,000 calls, 2,000,000 tokens" in done.stderr
    told = json.loads(
        run_cli("ingest", kites, "--into", store, "--propose", "--dry-run", "-o", "json", **where(endpoint)).stdout
    )
    assert (told["passages"], told["asking"]["calls"], told["asking"]["passages"]) == (30, 3, 30)
    assert told["asking"]["prompt_tokens"] > told["asking"]["answer_tokens"] > 0
    assert not store.exists()
    assert endpoint.requests == []  # type: ignore[attr-defined]


def test_it_is_asked_after_a_yes_and_counted(endpoint: ThreadingHTTPServer, kites: Path, tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    refused = run_cli("ingest", kites, "--into", store, GRAPHMEM_PROPOSE="1", **where(endpoint))
    assert refused.returncode == 2
    assert "needs a yes" in refused.stderr
    assert "--yes" in refused.stderr
    assert not store.exists()
    assert endpoint.requests == []  # type: ignore[attr-defined]

    done = run_cli("ingest", kites, "--into", store, "--propose", "--yes", "-o", "json", **where(endpoint))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["calls"], report["accepted"], report["refusals"]) == (3, 30, 30)
    sent = sum(len(message["content"]) for request in endpoint.requests for message in request["messages"])  # type: ignore[attr-defined]
    assert report["prompt_chars"] == sent
    assert report["answer_chars"] > 1_000

    again = run_cli("ingest", kites, "--into", store, "--propose", "--yes", "-o", "json", **where(endpoint))
    assert json.loads(again.stdout)["calls"] == 0
    assert len(endpoint.requests) == 3  # type: ignore[attr-defined]


def test_a_cap_ends_the_asking_and_not_the_job(endpoint: ThreadingHTTPServer, kites: Path, tmp_path: Path) -> None:
    arguments = ("ingest", kites, "--into", tmp_path / "a.db", "--propose", "--yes", "--max-calls", "1")
    done = run_cli(*arguments, **where(endpoint))
    assert done.returncode == 0, done.stderr
    assert "caps are 1 calls" in done.stderr
    rows = {
        line.strip("│ ").split("│")[0].strip(): line.split("│")[-2].strip()
        for line in done.stdout.splitlines()
        if "│" in line
    }
    assert (rows["passages"], rows["calls to the model"], rows["proposals accepted"]) == ("30", "1", "12")
    assert rows["proposals refused"] == "13"  # one of each passage asked about, and that 18 were not
    capped = run_cli(*arguments[:-2], GRAPHMEM_CAPS__CALLS="many", **where(endpoint))
    assert capped.returncode == 2
    assert "max-calls" in capped.stderr


@pytest.mark.parametrize("command", [("ingest", "."), ("remember", "Hello there."), ("serve",)])
def test_nobody_to_ask_is_one_clear_error(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run_cli(*command, "--propose", cwd=tmp_path, GRAPHMEM_PORT="0")
    assert done.returncode == 2
    assert "no model is named that could propose" in done.stderr
    assert "--llm" in done.stderr


def test_a_remembered_turn_is_asked_about_when_wanted(endpoint: ThreadingHTTPServer, tmp_path: Path) -> None:
    turn = ("remember", "The canary sings at noon. It eats seeds.", "--store", tmp_path / "a.db")
    assert "proposals" not in run_cli(*turn, **where(endpoint)).stdout
    done = run_cli(*turn, "--propose", **where(endpoint))
    assert "1 proposals accepted, 1 refused" in done.stdout
    assert len(endpoint.requests) == 1  # type: ignore[attr-defined]


def test_a_resumed_job_says_that_it_goes_on_without_proposals(
    endpoint: ThreadingHTTPServer, kites: Path, tmp_path: Path
) -> None:
    store = tmp_path / "a.db"
    broken = written(tmp_path, "broken.jsonl", '{"text": \n')
    begun = run_cli("ingest", kites, broken, "--into", store, "--propose", "--yes", "-o", "json", **where(endpoint))
    assert begun.returncode == 6
    broken.write_text(jsonl({"text": "A late kite flew. It was red."}), encoding="utf-8")
    job = json.loads(begun.stdout)["job"]
    unasked = run_cli("jobs", "resume", job, "--store", store, GRAPHMEM_PROPOSE="1", **where(endpoint))
    assert unasked.returncode == 2
    assert "is asked in at most 4 calls" in unasked.stderr
    assert "needs a yes" in unasked.stderr
    resumed = run_cli("jobs", "resume", job, "--store", store)
    assert resumed.returncode == 0, resumed.stderr
    assert "begun with proposals of openai:kites" in resumed.stderr
    with graphmem.open(str(store)) as memory:
        assert memory.job(job).spec["proposer"] == "openai:kites"
    undone = run_cli("jobs", "undo", job, "--store", store)
    assert undone.returncode == 0, undone.stderr


def test_a_server_asks_for_what_is_remembered_over_graphql(
    endpoint: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in where(endpoint).items():
        monkeypatch.setenv(name, value)
    with served(store=str(tmp_path / "a.db"), propose=True) as url:
        query = 'mutation { remember(text: "The gate is blue. It creaks.") { accepted refusals calls promptChars } }'
        told = post(url, query)["data"]["remember"]
    assert (told["accepted"], told["refusals"], told["calls"]) == (1, 1, 1)
    assert told["promptChars"] > 1_000


def test_which_models_are_asked_a_passage_at_a_time_and_which_stay_here() -> None:
    assert manner_of("moe:smollm2") is manner_of("moe:http://there") is BRIEF
    assert manner_of("openai:gpt-5-mini") is FULL
    with pytest.raises(SettingError):
        manner_of("")
    names = ("moe:smollm2", "moe:http://there", "openai:x")
    assert [stays_here(name) for name in names] == [True, False, False]


def test_the_estimate_of_large_files_goes_by_their_bytes(kites: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = estimate([kites], manner=FULL)
    monkeypatch.setattr("graphmem.ingest.plan.COUNTED_BYTES", 0)
    guessed = estimate([kites], manner=FULL)
    assert (counted.counted, guessed.counted) == (True, False)
    assert counted.asking.calls == 3
    assert 1 <= guessed.asking.calls <= 6
    assert estimate([kites]).asking.calls == 0


# -- the engine of this machine


def test_an_engine_with_random_weights_is_refused_all_along(tmp_path: Path) -> None:
    generator = generator_of(f"moe:{small_store(tmp_path / 'engine')}?budget=50%")
    assert generator is not None
    try:
        proposer = proposer_of(generator, Caps(call_seconds=120))
        plain, memory = twins(tmp_path, proposer)
        turn = "The ferry leaves from Port Linden. It runs twice a day."
        plain.remember(turn, at="2026-05-12", ref="1")
        report = memory.remember(turn, at="2026-05-12", ref="1")
        assert (report.calls, report.accepted, report.refusals) == (1, 0, 1)
        assert (memory.digest(), memory.evidence_digest()) == (plain.digest(), plain.evidence_digest())
        memory.close()
        plain.close()
    finally:
        close(generator)


def test_over_the_whole_sample_a_refused_model_changes_nothing_and_an_honest_one_no_evidence(tmp_path: Path) -> None:
    refused, honest = Proposer(Saying(("No.",))), Proposer(Telling(first_words))
    plain, memory = twins(tmp_path / "refused", refused)
    same, more = twins(tmp_path / "honest", honest)
    reports = [ingest(one, [SAMPLE]) for one in (plain, memory, same, more)]
    assert memory.digest() == plain.digest() == same.digest()
    assert more.evidence_digest() == plain.evidence_digest()
    assert more.digest() != plain.digest()
    assert reports[1].refusals == reports[1].passages > 100
    assert reports[3].accepted > 50
    assert reports[3].calls == reports[1].calls == estimate([SAMPLE], manner=FULL).asking.calls
    assert more.check() == []
    for opened in (plain, memory, same, more):
        opened.close()


def first_words(text: str) -> dict[str, Any]:
    words = text.split()[:4]
    return {"notes": [{"quote": " ".join(words)}], "entities": [{"name": words[0]}]}


def twins(folder: Path, proposer: Any) -> tuple[graphmem.Memory, graphmem.Memory]:
    """Two memories whose ids are the same for the same content, one with a proposer."""
    made = []
    folder.mkdir(exist_ok=True)
    for name, given in (("plain", None), ("asked", proposer)):
        memory = graphmem.open(str(folder / f"{name}.db"), embedder=HashEmbedder())
        memory.store.space("twin", key=b"k" * 32)
        memory.close()
        made.append(graphmem.open(str(folder / f"{name}.db"), space="twin", embedder=HashEmbedder(), proposer=given))
    return made[0], made[1]


@pytest.mark.slow
def test_the_refactorised_smollm2_changes_no_evidence(tmp_path: Path) -> None:
    """Some ten seconds a passage. What it proposes is mostly refused; whatever it is, evidence stays."""
    try:
        store_at("smollm2")
    except NotFound as missing:
        pytest.skip(f"{missing}: `make demo` makes it where there is a network")
    generator = generator_of("moe:smollm2")
    assert generator is not None
    try:
        plain, memory = twins(tmp_path, proposer_of(generator, Caps(call_seconds=300)))
        text = "My cat is called Grace. She came from the shelter in Lund."
        path = written(tmp_path, "talk.jsonl", jsonl({"speaker": "Ada", "text": text}))
        ingest(plain, [path])
        report = ingest(memory, [path])
        assert report.calls == 1
        assert report.accepted + report.refusals >= 1
        assert memory.evidence_digest() == plain.evidence_digest()
        assert memory.check() == []
        if report.accepted == 0:
            assert memory.digest() == plain.digest()
        memory.undo(report.job or "")
        assert memory.counts()["note"] == 0
        memory.close()
        plain.close()
    finally:
        close(generator)
