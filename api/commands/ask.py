"""remember, recall, reflect, answer, feedback: one turn in, one question out, one word on what came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from graphmem.api.commands.options import (
    SPACE,
    STORE,
    Format,
    Llm,
    Output,
    Propose,
    Space,
    Store,
    from_stdin,
    nodes_of,
    open_memory,
)
from graphmem.api.generators import generating, proposing
from graphmem.api.terminal import console, note, print_json, printable, say
from graphmem.api.wire import answer_json, ids_of, recall_json, reflection_json, report_json

if TYPE_CHECKING:
    from graphmem.memory import Memory
    from graphmem.schema import Answer

Question = Annotated[str, typer.Argument(help="What you want to know; `-` reads standard input.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many hits at most.")]
Deadline = Annotated[float | None, typer.Option("--deadline", min=0.001, help="Seconds it may take.")]
Plan = Annotated[str, typer.Option(help="fast, balanced, deep, or routed: as deep as a judge finds it needs.")]
Now = Annotated[str | None, typer.Option("--now", help="The date of asking, ISO 8601; today when not given.")]


def remember(
    text: Annotated[str, typer.Argument(help="What to remember; `-` reads standard input.")],
    *,
    speaker: Annotated[str | None, typer.Option(help="Who said it.")] = None,
    at: Annotated[str | None, typer.Option(help="When, ISO 8601; now when not given.")] = None,
    session: Annotated[str | None, typer.Option(help="The session of the conversation it belongs to.")] = None,
    source: Annotated[str, typer.Option(help="The conversation it belongs to.")] = "conversation",
    ref: Annotated[str | None, typer.Option(help="Your own id: the same id and text again change nothing.")] = None,
    propose: Propose = False,
    llm: Llm = "",
    store: Store = STORE,
    space: Space = SPACE,
    output: Format = Output.TEXT,
) -> None:
    """Remember one turn. The next recall finds it."""
    with (
        proposing(llm, wanted=propose) as proposer,
        open_memory(store, space, existing=False, proposer=proposer) as memory,
    ):
        done = memory.remember(from_stdin(text), speaker=speaker, at=at, session=session, source=source, ref=ref)
    if output is Output.JSON:
        print_json(report_json(done))
    elif done.passages == 0:
        say("nothing new: it is remembered already")
    else:
        asked = f"; {done.accepted} proposals accepted, {done.refusals} refused" if propose else ""
        say(f"remembered {done.passage_ids[0]}: {done.notes} notes, {done.entities} new names{asked}")


def recall(
    question: Question,
    *,
    limit: Limit = 10,
    explain: Annotated[bool, typer.Option("--explain", help="Show the paths that led to each hit.")] = False,
    deadline: Deadline = None,
    tokens: Annotated[int | None, typer.Option("--tokens", min=1, help="Tokens of text at most.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the paths, to look at them in Neo4j Browser.")] = False,
    plan: Plan = "balanced",
    now: Now = None,
    store: Store = STORE,
    space: Space = SPACE,
    output: Format = Output.TEXT,
) -> None:
    """Find what memory holds on a question. "nothing found" is a result, with exit code 0."""
    from graphmem.api.explain import show_recall
    from graphmem.recall import plan_named

    with open_memory(store, space, read_only=not keep) as memory:
        found = memory.recall(
            from_stdin(question),
            limit=limit,
            plan=plan_named(plan),
            deadline_s=deadline,
            token_budget=tokens,
            now=now,
        )
        nodes = nodes_of(memory, ids_of(found))
        if keep:
            memory.keep(found)
    if output is Output.JSON:
        print_json(recall_json(found, nodes))
    else:
        show_recall(console(), found, nodes, explain=explain)
        for line in found.route:
            note(f"route: {line}")
    if keep:
        note('kept: the saved query "Why was this found?" of `graphmem browser` shows it')


def reflect(
    question: Question,
    *,
    limit: Limit = 10,
    steps: Annotated[int, typer.Option(min=0, help="Sub-questions it may ask.")] = 8,
    deadline: Deadline = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what was found, as hyperedges and a summary note.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show the paths that led to each hit.")] = False,
    now: Now = None,
    llm: Llm = "",
    store: Store = STORE,
    space: Space = SPACE,
    output: Format = Output.TEXT,
) -> None:
    """Work on a question in steps, each about what was found before. `jobs undo` takes back what was kept."""
    from graphmem.api.explain import show_recall, show_steps
    from graphmem.schema import Budget

    budget = Budget(steps=steps, seconds=deadline)
    with generating(llm) as generator, open_memory(store, space, read_only=not keep, generator=generator) as memory:
        done = memory.reflect(from_stdin(question), budget=budget, limit=limit, now=now, keep=keep)
        nodes = nodes_of(memory, ids_of(done.recall))
    if output is Output.JSON:
        print_json(reflection_json(done, nodes))
    else:
        show_steps(console(), done)
        show_recall(console(), done.recall, nodes, explain=explain)
    if keep:
        note(f"kept as job {done.job}" if done.job else "nothing new to keep")


def answer(
    question: Question,
    *,
    stream: Annotated[bool, typer.Option("--stream", help="Write the text as it comes.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show how the evidence was found.")] = False,
    limit: Limit = 10,
    deadline: Deadline = None,
    now: Now = None,
    llm: Llm = "",
    store: Store = STORE,
    space: Space = SPACE,
    output: Format = Output.TEXT,
) -> None:
    """Answer a question from memory, with citations. "not in memory" is an answer, with exit code 0."""
    from graphmem.api.explain import show_answer, show_evidence

    streaming = stream and output is Output.TEXT
    with generating(llm) as generator, open_memory(store, space, generator=generator) as memory:
        given = run_answer(memory, from_stdin(question), limit=limit, now=now, deadline=deadline, streaming=streaming)
        nodes = nodes_of(memory, ids_of(given.recall) | {c.passage.source for c in given.citations})
        told = engine_told(generator)
    if output is Output.JSON:
        print_json(answer_json(given, nodes))
    else:
        screen = console()
        show_answer(screen, given, nodes, text_shown=streaming)
        if explain:
            screen.print()
            show_evidence(screen, given, nodes)
    if told:
        note(f"engine: {told}")


def engine_told(generator: object) -> str:
    """What an engine of this process did; "" for other generators."""
    stats = getattr(generator, "stats", None)
    if stats is None:
        return ""
    from graphmem.api.engines import told

    return told(stats())


def run_answer(
    memory: Memory, question: str, *, limit: int, now: str | None, deadline: float | None, streaming: bool
) -> Answer:
    """Steps the answer's generator, writing each piece at once when `streaming`."""
    pieces = memory.stream(question, limit=limit, now=now, deadline_s=deadline)
    try:
        while True:
            piece = next(pieces)
            if streaming:
                print(printable(piece), end="", flush=True)
    except StopIteration as stop:
        if streaming:
            print()
        given: Answer = stop.value
        return given
    finally:
        pieces.close()


def feedback(
    ids: Annotated[list[str], typer.Argument(help="Notes and passages that a recall or an answer named.")],
    *,
    useful: Annotated[bool, typer.Option("--useful/--not-useful", help="Whether they were of use.")] = True,
    store: Store = STORE,
    space: Space = SPACE,
) -> None:
    """Say that notes were of use, or of none: the first are forgotten more slowly, the others faster."""
    with open_memory(store, space) as memory:
        counted = memory.feedback(ids, useful=useful)
    say(f"counted for {counted} objects")
