"""GraphQL over real HTTP: what DESIGN.md asks for, guards and errors included."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib.resources import files

import httpx
import pytest

from graphmem.api.graphql.schema import sdl
from tests.api.fakes import NOTE, OTHER, PASSAGE, SOURCE, TEXT, OneNote
from tests.api.serving import served

DESIGN_QUERY = """
query { answer(question: "Where does Ada live?") {
  text
  citations { marker note { text passages { text start end source { title } } } }
  recall { degraded hits { score path { kind from { id } to { id } } note { text links { edges { node { text } } } } } }
} }
"""


@pytest.fixture(scope="module")
def memory() -> OneNote:
    return OneNote()


@pytest.fixture(scope="module")
def url(memory: OneNote) -> Iterator[str]:
    with served(memory) as url:
        yield url


def post(url: str, query: str, variables: dict | None = None, **headers: str) -> dict:
    reply = httpx.post(f"{url}/graphql", json={"query": query, "variables": variables}, headers=headers, timeout=10)
    return reply.json()


def test_the_query_of_the_design_answers_with_citations_and_paths(url: str) -> None:
    answer = post(url, DESIGN_QUERY)["data"]["answer"]
    assert answer["text"] == "Zurich [1]"
    cited = answer["citations"][0]
    assert cited["marker"] == 1
    assert cited["note"]["passages"] == [{"text": TEXT, "start": 0, "end": 25, "source": {"title": "Letters"}}]
    hit = answer["recall"]["hits"][0]
    assert hit["score"] == 0.75
    assert hit["path"] == [{"kind": "seed:text", "from": None, "to": {"id": PASSAGE.id}}]
    assert hit["note"]["links"]["edges"] == [{"node": {"text": OTHER.text}}]


def test_reflect_tells_steps_and_recall_takes_a_plan(url: str) -> None:
    told = post(url, '{ reflect(question: "x") { stopped steps { question why found { id } } recall { plan } } }')[
        "data"
    ]
    assert told["reflect"]["steps"] == [
        {"question": "Who lives in Zurich?", "why": "it names Zurich", "found": [{"id": PASSAGE.id}]}
    ]
    assert post(url, '{ recall(question: "x", plan: "deep") { plan route } }')["data"]["recall"]["route"] == []
    wrong = post(url, '{ recall(question: "x", plan: "slow") { plan } }')
    assert "no plan is called 'slow'" in wrong["errors"][0]["message"]
    assert "outside 0..32" in post(url, '{ reflect(question: "x", steps: 99) { stopped } }')["errors"][0]["message"]


def test_weights_of_all_paths_sum_to_the_score(url: str) -> None:
    hits = post(url, '{ recall(question: "x") { hits { score paths { weight } } } }')["data"]["recall"]["hits"]
    assert all(sum(path["weight"] for path in hit["paths"]) == pytest.approx(hit["score"]) for hit in hits)


def test_nodes_named_in_many_places_are_read_once(url: str, memory: OneNote) -> None:
    memory.reads.clear()  # three nodes, in eight places
    post(url, '{ recall(question: "x") { hits { paths { steps { to { label kind } from { label } } } } } }')
    assert sum(memory.reads) == 3


def test_a_note_is_found_by_id_with_times_in_the_sources_offset(url: str) -> None:
    note = post(url, f'{{ note(id: "{NOTE.id}") {{ text passages {{ at speaker section }} }} }}')["data"]["note"]
    assert note == {
        "text": NOTE.text,
        "passages": [{"at": "2026-05-12T12:00:00+02:00", "speaker": "Ada", "section": "spring"}],
    }


def test_an_id_that_is_no_note_is_null(url: str) -> None:
    assert post(url, f'{{ note(id: "{SOURCE.id}") {{ text }} }}')["data"] == {"note": None}


def test_remember_is_a_mutation(url: str) -> None:
    reply = post(url, 'mutation { remember(text: "hello") { passageIds notes } }')
    assert reply["data"]["remember"] == {"passageIds": [PASSAGE.id], "notes": 1}


def test_feedback_is_a_mutation(url: str, memory: OneNote) -> None:
    reply = post(url, f'mutation {{ feedback(ids: ["{NOTE.id}"], useful: false) }}')
    assert reply["data"]["feedback"] == 2
    assert memory.judged is False
    reply = post(url, 'mutation { feedback(ids: ["0"]) }')
    assert reply["errors"][0]["extensions"]["code"] == "NOT_FOUND"


def test_stats_counts_what_there_is(url: str) -> None:
    stats = post(url, "{ stats { space counts { name count } } jobs { id } }")["data"]
    assert stats["stats"] == {
        "space": "default",
        "counts": [{"name": "passage", "count": 1}, {"name": "note", "count": 2}],
    }
    assert stats["jobs"] == []


@pytest.mark.parametrize(
    ("question", "code", "retryable"), [("blank", "INPUT_ERROR", False), ("busy", "STORE_BUSY", True)]
)
def test_our_errors_carry_code_and_hint(url: str, question: str, code: str, retryable: bool) -> None:
    error = post(url, f'{{ recall(question: "{question}") {{ support }} }}')["errors"][0]
    assert error["extensions"]["code"] == code
    assert error["extensions"]["hint"]
    assert error["extensions"]["retryable"] is retryable


def test_other_errors_are_masked(url: str) -> None:
    reply = post(url, '{ recall(question: "broken") { support } }')
    assert reply["errors"][0]["extensions"] == {"code": "UNEXPECTED"}
    assert "secret" not in str(reply)


def nested(depth: int) -> str:
    return (
        '{ recall(question: "x") { hits { note '
        + "{ links { edges { node " * depth
        + "{ text }"
        + " } } }" * depth
        + " } } }"
    )


def test_a_query_that_is_too_deep_is_refused(url: str) -> None:
    assert "errors" not in post(url, nested(2))
    error = post(url, nested(9))["errors"][0]
    assert error["extensions"]["code"] == "TOO_LARGE"
    assert "levels" in error["message"]


def test_a_query_that_is_too_wide_is_refused_also_when_fragments_hide_it(url: str) -> None:
    doubling = " ".join(f"fragment f{i} on Query {{ ...f{i + 1} ...f{i + 1} }}" for i in range(60))
    query = "{ ...f0 } " + doubling + ' fragment f60 on Query { recall(question: "x") { support } }'
    error = post(url, query)["errors"][0]
    assert error["extensions"]["code"] == "TOO_LARGE"
    fields = " ".join(f"a{i}: support" for i in range(400))
    assert "fields" in post(url, f'{{ recall(question: "x") {{ {fields} }} }}')["errors"][0]["message"]


def test_too_many_questions_in_one_query_are_refused(url: str) -> None:
    many = " ".join(f'a{i}: recall(question: "x") {{ support }}' for i in range(9))
    assert "questions" in post(url, f"{{ {many} }}")["errors"][0]["message"]


def test_a_query_that_is_too_long_is_refused_before_it_is_parsed(url: str) -> None:
    assert "characters" in post(url, "{ " + "#" * 30_000)["errors"][0]["message"]


def test_too_many_hits_are_refused(url: str) -> None:
    error = post(url, '{ recall(question: "x", limit: 101) { support } }')["errors"][0]
    assert error["extensions"]["code"] == "INPUT_ERROR"


def test_a_fragment_inside_itself_is_an_error_not_a_hang(url: str) -> None:
    assert post(url, "{ ...f } fragment f on Query { ...f stats { space } }")["errors"]


def test_a_get_runs_no_query(url: str) -> None:
    reply = httpx.get(f"{url}/graphql", params={"query": "{ stats { space } }"})
    assert "text/html" in reply.headers["content-type"]


def test_a_form_post_runs_no_query(url: str) -> None:
    reply = httpx.post(f"{url}/graphql", data={"query": "{ stats { space } }"})
    assert reply.status_code >= 400


def test_slow_calls_run_in_threads_and_never_more_than_the_limit() -> None:
    slow = OneNote(pause_s=0.2)
    with served(slow, limits={"threads": 2}) as url:
        threads = [threading.Thread(target=post, args=(url, '{ recall(question: "x") { support } }')) for _ in range(6)]
        for thread in threads:
            thread.start()
        assert httpx.get(f"{url}/static/start.js", timeout=0.5).status_code == 200
        for thread in threads:
            thread.join()
    assert slow.most_running == 2


def test_the_committed_sdl_is_current() -> None:
    committed = (files("graphmem.schema") / "graphmem.graphql").read_text(encoding="utf-8")
    assert committed == sdl(), "run: .venv/bin/python -m graphmem.api.graphql > schema/graphmem.graphql"
