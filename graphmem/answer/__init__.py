"""From what was recalled to an answer with citations: extracted by rules, or written by a model and checked."""

from graphmem.answer.base import NOT_IN_MEMORY, Generator
from graphmem.answer.chat import ChatModelGenerator, chat_model
from graphmem.answer.respond import respond

__all__ = ["NOT_IN_MEMORY", "ChatModelGenerator", "Generator", "chat_model", "respond"]
