"""The engine as its users meet it: text in, text out, settings, counters, closing."""

from __future__ import annotations

import ctypes
import gc
import mmap
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from graphmem.moe_runtime import Engine
from graphmem.moe_runtime.engine.budget import fits
from graphmem.moe_runtime.engine.load import place
from graphmem.moe_runtime.errors import InputError
from tests.moe_runtime.models import prompt

MESSAGES = [{"role": "user", "content": "Where does Ada live?"}]


@pytest.fixture
def engine(packed: Any):
    _, store = packed("qwen3_moe", torch.bfloat16)
    with Engine.open(store, budget="50%") as opened:
        yield opened


def test_importing_the_package_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, graphmem.moe_runtime; print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_generated_text_is_that_of_transformers(packed: Any, engine: Engine) -> None:
    checkpoint, _ = packed("qwen3_moe", torch.bfloat16)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype="auto", experts_implementation="eager")
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    ids = tokenizer("Ada lives in", return_tensors="pt")["input_ids"]
    wanted = tokenizer.decode(
        model.generate(ids, max_new_tokens=20, do_sample=False)[0, ids.shape[1] :], skip_special_tokens=True
    )
    made = engine.generate("Ada lives in", max_new_tokens=20)
    assert made.text == wanted
    assert made.prompt_tokens == ids.shape[1]
    assert made.finish == ("length" if made.new_tokens == 20 else "stop")
    assert made.stats["hit"] + made.stats["late"] + made.stats["miss"] > 0


def test_streamed_pieces_make_the_generated_text(engine: Engine) -> None:
    wanted = engine.generate(MESSAGES, max_new_tokens=16).text
    assert "".join(engine.stream(MESSAGES, max_new_tokens=16)) == wanted


def test_closing_a_stream_stops_the_generation(engine: Engine) -> None:
    before = engine.stats()["passes"]
    pieces = engine.stream("Ada lives in", max_new_tokens=150)
    next(pieces)
    pieces.close()
    assert engine.stats()["passes"] - before < 140
    assert not [thread for thread in threading.enumerate() if thread.name == "generate"]


def test_an_error_while_streaming_reaches_the_reader_of_the_stream(engine: Engine) -> None:
    engine.close()
    with pytest.raises(InputError, match="closed"):
        list(engine.stream("Ada", max_new_tokens=4))
    engine.close()


def test_a_closed_engine_refuses_every_thread_and_waits_for_none(engine: Engine) -> None:
    engine.close()
    told: list[str] = []

    def ask() -> None:
        try:
            engine.model(prompt(1, 3))
        except InputError as problem:
            told.append(problem.message)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert told == ["the engine is closed"] * 3


def test_closing_waits_for_the_token_that_is_being_made(engine: Engine) -> None:
    pieces = engine.stream("Ada lives in", max_new_tokens=200)
    next(pieces)
    engine.close()
    with pytest.raises(InputError, match="closed"):
        list(pieces)


def test_closing_gives_the_memory_of_the_experts_back(packed: Any) -> None:
    _, store = packed("qwen3_moe", torch.bfloat16)
    opened = Engine.open(store, budget="50%")
    arena = weakref.ref(opened._cache.arena)
    with torch.inference_mode():
        opened.model(prompt(1, 9))
    opened.close()
    gc.collect()
    assert arena() is None


def test_sampling_is_seeded(engine: Engine) -> None:
    first = engine.generate("Ada", max_new_tokens=24, temperature=1.0, top_p=0.9, seed=5).text
    assert engine.generate("Ada", max_new_tokens=24, temperature=1.0, top_p=0.9, seed=5).text == first


def test_generation_ends_after_a_stop_text(engine: Engine) -> None:
    whole = engine.generate("Ada lives in", max_new_tokens=30).text
    stop = whole[3:5]
    assert stop in engine.generate("Ada lives in", max_new_tokens=30, stop=stop).text[:8]


