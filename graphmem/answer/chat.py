"""Any LangChain chat model as a generator. LangChain is imported when a model is asked for, not before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphmem.answer.base import Prompt
from graphmem.errors import GraphmemError, ModelError, SettingError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

HINT = 'name a model as LangChain does, for example GRAPHMEM_LLM="openai:gpt-5-mini", and install its integration'


class ChatModelGenerator:
    """Streams from a chat model. Whatever the model raises comes out as ModelError."""

    def __init__(self, model: BaseChatModel, *, name: str = "") -> None:
        self._model = model
        self.name = name or str(getattr(model, "model_name", "") or model._llm_type)

    def stream(self, prompt: Prompt, *, deadline_s: float | None) -> Iterator[str]:
        """`deadline_s` is kept by the caller: chat models have no common way to bound a stream."""
        del deadline_s
        try:
            for chunk in self._model.stream([(role, text) for role, text in prompt]):
                if piece := _text(chunk):
                    yield piece
        except GraphmemError:
            raise
        except Exception as error:  # integrations raise their vendors' errors, which share no base
            raise ModelError(f"{self.name} failed: {type(error).__name__}: {str(error)[:200]}", hint=HINT) from error


def chat_model(name: str, **options: Any) -> ChatModelGenerator:
    """The generator for a model named as LangChain's `init_chat_model` names it ("provider:model"). Endpoints and keys
    come from the provider's own environment, OPENAI_BASE_URL and OPENAI_API_KEY among them."""
    from langchain.chat_models import init_chat_model

    try:
        model = init_chat_model(name, **options)
    except Exception as error:  # a missing integration, a missing key, an unknown provider: no common base
        raise SettingError(f"cannot make the chat model {name!r}: {str(error)[:300]}", hint=HINT) from error
    return ChatModelGenerator(model, name=name)


def _text(chunk: Any) -> str:
    """The text of a message chunk: content may be a string, or blocks of which only text is an answer."""
    content = chunk.content
    if isinstance(content, str):
        return content
    return "".join(
        block if isinstance(block, str) else str(block.get("text", "")) if block.get("type") == "text" else ""
        for block in content
    )
