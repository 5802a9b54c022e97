"""Text in, text out, by transformers' own `generate`."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList, TextStreamer

from graphmem.moe_runtime.errors import InputError

Messages = Sequence[dict[str, str]]
_END = object()


@dataclass(frozen=True, slots=True)
class Generation:
    """`stats` are the cache's counters for this generation. `finish` is `stop` or `length`."""

    text: str
    prompt_tokens: int
    new_tokens: int
    seconds: float
    finish: str
    stats: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Greedy at temperature 0. `stop`: texts after which nothing more is made."""

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise InputError(f"max_new_tokens={self.max_new_tokens} must be at least 1")
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise InputError("temperature must not be negative, and top_p lies between 0 and 1")

    def arguments(self) -> dict[str, Any]:
        if self.temperature == 0:
            return {"max_new_tokens": self.max_new_tokens, "do_sample": False}
        kept = {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p}
        return {"max_new_tokens": self.max_new_tokens, **kept}


def prompt_ids(tokenizer: Any, prompt: str | Messages) -> torch.Tensor:
    """[1, T]. Messages go through the model's chat template; a text is taken as it is."""
    if isinstance(prompt, str):
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    elif tokenizer.chat_template:
        made = tokenizer.apply_chat_template(
            list(prompt), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        ids = made["input_ids"]
    else:
        raise InputError("the model has no chat template", hint="give the prompt as one text")
    if ids.shape[1] == 0:
        raise InputError("the prompt is empty")
    found: torch.Tensor = ids
    return found


class _Until(StoppingCriteria):
    def __init__(self, asked: Callable[[], bool]) -> None:
        self._asked = asked

    def __call__(self, input_ids: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self._asked(), dtype=torch.bool, device=input_ids.device)


def run(model: Any, tokenizer: Any, ids: torch.Tensor, sampling: Sampling, **extra: Any) -> torch.Tensor:
    """The new tokens, [N]."""
    if sampling.seed is not None:
        torch.manual_seed(sampling.seed)
    arguments = sampling.arguments()
    if sampling.stop:
        arguments |= {"stop_strings": list(sampling.stop), "tokenizer": tokenizer}
    ids = ids.to(model.device)
    with torch.inference_mode():
        made = model.generate(ids, attention_mask=torch.ones_like(ids), **arguments, **extra)
    new: torch.Tensor = made[0, ids.shape[1] :]
    return new


def generate(model: Any, tokenizer: Any, prompt: str | Messages, sampling: Sampling) -> Generation:
    began, ids = perf_counter(), prompt_ids(tokenizer, prompt)
    new = run(model, tokenizer, ids, sampling)
    text = str(tokenizer.decode(new, skip_special_tokens=True))
    finish = "length" if len(new) >= sampling.max_new_tokens else "stop"
    return Generation(text, ids.shape[1], len(new), perf_counter() - began, finish)


class _Pieces(TextStreamer):
    """Hands decoded text on as soon as it is whole."""

    def __init__(self, tokenizer: Any, take: Callable[[str], None]) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._take = take

    def on_finalized_text(self, text: str, *_: Any, **__: Any) -> None:
        if text:
            self._take(text)


def stream(model: Any, tokenizer: Any, prompt: str | Messages, sampling: Sampling) -> Iterator[str]:
    """Yields pieces of text. Closing the iterator stops the generation after the token that is being made."""
    ids = prompt_ids(tokenizer, prompt)
    pieces: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stopped = threading.Event()

    def work() -> None:
        try:
            until = StoppingCriteriaList([_Until(stopped.is_set)])
            run(model, tokenizer, ids, sampling, streamer=_Pieces(tokenizer, pieces.put), stopping_criteria=until)
        except BaseException as problem:
            pieces.put(problem)
        finally:
            pieces.put(_END)

    thread = threading.Thread(target=work, name="generate", daemon=True)
    thread.start()
    try:
        while (piece := pieces.get()) is not _END:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        stopped.set()
        thread.join()
