"""The server, with the official openai client: replies, streams, limits, cancellation, and that nothing leaks."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from graphmem.moe_runtime import Engine
from graphmem.moe_runtime.serve import Limits, Scheduler
from graphmem.moe_runtime.serve.sequence import Tail
from graphmem.moe_runtime.training.tiny import byte_tokenizer
from tests.moe_runtime.serving import served, small_store, until

HELLO = [{"role": "user", "content": "Hello"}]
REQUESTS = 500 if os.environ.get("GRAPHMEM_TEST_FULL") else 160


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine.open(small_store(tmp_path_factory.mktemp("small")), budget="50%") as opened:
        yield opened


@pytest.fixture(scope="module")
def url(engine: Engine) -> Iterator[str]:
    with served(engine) as (base, _):
        yield base


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_a_chat_completion_is_what_the_engine_writes(client: openai.OpenAI, engine: Engine) -> None:
    done = client.chat.completions.create(model="small", messages=HELLO, max_tokens=24)
    assert done.choices[0].message.content == engine.generate(HELLO, max_new_tokens=24).text
    assert done.choices[0].finish_reason in ("length", "stop")
    assert done.usage is not None
    assert done.usage.prompt_tokens == len(
        engine.tokenizer.apply_chat_template(HELLO, add_generation_prompt=True)["input_ids"]
    )


def test_a_stream_holds_the_same_text_and_its_usage(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="small", messages=HELLO, max_tokens=24)
    chunks = list(
        client.chat.completions.create(
            model="small", messages=HELLO, max_tokens=24, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].usage == whole.usage


def test_a_text_is_completed(client: openai.OpenAI, engine: Engine) -> None:
    done = client.completions.create(model="small", prompt="def main(", max_tokens=16)
    assert done.choices[0].text == engine.generate("def main(", max_new_tokens=16).text


def test_a_stop_text_ends_the_text_before_it(client: openai.OpenAI) -> None:
    free = client.completions.create(model="small", prompt="def", max_tokens=24).choices[0].text
    stop = free[8:10]
    done = client.completions.create(model="small", prompt="def", max_tokens=24, stop=stop)
    assert done.choices[0].text == free[: free.index(stop)]
    assert done.choices[0].finish_reason == "stop"


def test_one_seed_draws_one_text(client: openai.OpenAI) -> None:
    def drawn(seed: int) -> str:
        return (
            client.completions.create(model="small", prompt="x", max_tokens=16, temperature=1.0, top_p=0.95, seed=seed)
            .choices[0]
            .text
        )

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_models_health_and_metrics_tell_what_is_served(client: openai.OpenAI, url: str) -> None:
    assert [model.id for model in client.models.list()] == ["small"]
    assert client.models.retrieve("small").id == "small"
    assert httpx.get(f"{url}/health").json()["status"] == "ok"
    told = httpx.get(f"{url}/metrics").text
    for name in ("server_active", "server_waiting", "server_finished_total", "engine_hit_total", "engine_miss_total"):
        assert f"\ngraphmem_moe_{name} " in told, name


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": HELLO, "max_tokens": 0}, "max_tokens"),
        ({"messages": HELLO, "temperature": 9}, "temperature"),
        ({"messages": HELLO, "n": 2}, "n"),
        ({"messages": HELLO, "tools": [{"type": "function"}]}, "tools"),
        ({"messages": HELLO, "grammar": "x"}, "grammar"),
        ({"messages": HELLO, "model": "other"}, "model"),
        ({"messages": [{"role": "user", "content": "x" * 9000}]}, None),
    ],
)
def test_a_bad_request_is_one_clear_error(url: str, body: dict[str, object], named: str | None) -> None:
    reply = httpx.post(f"{url}/v1/chat/completions", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == named
    assert reply.json()["error"]["message"]


def test_a_body_that_is_no_json_is_one_clear_error(url: str) -> None:
    reply = httpx.post(f"{url}/v1/completions", content=b"{")
    assert reply.status_code == 400
    assert "JSON" in reply.json()["error"]["message"]


def test_a_full_queue_refuses_with_429_and_lets_in_again_later(engine: Engine) -> None:
    long = {"messages": HELLO, "max_tokens": 1500, "stream": True}
    with served(engine, Limits(active=1, waiting=1)) as (base, scheduler), httpx.Client(timeout=20) as http:
        with http.stream("POST", f"{base}/v1/chat/completions", json=long):
            until(lambda: scheduler.load()["active"] == 1)
            with http.stream("POST", f"{base}/v1/chat/completions", json=long):
                until(lambda: scheduler.load()["waiting"] == 1)
                refused = http.post(f"{base}/v1/chat/completions", json=long)
                assert refused.status_code == 429
                assert refused.headers["retry-after"]
                assert refused.json()["error"]["type"] == "rate_limit_error"
        until(lambda: idle(scheduler))
        assert http.post(f"{base}/v1/chat/completions", json={"messages": HELLO, "max_tokens": 2}).status_code == 200


def test_keys_and_values_are_bounded_by_reservation(engine: Engine) -> None:
    body = {"prompt": "x", "max_tokens": 99, "stream": True}
    with served(engine, Limits(active=8, kv_tokens=250)) as (base, scheduler), httpx.Client(timeout=20) as http:
        streams = [http.stream("POST", f"{base}/v1/completions", json=body) for _ in range(4)]
        for stream in streams:
            stream.__enter__()
        load = scheduler.load()
        assert load["kv_tokens"] <= 250
        for stream in streams:
            stream.__exit__(None, None, None)
        until(lambda: idle(scheduler))


def test_a_client_that_goes_is_cancelled_whether_it_streams_or_not(engine: Engine) -> None:
    long = {"prompt": "x", "max_tokens": 3000}
    with served(engine) as (base, scheduler):
        with httpx.stream("POST", f"{base}/v1/completions", json={**long, "stream": True}, timeout=20) as reply:
            next(reply.iter_lines())
        until(lambda: idle(scheduler))
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{base}/v1/completions", json=long, timeout=0.5)
        until(lambda: idle(scheduler))
        assert scheduler.counts.cancelled == 2
        assert scheduler.counts.finished == 0


# The openai client leaves the generator of a stream that is not read to its end to the collector, which complains when
# its event loop has ended by then.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_sixteen_streams_cancelled_at_random_leak_neither_slots_nor_memory(engine: Engine) -> None:
    limits = Limits(active=4, waiting=10)  # sixteen clients do not fit: some are refused and come again
    with served(engine, limits) as (base, scheduler):
        asyncio.run(many(base, scheduler, REQUESTS // 4))
        until(lambda: idle(scheduler))
        before = anonymous_kib()
        told = asyncio.run(many(base, scheduler, REQUESTS))
        until(lambda: idle(scheduler))
        assert told["finished"] + told["left"] == REQUESTS
        assert min(told.values()) > 0, told
        counts = scheduler.counts
        assert counts.failed == 0
        assert counts.finished + counts.cancelled == REQUESTS + REQUESTS // 4
    assert anonymous_kib() - before < 32 * 1024


async def many(base: str, scheduler: Scheduler, requests: int) -> dict[str, int]:
    """Sixteen clients at once; each stream is read to its end or left after some pieces. What became of them."""
    told = {"finished": 0, "left": 0, "refused": 0}
    draw = random.Random(3)
    plan = iter([(draw.random() < 0.5, draw.randint(1, 6), draw.randint(4, 24)) for _ in range(requests)])

    async def one(client: openai.AsyncOpenAI) -> None:
        for leaves, after, tokens in plan:
            seen = 0
            async with await begun(client, tokens) as stream:
                assert scheduler.load()["waiting"] <= scheduler.limits.waiting
                async for _ in stream:
                    seen += 1
                    if leaves and seen >= after:
                        break
            told["left" if leaves and seen >= after else "finished"] += 1

    async def begun(client: openai.AsyncOpenAI, tokens: int) -> openai.AsyncStream[ChatCompletionChunk]:
        while True:
            try:
                return await client.chat.completions.create(
                    model="small", messages=HELLO, max_tokens=tokens, stream=True, temperature=1.0, seed=tokens
                )
            except openai.RateLimitError:
                told["refused"] += 1
                await asyncio.sleep(0.05)

    async with openai.AsyncOpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0) as client:
        await asyncio.gather(*(one(client) for _ in range(16)))
    return told


def idle(scheduler: Scheduler) -> bool:
    return scheduler.load() == {"active": 0, "waiting": 0, "kv_tokens": 0}


def anonymous_kib() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def test_a_stream_is_server_sent_events_that_end_with_done(url: str) -> None:
    body = {"messages": HELLO, "max_tokens": 3, "stream": True}
    lines = [line for line in httpx.post(f"{url}/v1/chat/completions", json=body).text.split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    assert all(json.loads(line.removeprefix("data: "))["object"] == "chat.completion.chunk" for line in lines[:-1])


def test_characters_of_several_tokens_come_whole() -> None:
    tokenizer = byte_tokenizer()
    tail = Tail(tokenizer, ())
    pieces = [tail.add(byte) for byte in "né 漢\U0001f600!".encode()]
    assert [piece for piece in pieces if piece] == ["n", "é", " ", "漢", "\U0001f600", "!"]
    assert tail.rest() == ""


def test_what_is_no_character_is_shown_in_the_end() -> None:
    tail = Tail(byte_tokenizer(), ())
    shown = "".join(tail.add(byte) for byte in b"a\xff\xfe") + tail.rest()
    assert shown.startswith("a")
    assert "\ufffd" in shown


def test_a_stop_text_is_found_across_pieces_and_its_beginnings_are_let_go() -> None:
    tail = Tail(byte_tokenizer(), ("END", "Q:"))
    said = [tail.add(byte) for byte in b"an E, an EN, an END"]
    assert "".join(said) == "an E, an EN, an "
    assert tail.stopped
