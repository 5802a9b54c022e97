"""An engine as a LangChain chat model: `invoke`, `stream`, chains and agents that need no tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from graphmem.moe_runtime.errors import InputError
from graphmem.moe_runtime.serve.generator import EngineGenerator

ROLES = {"human": "user", "ai": "assistant", "system": "system"}


class ChatEngine(BaseChatModel):
    """`generator` stays the caller's: close it when no model uses it any more. Greedy."""

    generator: Any
    max_tokens: int = 256
    timeout_s: float | None = None

    @property
    def _llm_type(self) -> str:
        return "graphmem-moe"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.generator.name, "max_tokens": self.max_tokens}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = "".join(str(chunk.message.content) for chunk in self._stream(messages, stop, run_manager, **kwargs))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        if kwargs:
            raise InputError(f"{sorted(kwargs)[0]} is not supported by {type(self).__name__}")
        assert isinstance(self.generator, EngineGenerator)
        pieces = self.generator.stream(
            [turn(message) for message in messages],
            deadline_s=self.timeout_s,
            max_new_tokens=self.max_tokens,
            stop=tuple(stop or ()),
        )
        for piece in pieces:
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager is not None:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk


def turn(message: BaseMessage) -> tuple[str, str]:
    if message.type not in ROLES or not isinstance(message.content, str):
        raise InputError(f"a message of type {message.type!r} cannot be given to the model", hint="text only")
    return ROLES[message.type], message.content
