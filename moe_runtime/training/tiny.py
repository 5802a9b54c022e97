"""train-tiny: a byte-level Qwen3-MoE of 3.6 million parameters, about two minutes on one core, the same each time."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from graphmem.moe_runtime.training.corpus import source, talk

Tick = Callable[[str, float], None]  # what is being done, and the share of it that is done

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides the weights, beside the versions of Python and torch."""

    layers: int = 4
    hidden: int = 128
    experts: int = 16
    active: int = 2
    expert_width: int = 128
    steps: int = 260
    rows: int = 8
    length: int = 256
    rate: float = 3e-3
    seed: int = 7
    chars: int = 1_500_000

    def digest(self) -> str:
        import torch

        told = {**asdict(self), "python": sys.version_info[:3], "torch": torch.__version__}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


TINY = Recipe()


def train_tiny(folder: Path, recipe: Recipe = TINY, *, threads: int = 1, tick: Tick = lambda *_: None) -> Path:
    """The checkpoint folder below `folder` that the recipe makes, trained when it is not there.

    The folder appears whole or not at all. One thread by default: with more, sums are taken in another order.
    """
    import torch

    target = folder / f"tiny-moe-{recipe.digest()}"
    if (target / "config.json").is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with threads_set(threads), torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        model, told = trained(recipe, tick)
    work = Path(tempfile.mkdtemp(dir=folder, prefix=".tiny-"))
    try:
        model.save_pretrained(work)
        byte_tokenizer().save_pretrained(work)
        (work / "training.json").write_text(json.dumps({**asdict(recipe), **told}, indent=2) + "\n", encoding="utf-8")
        if not target.exists():
            work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def trained(recipe: Recipe, tick: Tick) -> tuple[Any, dict[str, float]]:
    """The model and its loss in bits a byte, on text that was kept apart."""
    import torch

    model = fresh(recipe)
    rows = rows_of(source(recipe.chars) + talk(recipe.seed, recipe.chars), recipe)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, betas=(0.9, 0.95), weight_decay=0.1)
    order = torch.randperm(len(rows))
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * pace(step, recipe.steps)
        picked = [order[(step * recipe.rows + row) % len(rows)] for row in range(recipe.rows)]
        batch = rows[torch.stack(picked)]
        loss = model(batch, labels=batch, output_router_logits=True, use_cache=False).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        tick("train", (step + 1) / recipe.steps)
    model.eval()
    held = {"code": source(16_384, held_out=True), "talk": talk(recipe.seed + 1, 16_384)}
    return model, {f"bits_per_byte_{name}": bits(model, rows_of(text, recipe)) for name, text in held.items()}


def fresh(recipe: Recipe) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        "qwen3_moe",
        vocab_size=len(byte_tokenizer()),
        hidden_size=recipe.hidden,
        num_hidden_layers=recipe.layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=recipe.hidden // 4,
        intermediate_size=2 * recipe.hidden,
        moe_intermediate_size=recipe.expert_width,
        num_experts=recipe.experts,
        num_experts_per_tok=recipe.active,
        norm_topk_prob=True,
        decoder_sparse_step=1,
        router_aux_loss_coef=0.01,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=256,
        eos_token_id=256,
        pad_token_id=256,
    )
    return AutoModelForCausalLM.from_config(config, experts_implementation="eager")


def rows_of(text: str, recipe: Recipe) -> Any:
    import torch

    ids = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8).long()
    return ids[: len(ids) // recipe.length * recipe.length].view(-1, recipe.length)


def bits(model: Any, rows: Any) -> float:
    """Loss in bits a byte."""
    import torch

    with torch.no_grad():
        losses = [float(model(row, labels=row, use_cache=False).loss) for row in rows.split(8)]
    return sum(losses) / len(losses) / math.log(2)


def pace(step: int, steps: int) -> float:
    """The learning rate's course: a short rise, then a cosine to a tenth."""
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def byte_tokenizer() -> Any:
    """Token i is the byte i, 256 is the end; with a chat template of plain lines."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE({char: byte for byte, char in enumerate(byte_characters())}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken("<|end|>", special=True)])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|end|>", pad_token="<|end|>", chat_template=TEMPLATE
    )


def byte_characters() -> list[str]:
    """The character by which byte-level tokenizers write each byte: itself where it prints, else one above U+00FF."""
    prints = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    above = iter(range(256))
    return [chr(byte) if byte in prints else chr(256 + next(above)) for byte in range(256)]


@contextmanager
def threads_set(threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
