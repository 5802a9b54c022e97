"""Who did what, with whom, when and where."""

import pytest

from graphmem.construct.verbs import base_of
from graphmem.schema import ROLES
from tests.construct.world import build, document, told, turn


@pytest.mark.parametrize(
    ("text", "predicate", "roles"),
    [
        (
            "I painted the old boat with Ines yesterday.",
            "paint",
            {"agent": "Ada", "object": "boat", "with": "Ines", "time": "7 May 2023"},
        ),
        ("I've just moved to Lund.", "move", {"agent": "Ada", "place": "Lund"}),
        ("I didn't sell the red boat.", "not sell", {"agent": "Ada", "object": "red boat"}),
        ("We never visited the museum.", "not visit", {"agent": "Ada", "object": "museum"}),
        ("Ines Vega bought a bakery in Lund.", "buy", {"agent": "Ines Vega", "object": "bakery", "place": "Lund"}),
        ("I am planning to adopt a dog.", "plan to adopt", {"agent": "Ada", "object": "dog"}),
        (
            "I started my first pottery class last week.",
            "start",
            {"agent": "Ada", "object": "pottery class", "time": "the week of 1 May 2023"},
        ),
        ("I am a nurse.", "be", {"agent": "Ada", "object": "nurse"}),
        ("I went hiking with my sister.", "go hiking", {"agent": "Ada", "with": "Ada's sister"}),
    ],
)  # fmt: skip
def test_a_clause_becomes_a_relation_with_roles(text: str, predicate: str, roles: dict[str, str]) -> None:
    assert told(build([turn(text)])) == [(predicate, roles)]


@pytest.mark.parametrize(
    "text",
    [
        "Where did I put the boat?",
        "I'm so glad.",
        "The things I love make me happy.",
        "I won't give up, Ines!",
        "Rain again.",
        "She bought a boat.",
    ],
)
def test_what_is_no_plain_statement_gives_none(text: str) -> None:
    assert told(build([turn(text)])) == []


def test_a_document_tells_of_its_subject_by_name_and_by_pronoun() -> None:
    source, passages = document(
        "Ines Vega",
        "Ines Vega (3 May 1900 – 4 June 1970) was a Norwegian film director. She founded a school in Lund in 1931.",
    )
    facts = told(build(passages, source))
    assert ("be born", {"agent": "Ines Vega", "time": "3 May 1900"}) in facts
    assert ("die", {"agent": "Ines Vega", "time": "4 June 1970"}) in facts
    assert ("be", {"agent": "Ines Vega", "object": "film director"}) in facts
    assert ("found", {"agent": "Ines Vega", "object": "school", "place": "Lund", "time": "1931"}) in facts


def test_the_one_who_acts_in_the_passive_is_the_agent() -> None:
    source, passages = document("The Salt Road", "The Salt Road was directed by Ines Vega.")
    assert ("direct", {"object": "Salt Road", "agent": "Ines Vega"}) in [
        (predicate, {role: name.removeprefix("The ") for role, name in roles.items()})
        for predicate, roles in told(build(passages, source))
    ]


def test_members_and_spans_are_sound() -> None:
    passage = turn("I painted the old boat with Ines in Lund last week, and Tom Berg sold the shed.")
    built = build([passage])
    assert built.hyperedges
    for hyperedge in built.hyperedges:
        assert len(hyperedge.members) >= 2
        assert all(member.role in ROLES for member in hyperedge.members)
        (span,) = hyperedge.spans
        assert passage.text[span.start : span.end] == span.quote
        edges = {(edge.type, edge.dst) for edge in built.edges if edge.src == hyperedge.id}
        assert {(member.role, member.node) for member in hyperedge.members} <= edges


@pytest.mark.parametrize(
    ("form", "base"),
    [
        ("went", "go"), ("married", "marry"), ("stopped", "stop"), ("moved", "move"), ("taking", "take"),
        ("flies", "fly"),
        ("recorded", "record"), ("sung", "sing"), ("visits", "visit"), ("lying", "lie"),
        ("table", None), ("happy", None),
    ],
)  # fmt: skip
def test_verbs_have_base_forms(form: str, base: str | None) -> None:
    assert base_of(form) == base
