"""How answers were found, drawn for a terminal: hits, the tree of paths behind each, citations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphmem.api.terminal import one_line, printable
from graphmem.api.wire import Nodes, iso
from graphmem.schema import (
    Answer,
    Citation,
    Entity,
    Hit,
    Hyperedge,
    Id,
    Node,
    Note,
    Passage,
    Path,
    Recall,
    Reflection,
    Section,
    Source,
    Step,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

#: Paths drawn for a hit; the rest are summed up in one line, so that the weights still add up to the score.
PATHS_SHOWN = 4
LABEL_CHARS = 72


def show_recall(console: Console, recall: Recall, nodes: Nodes, *, explain: bool) -> None:
    """Hits best first, each with where it stands, and with its paths when asked."""
    if not recall.hits:
        console.print("nothing found")
    for rank, hit in enumerate(recall.hits, 1):
        console.print(tree(rank, hit, nodes) if explain else summary(rank, hit, nodes), soft_wrap=not explain)
    show_derived(console, recall.derived)
    show_degraded(console, recall.degraded)


def show_derived(console: Console, derived: tuple[Hit, ...]) -> None:
    """What was made of the evidence by organising, apart from the evidence."""
    if derived:
        console.print(text(("inferred from it", "bold")))
    for hit in derived:
        words = " ".join(printable(hit.note.text).split())
        console.print(
            text((f"    {hit.score:.3f} ", "cyan"), (f"{hit.note.kind}: ", "yellow"), (words, "")), soft_wrap=True
        )


def show_steps(console: Console, done: Reflection) -> None:
    """What was asked in each step, why, and how much it found; then why it ended."""
    for number, step in enumerate(done.steps, 1):
        asked, why = printable(one_line(step.question)), printable(one_line(step.why))
        console.print(
            text((f"step {number}: ", "bold"), (asked, ""), (f"\n    {why}; it brought {len(step.found)}", "dim")),
            soft_wrap=True,
        )
    joined = sum(bool(edge.joins) for edge in done.edges)
    console.print(text((f"stopped: {done.stopped}; {joined} facts were merged\n", "dim")), soft_wrap=True)
    for refusal in done.refusals:
        console.print(text(("refused: ", "yellow"), (printable(one_line(refusal.reason)), "")), soft_wrap=True)


def show_evidence(console: Console, answer: Answer, nodes: Nodes) -> None:
    """How each hit that an answer cites was found; all hits when it cites none."""
    cited = {citation.passage.id for citation in answer.citations}
    for rank, hit in enumerate(answer.recall.hits, 1):
        if not cited or (hit.passage and hit.passage.id in cited):
            console.print(tree(rank, hit, nodes))


def show_degraded(console: Console, degraded: tuple[str, ...]) -> None:
    for left_out in degraded:
        console.print(text(("left out: ", "yellow"), (printable(left_out), "")), soft_wrap=True)


def summary(rank: int, hit: Hit, nodes: Nodes) -> Text:
    where = origin(hit.passage, nodes)
    return text(
        (f"{rank:>2}. ", "bold"),
        (f"{hit.score:.3f} ", "cyan"),
        (" ".join(printable(hit.note.text).split()), ""),
        (f"\n    {where}  note {hit.note.id}", "dim"),
    )


def tree(rank: int, hit: Hit, nodes: Nodes) -> Tree:
    """A hit as a tree: one branch a path with what it adds to the score, below it the steps it took."""
    from rich.tree import Tree

    root = Tree(summary(rank, hit, nodes), guide_style="dim")
    paths = sorted(hit.paths, key=lambda path: -path.weight)
    for path in paths[:PATHS_SHOWN]:
        add_path(root, path, hit, nodes)
    rest = paths[PATHS_SHOWN:]
    if rest:
        root.add(text((f"{sum(path.weight for path in rest):+.3f} ", "cyan"), (f"{len(rest)} smaller paths", "")))
    return root


def add_path(root: Tree, path: Path, hit: Hit, nodes: Nodes) -> None:
    seed, *steps = path.steps
    branch = root.add(text((f"{path.weight:+.3f} ", "cyan"), *step_words(seed, hit, nodes)))
    for step in steps:
        branch.add(text(*step_words(step, hit, nodes)))


def step_words(step: Step, hit: Hit, nodes: Nodes) -> list[tuple[str, str]]:
    """One step in words: how, with which factor, to what. What is hit is not written out again."""
    end = {hit.note.id: "this note", hit.passage.id if hit.passage else "": "this passage"}.get(step.dst)
    return [
        (f"{spoken(step.kind)} ", "bold"),
        (f"×{step.weight:.3f} ", "cyan"),
        ("→ ", "dim"),
        (end or label(nodes.get(step.dst), step.dst), "dim" if end else ""),
    ]


WORDS = {
    "seed": "starts at",
    "seed:text": "same words",
    "seed:vector": "same meaning",
    "seed:tokens": "same meaning, word by word",
    "seed:entity": "names what is asked about",
    "seed:time": "at the time asked about",
    "prior:question": "is itself a question",
    "prior:speaker": "said by the one asked about",
    "prior:date": "on the date asked about",
    "prior:when": "tells a time",
    "prior:standing": "holds at the time asked about",
    "next": "what was said next",
    "~next": "what was said before",
    "mentions": "which mentions",
    "~mentions": "mentioned in",
    "speaker": "said by",
    "~speaker": "who also said",
    "part": "the same part",
    "~part": "a part of it",
    "from": "which stands in",
    "~from": "which holds",
    "title": "titled after",
    "~title": "whose page is",
    "about": "which is about",
    "~about": "told of in",
}


def spoken(kind: str) -> str:
    """A kind of step as a person would say it; unknown kinds are shown as they are."""
    known = WORDS.get(kind.lower())
    return known or kind.lower().rpartition(":")[2].replace("~", "back by ").replace("_", " ")


def label(node: Node | None, id: Id, width: int = LABEL_CHARS) -> str:
    """A node in a few words."""
    match node:
        case Note() | Passage():
            said = f"{node.speaker}: " if isinstance(node, Passage) and node.speaker else ""
            return f"“{one_line(said + node.text.lstrip('# '), width)}”"
        case Entity():
            return f"{one_line(node.name, width)} ({node.type})"
        case Source():
            return one_line(node.title or node.outside_id, width)
        case Section():
            return one_line(node.name, width)
        case Hyperedge():
            return one_line(node.predicate, width)
        case _:
            return id


def origin(passage: Passage | None, nodes: Nodes) -> str:
    """Who said it, when, and in which source."""
    if passage is None:
        return "made from other notes"
    at = iso(passage.at_us, passage.tz_min)
    section = nodes.get(passage.section) if passage.section else None
    source = nodes.get(passage.source)
    parts = [
        passage.speaker,
        at[:16].replace("T", " ") if at else None,
        label(source, passage.source) if source else None,
        section.name if isinstance(section, Section) else None,
    ]
    return printable(" · ".join(part for part in parts if part))


def show_answer(console: Console, answer: Answer, nodes: Nodes, *, text_shown: bool = False) -> None:
    """The answer, then its citations with the quote that bears each out."""
    if not text_shown:
        console.print(text((printable(answer.text), "bold")), soft_wrap=True)
    for citation in answer.citations:
        console.print(cited(citation, nodes), soft_wrap=True)
    show_degraded(console, answer.degraded)


def cited(citation: Citation, nodes: Nodes) -> Text:
    known = {**nodes, citation.source.id: citation.source} if citation.source else nodes
    return text(
        (f"[{citation.marker}] ", "cyan"),
        (f"“{one_line(citation.quote, 160)}”", ""),
        (f"  {origin(citation.passage, known)}", "dim"),
    )


def text(*parts: tuple[str, str]) -> Text:
    """Styled text from parts; nothing in them is read as markup."""
    from rich.text import Text

    return Text.assemble(*parts)
