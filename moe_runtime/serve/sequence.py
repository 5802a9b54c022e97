"""One text that is being written: its tokens, its cache of keys and values, and what may be shown of it so far."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Any

#: Prompt tokens in one step: what the others wait for at most.
CHUNK = 256
#: Tokens that one character takes at most, with room.
LONGEST = 8


@dataclass(frozen=True, slots=True)
class Request:
    """What to write. `temperature` 0 takes the likeliest token; `top_p` is the share of probability to draw from."""

    prompt: tuple[int, ...]
    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()

    @property
    def kv_tokens(self) -> int:
        """Tokens whose keys and values it may come to hold."""
        return len(self.prompt) + self.max_new_tokens


class Writing:
    """Steps a model through one request. Not safe to share: one thread steps it."""

    def __init__(self, request: Request, tokenizer: Any, ends: frozenset[int]) -> None:
        self.request, self.ends = request, ends
        self.finish = ""  # "stop" or "length" when it is done
        self.written: list[int] = []
        self._read = 0
        self._cache: Any = None
        self._tail = Tail(tokenizer, request.stop)
        self._draw: Any = None

    def step(self, model: Any) -> str:
        """One forward pass: a chunk of the prompt, or one token. Returns the text that may be shown since."""
        logits = self._forward(model)
        if self._read < len(self.request.prompt):
            return ""
        token = self._chosen(logits)
        if token in self.ends:
            return self._finished("stop")
        self.written.append(token)
        piece = self._tail.add(token)
        if self._tail.stopped:
            self.finish = "stop"
            self._cache = None
        elif len(self.written) >= self.request.max_new_tokens:
            return piece + self._finished("length")
        return piece

    def _finished(self, why: str) -> str:
        self.finish = why
        self._cache = None
        return self._tail.rest()

    def _forward(self, model: Any) -> Any:
        import torch
        from transformers import DynamicCache

        if self._cache is None:
            self._cache = DynamicCache(config=model.config)
        prompt = self.request.prompt
        if self._read < len(prompt):
            ids = prompt[self._read : self._read + CHUNK]
            self._read += len(ids)
        else:
            ids = (self.written[-1],)
        with torch.inference_mode():
            out = model(input_ids=torch.tensor([ids]), cache=self._cache, use_cache=True, logits_to_keep=1)
        return out.logits[0, -1].float()

    def _chosen(self, logits: Any) -> int:
        import torch

        if self.request.temperature <= 0:
            return int(logits.argmax())
        if self._draw is None:
            self._draw = torch.Generator()
            self._draw.manual_seed(self.request.seed if self.request.seed is not None else torch.seed() % 2**63)
        chances, order = torch.softmax(logits / self.request.temperature, dim=-1).sort(descending=True)
        kept = chances * (chances.cumsum(0) - chances < self.request.top_p)
        return int(order[torch.multinomial(kept, 1, generator=self._draw)])


class Tail:
    """Text from tokens as they come: whole characters only, and nothing that may become a stop string.

    Tokens are decoded behind those of the piece before: tokenizers write a token at a text's beginning differently.
    """

    def __init__(self, tokenizer: Any, stop: Items[str]) -> None:
        self.tokenizer, self.stop = tokenizer, stop
        self.stopped = False
        self._ids: list[int] = []  # of the piece before, and those not shown yet
        self._shown = 0  # how many of them are shown
        self._held = ""

    def add(self, token: int) -> str:
        self._ids.append(token)
        fresh = self._fresh()
        if fresh.endswith("\ufffd") and len(self._ids) - self._shown < LONGEST:
            return ""  # half a character: the rest comes with the next token
        self._ids = self._ids[self._shown :]
        self._shown = len(self._ids)
        return self._passed(fresh)

    def rest(self) -> str:
        """What was held back, when nothing more comes."""
        text = self._held + self._fresh()
        self._held, self._ids, self._shown = "", [], 0
        return text

    def _fresh(self) -> str:
        before: str = self.tokenizer.decode(self._ids[: self._shown], skip_special_tokens=True)
        whole: str = self.tokenizer.decode(self._ids, skip_special_tokens=True)
        return whole[len(before) :]

    def _passed(self, fresh: str) -> str:
        text = self._held + fresh
        ends = [at for word in self.stop if (at := text.find(word)) >= 0]
        if ends:
            self.stopped, self._held = True, ""
            return text[: min(ends)]
        keep = max((overlap(text, word) for word in self.stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def overlap(text: str, word: str) -> int:
    """Length of the longest end of `text` that begins `word`."""
    return next((size for size in range(min(len(text), len(word) - 1), 0, -1) if text.endswith(word[:size])), 0)
