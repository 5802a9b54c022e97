"""Runs a transformers model on given tokens and takes the time: decoding is teacher-forced, see `text_tokens`."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from transformers.cache_utils import DynamicCache

from graphmem.moe_runtime.engine.arena import anonymous, touch
from graphmem.moe_runtime.store.format import Manifest


class Decoder:
    """One sequence, one token a step. Begins a new context after `context` tokens, so that attention stays small."""

    def __init__(self, model: Any, tokens: list[int], context: int = 256) -> None:
        self._model, self._tokens, self._context = model, tokens, context
        self._at = 0
        self._past: Any = None

    def seconds(self, count: int) -> float:
        began = perf_counter()
        with torch.inference_mode():
            for _ in range(count):
                if self._past is None or self._past.get_seq_length() >= self._context:
                    self._past = DynamicCache(config=self._model.config)
                ids = torch.tensor([[self._tokens[self._at % len(self._tokens)]]])
                self._model(ids, cache=self._past, use_cache=True, logits_to_keep=1)
                self._at += 1
        return perf_counter() - began


def prefill_seconds(model: Any, tokens: list[int]) -> float:
    """One forward pass over the prompt, as `generate` makes it: logits of the last token only."""
    began = perf_counter()
    with torch.inference_mode():
        model(torch.tensor([tokens]), use_cache=True, logits_to_keep=1)
    return perf_counter() - began


def bandwidth(store: Path, manifest: Manifest, readers: int, seconds: float, seed: int = 0) -> float:
    """Bytes a second that O_DIRECT reads of whole records bring, in random order, by `readers` threads: what the disk
    can give the engine. Without O_DIRECT, buffered reads of pages that were dropped."""
    pages = anonymous(readers * 4 * manifest.record_bytes)
    touch(pages, 0, len(pages))
    memory = memoryview(pages)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(manifest.experts, generator=generator).tolist()
    places = [(shard, record) for shard in manifest.layers for record in range(shard.records)]
    until, totals = perf_counter() + seconds, [0] * readers

    def work(number: int) -> None:
        turn, files = 0, dict[str, int]()
        while perf_counter() < until:
            shard, record = places[order[(turn * readers + number) % len(order)]]
            if shard.file not in files:
                files[shard.file] = os.open(store / shard.file, os.O_RDONLY | getattr(os, "O_DIRECT", 0))
            start = (number * 4 + turn % 4) * manifest.record_bytes
            got = os.preadv(files[shard.file], [memory[start : start + shard.record_bytes]], shard.offset(record))
            totals[number] += got
            turn += 1
        for descriptor in files.values():
            os.close(descriptor)

    began = perf_counter()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(totals) / (perf_counter() - began)
