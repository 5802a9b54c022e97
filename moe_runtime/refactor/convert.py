"""Read-ME: a dense Llama or Qwen model becomes a Mixture of Experts, in minutes on a processor.

take the dense model -> gather text -> divide, route and refit each layer -> distil -> write the checkpoint
"""

from __future__ import annotations

import copy
import json
import shutil
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from graphmem.moe_runtime.errors import InputError, ModelError
from graphmem.moe_runtime.refactor.dequantize import gguf_to_folder
from graphmem.moe_runtime.refactor.distill import distilled
from graphmem.moe_runtime.refactor.model import ATTENTION, RefactoredLlamaConfig, RefactoredLlamaForCausalLM, register
from graphmem.moe_runtime.refactor.perplexity import perplexity
from graphmem.moe_runtime.refactor.plan import Plan
from graphmem.moe_runtime.refactor.student import student_of
from graphmem.moe_runtime.refactor.text import calibration, openings, rows_of
from graphmem.moe_runtime.refactor.writing import written

Tick = Callable[[str, float], None]  # what is being done, and the share of it that is done

#: Fields of a dense config that say nothing about the converted model.
DROPPED = ("model_type", "architectures", "transformers_version", "_name_or_path", "_model_name_or_path", "dtype")
REPORT = "refactor.json"
#: Rows of the manual that perplexity is measured on; characters of it that a token has at most.
HELD, CHARS = 8, 6
ABANDONED_S = 86_400


def refactorize(
    source: Path,
    target: Path,
    plan: Plan | None = None,
    *,
    threads: int = 1,
    texts: Sequence[str] = (),
    tick: Tick = lambda *_: None,
) -> dict[str, Any]:
    """Converts a dense model folder or a GGUF file into the checkpoint folder `target`; returns what `refactor.json`
    there says: shares, seconds a step, perplexities. Kept when it is there already. Appears whole or not at all.

    `texts` are further calibration text. Raises InputError for a model that is not dense, Llama-shaped and SwiGLU.
    """
    if (target / REPORT).is_file():
        kept: dict[str, Any] = json.loads((target / REPORT).read_text(encoding="utf-8"))
        return kept
    target.parent.mkdir(parents=True, exist_ok=True)
    forget_abandoned(target.parent)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=".refactor-"))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        with torch.random.fork_rng():
            report = converted(dense_folder(source, work / "dense"), work / "moe", plan or Plan(), texts, tick)
        (work / "moe").replace(target)
        return report
    except OSError as error:
        raise ModelError(f"cannot write the converted model: {error}", source=str(target)) from error
    finally:
        torch.set_num_threads(before)
        shutil.rmtree(work, ignore_errors=True)


def forget_abandoned(folder: Path) -> None:
    """Removes what conversions left behind that were killed more than a day ago."""
    for left in folder.glob(".refactor-*"):
        if time.time() - left.stat().st_mtime > ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)


def dense_folder(source: Path, work: Path) -> Path:
    if source.is_dir():
        return source
    if source.suffix != ".gguf" or not source.is_file():
        raise InputError("is neither a model folder nor a GGUF file", source=str(source))
    try:
        gguf_to_folder(source, work)
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise InputError(f"cannot be read as a GGUF model: {error}", source=str(source)) from error
    return work


def converted(folder: Path, target: Path, plan: Plan, texts: Sequence[str], tick: Tick) -> dict[str, Any]:
    torch.manual_seed(plan.seed)
    began = time.process_time()
    config = config_for(folder, plan)
    clock = Clock(tick)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    dense: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    dense.eval()
    read, trained, held = gathered(dense, tokenizer, plan, texts, clock)
    student = student_of(dense, config, read, plan, clock)
    distilled(student, dense, trained, tick=clock)
    model = exported(student, config)
    report = {
        **asdict(plan),
        "experts_per_layer": config.experts_per_layer,
        "active_share": config.active_share,
        "seconds": clock.seconds,
        "cpu_seconds": round(time.process_time() - began, 1),
        "perplexity_dense": perplexity(dense, held),
        "perplexity": perplexity(model, held),
    }
    model.to(dtype=torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)
    if (folder / "generation_config.json").is_file():
        shutil.copy(folder / "generation_config.json", target)
    (target / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def config_for(folder: Path, plan: Plan) -> RefactoredLlamaConfig:
    """The converted model's config. Widths of experts are multiples of 8, as grouped matrix products want them."""
    try:
        dense = AutoConfig.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"holds no model that transformers knows: {str(error)[:200]}", source=str(folder)) from error
    if dense.model_type not in ATTENTION:
        raise InputError(f"{dense.model_type} is not one of {', '.join(ATTENTION)}", source=str(folder))
    if getattr(dense, "mlp_bias", False) or (set(getattr(dense, "layer_types", None) or ()) - {"full_attention"}):
        raise InputError("feed-forward biases and sliding windows are not supported", source=str(folder))
    width = dense.intermediate_size
    expert = max(8, round(width * (1 - plan.shared) / plan.experts / 8) * 8)
    shared = width - expert * plan.experts
    if shared < 8 or not 0 < plan.active <= plan.experts:
        raise InputError(
            f"{width} neurons cannot become {plan.experts} experts, {plan.active} active, and a shared part"
        )
    fields = {name: value for name, value in dense.to_dict().items() if name not in DROPPED}
    return RefactoredLlamaConfig(
        **fields,
        attention=dense.model_type,
        num_experts=plan.experts,
        num_experts_per_tok=round(plan.active),
        moe_intermediate_size=expert,
        shared_intermediate_size=shared,
    )


def gathered(
    dense: Any, tokenizer: Any, plan: Plan, texts: Sequence[str], tick: Tick
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows [R, length] to fit on, to train on, and to measure by (Python's manual, of which none is trained on)."""
    begun = openings(tokenizer, plan.seed, plan.written)
    own = written(copy.deepcopy(dense).to(torch.bfloat16), tokenizer, begun, plan.written_tokens, tick)
    wanted = max(plan.read_rows, plan.distil_rows)
    manual = rows_of(tokenizer, calibration(plan.seed, CHARS * plan.length * (wanted + HELD)), plan.length)
    mine = rows_of(tokenizer, [*own, *texts], plan.length)
    held, manual = manual[:HELD], manual[HELD:]
    mine = mine[torch.randperm(len(mine))][: wanted * 2 // 3]
    rows = torch.cat([mine, manual[: wanted - len(mine)]])
    rows = rows[torch.randperm(len(rows))]
    return rows[: plan.read_rows], rows[: plan.distil_rows], held


def exported(student: Any, config: RefactoredLlamaConfig) -> Any:
    """The student's weights in the shape that runs."""
    register()
    model = RefactoredLlamaForCausalLM(config)
    blocks = [layer.mlp for layer in student.model.layers]
    rest = {name: value for name, value in student.state_dict().items() if ".mlp." not in name}
    model.load_state_dict(rest, strict=False)
    model.tie_weights()
    for layer, block in zip(model.model.layers, blocks, strict=True):
        block.into(layer.mlp)
    return model.eval()


class Clock:
    """Passes ticks on and adds up the seconds of each step."""

    def __init__(self, tick: Tick) -> None:
        self.seconds: dict[str, float] = {}
        self._tick, self._last = tick, time.perf_counter()

    def __call__(self, what: str, share: float) -> None:
        now = time.perf_counter()
        self.seconds[what] = round(self.seconds.get(what, 0.0) + now - self._last, 1)
        self._last = now
        self._tick(what, share)
