"""An engine as what writes answers: role and text pairs in, pieces of text out, within a deadline, closable."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from graphmem.moe_runtime.errors import MoeError
from graphmem.moe_runtime.serve.scheduler import Limits, Piece, Scheduler, Served
from graphmem.moe_runtime.serve.sequence import Request

#: Tokens of an answer: a few sentences.
ANSWER_TOKENS = 160
DEADLINE_S = 600.0


class EngineGenerator:
    """Owns the engine and closes it. Safe to share between threads: those who ask at once are written in turn."""

    def __init__(self, engine: Served, name: str, limits: Limits | None = None) -> None:
        self.engine, self.name = engine, name
        self.scheduler = Scheduler(engine, limits)

    def stream(
        self,
        prompt: Sequence[tuple[str, str]],
        *,
        deadline_s: float | None = None,
        max_new_tokens: int = ANSWER_TOKENS,
        stop: tuple[str, ...] = (),
    ) -> Iterator[str]:
        """Stops writing when it is closed. Raises MoeError when the engine fails, the queue is full or time is up."""
        pieces: SimpleQueue[Piece] = SimpleQueue()
        ticket = self.scheduler.submit(Request(self.tokens(prompt), max_new_tokens, stop=stop), pieces.put)
        limit_s = DEADLINE_S if deadline_s is None else deadline_s
        ends = time.monotonic() + limit_s
        try:
            while True:
                try:
                    piece = pieces.get(timeout=max(0.0, ends - time.monotonic()))
                except Empty:
                    raise MoeError(f"{self.name} was not done within {limit_s:g} s") from None
                if piece.text:
                    yield piece.text
                if piece.finish in ("error", "cancelled"):
                    raise MoeError(piece.error or f"{self.name} is closing")
                if piece.finish:
                    return
        finally:
            self.scheduler.cancel(ticket)

    def warm(self, texts: Sequence[str], *, max_tokens: int = 64) -> None:
        """Reads the beginnings of texts that are about to be asked about, one step each and behind whatever is being
        written: their experts are then in the cache. Nothing is waited for; a full queue is no error."""
        for text in texts:
            ids = self.engine.tokenizer(text)["input_ids"][:max_tokens]
            try:
                self.scheduler.submit(Request(tuple(ids), 1), lambda _: None)
            except MoeError:
                return

    def tokens(self, prompt: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        """The prompt as the model's chat template writes it; plain lines where it has none."""
        tokenizer = self.engine.tokenizer
        if tokenizer.chat_template:
            turns = [{"role": role, "content": text} for role, text in prompt]
            return tuple(
                tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)["input_ids"]
            )
        text = "".join(f"{role}: {text}\n" for role, text in prompt) + "assistant: "
        return tuple(tokenizer(text)["input_ids"])

    def stats(self) -> dict[str, Any]:
        return dict(self.engine.stats())

    def close(self) -> None:
        self.scheduler.close()
        close = getattr(self.engine, "close", None)
        if close is not None:
            close()
