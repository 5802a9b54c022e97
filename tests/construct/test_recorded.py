"""Replies kept in a file, through a real LangChain chat model: what of them is accepted and what is refused, and why.

`recorded.jsonl` holds one reply a line with the turns it is about; those of SmolLM2 came from the refactorised model,
the others were written by hand in the shapes that larger models answer in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from graphmem.answer import ChatModelGenerator
from graphmem.construct import Constructor, Proposer
from graphmem.schema import LINK_KINDS
from tests.construct.world import build, chat

RECORDED = [
    json.loads(line) for line in (Path(__file__).parent / "recorded.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("recorded", RECORDED, ids=[row["name"] for row in RECORDED])
def test_a_recorded_reply_is_accepted_as_far_as_the_evidence_bears_it_out(recorded: dict[str, Any]) -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage(recorded["reply"])]))
    turns = chat(*((speaker, text) for speaker, text in recorded["turns"]))
    plain = build(turns)
    built = build(turns, constructor=Constructor(Proposer(ChatModelGenerator(model, name="recorded"))))
    made = [note for note in built.notes if note.made_by == "proposer"]
    assert [note.text for note in made] == recorded["notes"]
    assert [edge.predicate for edge in built.hyperedges if edge.made_by == "proposer"] == recorded["predicates"]
    assert [edge.type.name.lower() for edge in built.edges if edge.type in LINK_KINDS] == recorded["links"]
    told = [refusal.reason for refusal in built.refusals]
    assert len(told) == len(recorded["refused"]), told
    for reason, wanted in zip(told, recorded["refused"], strict=True):
        assert wanted in reason, told
    assert [note for note in built.notes if note.made_by == "rules"] == list(plain.notes)
    for note in made:
        (span,) = note.spans
        (passage,) = [turn for turn in turns if turn.id == span.passage]
        assert passage.text[span.start : span.end] == span.quote
