"""graphmem moe, and an engine as what writes answers: from the command line, over GraphQL, over HTTP, in LangChain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphmem
from graphmem.api.engines import EVIDENCE, engine_generator, options_of
from graphmem.api.generators import close, generator_of
from graphmem.errors import InputError, ModelError, NotFound, SettingError
from graphmem.moe_runtime import Engine
from graphmem.moe_runtime.errors import MoeError
from graphmem.moe_runtime.serve.generator import EngineGenerator
from tests.api.conftest import run_cli
from tests.api.serving import served as memory_served
from tests.api.test_graphql import post
from tests.moe_runtime.serving import served, small_store, until

QUESTION = "Where does the ferry to Skerrow leave from?"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed model with random weights: what it writes is bytes without sense, and never evidence."""
    return small_store(tmp_path_factory.mktemp("engine"))


@pytest.fixture
def generator(store: Path) -> Iterator[EngineGenerator]:
    made = EngineGenerator(Engine.open(store, budget="50%"), "small")
    yield made
    made.close()


def test_pack_inspect_and_profile_speak_json(store: Path, tmp_path: Path) -> None:
    packed = run_cli("moe", "pack", store.parent / "checkpoint", tmp_path / "store", "-o", "json")
    assert packed.returncode == 0, packed.stderr
    told = json.loads(run_cli("moe", "inspect", tmp_path / "store", "-o", "json").stdout)
    assert told["experts"] == json.loads(packed.stdout)["experts"] == 16
    assert told["expert_bytes"] == 16 * told["record_bytes"]
    arguments = ("--tokens", "256", "--plot", tmp_path / "plot.svg", "-o", "json")
    profiled = run_cli("moe", "profile", tmp_path / "store", *arguments)
    assert profiled.returncode == 0, profiled.stderr
    profile = json.loads(profiled.stdout)
    assert profile["recommended"] in profile["rows"]
    assert (tmp_path / "plot.svg").read_text(encoding="utf-8").startswith("<svg")


def test_chat_answers_one_question_and_says_what_the_engine_did(store: Path) -> None:
    done = run_cli("moe", "chat", store, "Hello", "--tokens", "8", "--budget", "50%")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "of 16 experts resident" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("pack", "nowhere", "store"), 2, "nowhere"),
        (("inspect", "nowhere"), 3, "no store of experts"),
        (("refactorize", "smollm2"), 3, "models fetch smollm2"),
        (("refactorize", "nowhere"), 2, "say where"),
        (("chat", "smollm2", "Hello"), 3, "refactorize smollm2"),
    ],
)
def test_what_is_missing_is_one_clear_error(arguments: tuple[str, ...], code: int, told: str, tmp_path: Path) -> None:
    done = run_cli("moe", *arguments, cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_an_answer_that_the_model_does_not_bear_out_is_extracted_instead(sample_store: Path, store: Path) -> None:
    done = run_cli("answer", QUESTION, "--generator", f"moe:{store}?budget=50%", "--store", sample_store, "-o", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["found"]
    assert answer["citations"]
    assert any("extracted instead" in remark for remark in answer["degraded"])
    assert "of 16 experts resident" in done.stderr


def test_graphql_answers_from_an_engine_and_a_recall_warms_it(sample_store: Path, store: Path) -> None:
    written = generator_of(f"moe:{store}")
    try:
        with graphmem.open(str(sample_store), generator=written) as memory, memory_served(memory) as url:
            scheduler = written.generator.scheduler  # type: ignore[union-attr]
            assert "errors" not in post(url, f'{{ recall(question: "{QUESTION}") {{ hits {{ score }} }} }}')
            until(lambda: scheduler.counts.finished == EVIDENCE)
            reply = post(url, f'{{ answer(question: "{QUESTION}") {{ text citations {{ marker }} }} }}')
            assert reply["data"]["answer"]["citations"]
            assert scheduler.counts.prompt_tokens > EVIDENCE * 64
    finally:
        close(written)


def test_an_engines_server_is_a_generator_as_well(store: Path) -> None:
    with Engine.open(store, budget="50%") as engine, served(engine) as (url, scheduler):
        remote = engine_generator(url)
        assert "".join(remote.stream((("user", "Hello"),), deadline_s=20.0))
        until(lambda: scheduler.counts.finished == 1)
    with pytest.raises(ModelError, match="no engine answers"):
        engine_generator(url)


def test_a_generator_stops_writing_when_it_is_closed(generator: EngineGenerator) -> None:
    pieces = generator.stream((("user", "Hello"),), deadline_s=None, max_new_tokens=3000)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    until(lambda: generator.scheduler.load() == {"active": 0, "waiting": 0, "kv_tokens": 0})
    assert generator.scheduler.counts.cancelled == 1


def test_a_generator_keeps_its_deadline(generator: EngineGenerator) -> None:
    with pytest.raises(MoeError, match=r"not done within 0\.001 s"):
        list(generator.stream((("user", "Hello"),), deadline_s=0.001, max_new_tokens=3000))


def test_langchain_gets_what_the_engine_writes(generator: EngineGenerator) -> None:
    from langchain_core.messages import HumanMessage, SystemMessage

    from graphmem.moe_runtime.serve.langchain import ChatEngine

    model = ChatEngine(generator=generator, max_tokens=12)
    whole = model.invoke([SystemMessage("Be brief."), HumanMessage("Hello")]).content
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    assert whole == generator.engine.generate(turns, max_new_tokens=12).text  # type: ignore[attr-defined]
    pieces = [chunk.content for chunk in model.stream([SystemMessage("Be brief."), HumanMessage("Hello")])]
    assert "".join(map(str, pieces)) == whole
    assert len(pieces) > 1


def test_an_engine_is_opened_as_its_name_says() -> None:
    assert options_of("budget=50%&policy=lfu&threads=2") == {"budget": "50%", "policy": "lfu", "threads": 2}
    with pytest.raises(SettingError, match="buget"):
        options_of("buget=50%")


def test_a_store_that_is_not_there_says_what_makes_one(tmp_path: Path, store: Path) -> None:
    with pytest.raises(NotFound, match="no store of experts"):
        generator_of(f"moe:{tmp_path}")
    with pytest.raises(InputError, match="policy"):
        generator_of(f"moe:{store}?policy=best")
