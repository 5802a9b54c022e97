"""OpenAI's request and reply bodies, as far as they are served. What is not served is an error, never ignored."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from graphmem.moe_runtime.errors import InputError
from graphmem.moe_runtime.serve.sequence import Request

Kind = Literal["chat.completion", "text_completion"]

#: Fields that are understood; those in HARMLESS are accepted with the value that changes nothing.
UNDERSTOOD = {"model", "messages", "prompt", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed"}
UNDERSTOOD |= {"stop", "stream", "stream_options", "user", "metadata"}
HARMLESS: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "echo": (False,),
    "logprobs": (False, 0),
    "top_logprobs": (0,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "tools": ([],),
    "response_format": ({"type": "text"},),
    "store": (False,),
}
ROLES = ("system", "developer", "user", "assistant")
#: Tokens written when the request names no limit, and the most that it may name.
DEFAULT_TOKENS, MOST_TOKENS = 256, 4096
MAX_STOPS, MAX_MESSAGES = 4, 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked request: what to write, and how the reply is to come."""

    request: Request
    stream: bool
    usage: bool


def chat_request(body: Mapping[str, Any], tokenizer: Any) -> Asked:
    """Raises InputError, with the name of the field as `position`."""
    checked(body)
    messages = body.get("messages")
    if not isinstance(messages, list) or not 0 < len(messages) <= MAX_MESSAGES:
        raise bad("messages", f"must be a list of 1 to {MAX_MESSAGES} messages")
    turns = [turn(message, index) for index, message in enumerate(messages)]
    if not tokenizer.chat_template:
        raise InputError("the model has no chat template", hint="use /v1/completions")
    try:
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)["input_ids"]
    except Exception as error:  # templates raise errors of their own for an order of roles that they do not know
        raise bad("messages", f"do not fit the model's chat template: {str(error)[:200]}") from error
    return asked(body, ids)


def text_request(body: Mapping[str, Any], tokenizer: Any) -> Asked:
    checked(body)
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, list) and prompt and all(type(token) is int for token in prompt):
        if not all(0 <= token < len(tokenizer) for token in prompt):
            raise bad("prompt", "holds a token that the model does not have")
        return asked(body, prompt)
    if not isinstance(prompt, str) or not prompt:
        raise bad("prompt", "must be one text, or one list of token ids")
    return asked(body, tokenizer(prompt)["input_ids"])


def asked(body: Mapping[str, Any], ids: list[int]) -> Asked:
    tokens = body.get("max_completion_tokens")
    tokens = body.get("max_tokens") if tokens is None else tokens
    seed = body.get("seed")
    if seed is not None and type(seed) is not int:
        raise bad("seed", "must be a whole number")
    request = Request(
        prompt=tuple(ids),
        max_new_tokens=int(number(tokens, "max_tokens", DEFAULT_TOKENS, 1, MOST_TOKENS, whole=True)),
        temperature=number(body.get("temperature"), "temperature", 0.0, 0.0, 2.0),
        top_p=number(body.get("top_p"), "top_p", 1.0, 0.0, 1.0),
        seed=None if seed is None else seed % 2**63,
        stop=stops(body.get("stop")),
    )
    options = body.get("stream_options") or {}
    stream = body.get("stream") or False
    if type(stream) is not bool or not isinstance(options, Mapping):
        raise bad("stream", "must be true or false, and stream_options an object")
    return Asked(request, stream, bool(options.get("include_usage")))


def checked(body: Mapping[str, Any]) -> None:
    """Raises InputError for a field that would be ignored."""
    for name, value in body.items():
        if name in UNDERSTOOD or value is None or value in HARMLESS.get(name, ()):
            continue
        raise bad(name, "is not supported" + (" with this value" if name in HARMLESS else ""))


def turn(message: Any, index: int) -> dict[str, str]:
    if not isinstance(message, Mapping) or message.get("role") not in ROLES:
        raise bad(f"messages[{index}].role", f"must be one of {', '.join(ROLES)}")
    content = message.get("content")
    if isinstance(content, list):
        if not all(isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in content):
            raise bad(f"messages[{index}].content", "may hold text only")
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise bad(f"messages[{index}].content", "must be a text")
    role = "system" if message["role"] == "developer" else message["role"]
    return {"role": role, "content": content}


def stops(given: Any) -> tuple[str, ...]:
    found = (given,) if isinstance(given, str) else tuple(given or ())
    if len(found) > MAX_STOPS or not all(isinstance(one, str) and one for one in found):
        raise bad("stop", f"must be a text or at most {MAX_STOPS} of them")
    return found


def number(given: Any, name: str, default: float, least: float, most: float, *, whole: bool = False) -> float:
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int if whole else int | float) or not least <= given <= most:
        raise bad(name, f"must be a {'whole ' if whole else ''}number from {least:g} to {most:g}")
    return float(given)


def bad(name: str, what: str) -> InputError:
    return InputError(f"{name} {what}", position=name)


class Reply:
    """Bodies of one reply, streamed or whole."""

    def __init__(self, kind: Kind, model: str, prompt_tokens: int) -> None:
        self.kind, self.model, self.prompt_tokens = kind, model, prompt_tokens
        self.id = ("chatcmpl-" if kind == "chat.completion" else "cmpl-") + uuid.uuid4().hex
        self.created = int(time.time())

    def whole(self, text: str, finish: str, tokens: int) -> dict[str, Any]:
        if self.kind == "chat.completion":
            choice: dict[str, Any] = {"message": {"role": "assistant", "content": text}}
        else:
            choice = {"text": text}
        choice |= {"index": 0, "finish_reason": finish, "logprobs": None}
        return {**self._head(self.kind), "choices": [choice], "usage": self.usage(tokens)}

    def chunk(self, text: str, finish: str | None = None, *, first: bool = False) -> dict[str, Any]:
        if self.kind == "chat.completion":
            delta = {"role": "assistant", "content": text} if first else {"content": text} if text else {}
            choice: dict[str, Any] = {"delta": delta}
        else:
            choice = {"text": text}
        choice |= {"index": 0, "finish_reason": finish, "logprobs": None}
        return {**self._head(self._chunk_kind()), "choices": [choice]}

    def closing_usage(self, tokens: int) -> dict[str, Any]:
        return {**self._head(self._chunk_kind()), "choices": [], "usage": self.usage(tokens)}

    def usage(self, tokens: int) -> dict[str, int]:
        total = self.prompt_tokens + tokens
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": tokens, "total_tokens": total}

    def _chunk_kind(self) -> str:
        return "chat.completion.chunk" if self.kind == "chat.completion" else "text_completion"

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def failure(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