@pytest.mark.parametrize(
    "wrong", [{"max_new_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"temprature": 0.5}], ids=str
)
def test_a_wrong_argument_of_generate_is_an_error(engine: Engine, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        engine.generate("Ada", **wrong)


def test_threads_take_turns_and_get_what_they_would_get_alone(engine: Engine) -> None:
    lengths = (9, 17, 33)
    with torch.inference_mode():
        alone = [engine.model(prompt(1, length)).logits for length in lengths]
    found: dict[int, torch.Tensor] = {}

    def work(number: int) -> None:
        with torch.inference_mode():
            for _ in range(4):
                found[number] = engine.model(prompt(1, lengths[number])).logits

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[number], alone[number]) for number in range(3))


def test_counters_and_memory_are_told(engine: Engine) -> None:
    with torch.inference_mode():
        engine.model(prompt(1, 33))
    stats = engine.stats()
    assert stats["arena_bytes"] <= stats["budget_bytes"] == stats["expert_bytes"] // 2
    assert stats["experts_resident"] <= stats["slots"]
    assert stats["read_bytes"] >= stats["record_bytes"] * stats["miss"]
    assert stats["reader"] in ("direct", "buffered")
    assert 0 <= stats["hit_share"] <= 1


def test_a_budget_of_all_experts_reads_each_once_and_then_guesses_no_more(packed: Any) -> None:
    _, store = packed("qwen3_moe", torch.bfloat16)
    with Engine.open(store, budget="100%", prefetch="next") as engine, torch.inference_mode():
        for length in range(30, 60):
            engine.model(prompt(2, length))
        stats = engine.stats()
        assert stats["experts_resident"] == stats["experts"]
        assert stats["read_bytes"] == stats["expert_bytes"] == stats["arena_bytes"]
        for _ in range(5):
            engine.model(prompt(1, 1))
        after = engine.stats()
    assert after["predicted"] == stats["predicted"]
    assert after["read_bytes"] == stats["read_bytes"]


def test_a_budget_of_all_experts_maps_the_shards_where_so_much_memory_is_not_free(
    packed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, store = packed("qwen3_moe", torch.bfloat16)
    assert fits(1 << 20)
    assert not fits(1 << 60)
    monkeypatch.setattr("graphmem.moe_runtime.engine.engine.fits", lambda _: False)
    with Engine.open(store, budget="100%") as engine:
        assert engine.stats()["reader"] == "mmap"
    with Engine.open(store, budget="50%") as engine:
        assert engine.stats()["reader"] in ("direct", "buffered")


def test_pinned_experts_stay(packed: Any) -> None:
    _, store = packed("qwen3_moe", torch.bfloat16)
    pins = [(0, 1), (3, 2)]
    with Engine.open(store, budget="25%", pins=pins) as engine, torch.inference_mode():
        engine.model(prompt(2, 64))
        for length in range(1, 20):
            engine.model(prompt(1, length))
        assert set(pins) <= set(engine._cache.slots.at)


def resident_share(path: Path) -> float:
    """Share of a file's pages that the page cache holds, without touching them."""
    size = path.stat().st_size
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE) as mapped,
    ):
        pages = -(-size // mmap.PAGESIZE)
        seen = (ctypes.c_ubyte * pages)()
        whole = ctypes.c_char.from_buffer(mapped)
        code = ctypes.CDLL(None, use_errno=True).mincore(ctypes.byref(whole), ctypes.c_size_t(size), seen)
        del whole
        assert code == 0
    return sum(page & 1 for page in seen) / pages


def test_an_offloaded_run_leaves_the_store_out_of_the_page_cache(packed: Any) -> None:
    _, store = packed("qwen3_moe", torch.bfloat16)
    with Engine.open(store, budget="25%") as engine, torch.inference_mode():
        if engine.stats()["reader"] != "direct":
            pytest.skip("this file system has no O_DIRECT")
        for length in (40, 1, 2, 3):
            engine.model(prompt(1, length))
    files = [store / "rest.bin", *(store / "experts").iterdir()]
    cached = sum(resident_share(path) * path.stat().st_size for path in files)
    assert cached <= 0.05 * sum(path.stat().st_size for path in files)


def test_placing_the_model_moves_all_but_the_experts(packed: Any) -> None:
    _, store = packed("qwen3_moe", torch.bfloat16)
    with Engine.open(store) as engine, torch.inference_mode():
        wanted = engine.model(prompt(1, 9)).logits
        place(engine.model, torch.device("cpu"))
        assert torch.equal(engine.model(prompt(1, 9)).logits, wanted)
        on_meta = {name.rpartition(".")[0] for name, value in engine.model.named_parameters() if value.is_meta}
        assert on_meta == {shard.owner for shard in engine.manifest.layers}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_engine_runs_on_a_gpu(packed: Any) -> None:
    checkpoint, store = packed("qwen3_moe", torch.bfloat16)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype="auto", experts_implementation="eager").to("cuda")
    with Engine.open(store, budget="25%", device="cuda") as engine, torch.inference_mode():
        for length in (33, 1, 64):
            ids = prompt(1, length).to("cuda")
            assert torch.equal(engine.model(ids).logits, model(ids).logits)
