"""Results as JSON values: the stable shape of `-o json` and of the answer stream. Field names as in the library.

Times are ISO 8601 with the source's offset where it is known, else UTC. Weights and confidences are 0..1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from graphmem.schema import (
    ONE_Q8,
    Answer,
    Change,
    Citation,
    Commit,
    ForgetReport,
    Hit,
    Id,
    Item,
    Job,
    Node,
    Note,
    Passage,
    Path,
    Recall,
    Reflection,
    Report,
    Section,
    Source,
    WorkingEdge,
)

if TYPE_CHECKING:
    from graphmem.organize import Organized

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
Json = dict[str, Any]
Nodes = Mapping[Id, Node]  # what ids stand for; an id that is missing is shown as an id


def iso(at_us: int | None, tz_min: int | None = None) -> str | None:
    """A time as text, whole seconds where it has no fraction; None stays None, years outside 1..9999 too."""
    if at_us is None:
        return None
    try:
        at = EPOCH + timedelta(microseconds=at_us)
        if tz_min is not None:
            at = at.astimezone(timezone(timedelta(minutes=tz_min)))
    except OverflowError:
        return None
    return at.isoformat().replace("+00:00", "Z")


def source_json(source: Node | None, id: Id) -> Json:
    if not isinstance(source, Source):
        return {"id": id}
    return {"id": source.id, "kind": source.kind, "outside_id": source.outside_id, "title": source.title}


def passage_json(passage: Passage, nodes: Nodes) -> Json:
    section = nodes.get(passage.section) if passage.section else None
    return {
        "id": passage.id,
        "text": passage.text,
        "speaker": passage.speaker,
        "at": iso(passage.at_us, passage.tz_min),
        "ref": passage.ref,
        "section": section.name if isinstance(section, Section) else None,
        "source": source_json(nodes.get(passage.source), passage.source),
    }


def note_json(note: Note) -> Json:
    return {
        "id": note.id,
        "kind": str(note.kind),
        "text": note.text,
        "context": note.context,
        "keywords": list(note.keywords),
        "tags": list(note.tags),
        "confidence": note.confidence_q8 / ONE_Q8,
        "valid_from": iso(note.valid_from_us),
        "valid_to": iso(note.valid_to_us),
        "made_by": note.made_by,
        "spans": [{"passage": s.passage, "start": s.start, "end": s.end, "quote": s.quote} for s in note.spans],
        "parents": list(note.parents),
    }


def path_json(path: Path) -> Json:
    return {
        "weight": path.weight,
        "steps": [{"kind": s.kind, "from": s.src, "to": s.dst, "weight": s.weight} for s in path.steps],
    }


def hit_json(hit: Hit, nodes: Nodes) -> Json:
    return {
        "score": hit.score,
        "note": note_json(hit.note),
        "passage": passage_json(hit.passage, nodes) if hit.passage else None,
        "paths": [path_json(path) for path in hit.paths],
    }


def recall_json(recall: Recall, nodes: Nodes) -> Json:
    return {
        "question": recall.question,
        "plan": recall.plan,
        "route": list(recall.route),
        "seq": recall.seq,
        "support": recall.support,
        "degraded": list(recall.degraded),
        "hits": [hit_json(hit, nodes) for hit in recall.hits],
        "passages": [{"score": r.score, **passage_json(r.passage, nodes)} for r in recall.passages],
        "derived": [hit_json(hit, nodes) for hit in recall.derived],
        "conflicts": [
            {"earlier": one.earlier, "later": one.later, "weight": one.weight_q8 / ONE_Q8} for one in recall.conflicts
        ],
        "work": dict(recall.work),
    }


def reflection_json(done: Reflection, nodes: Nodes) -> Json:
    return {
        "question": done.question,
        "stopped": done.stopped,
        "job": done.job,
        "steps": [
            {name: getattr(step, name) for name in ("question", "start", "entity", "depth", "made_by", "why")}
            | {"found": list(step.found)}
            for step in done.steps
        ],
        "edges": [working_edge_json(edge) for edge in done.edges],
        "refusals": [{"reason": refusal.reason, "proposal": refusal.proposal} for refusal in done.refusals],
        "recall": recall_json(done.recall, nodes),
    }


def working_edge_json(edge: WorkingEdge) -> Json:
    return {
        "id": edge.edge.id,
        "predicate": edge.edge.predicate,
        "score": edge.score,
        "joins": list(edge.joins),
        "members": [{"role": member.role.name.lower(), "id": member.node} for member in edge.edge.members],
        "spans": [{"passage": s.passage, "start": s.start, "end": s.end} for s in edge.edge.spans],
    }


def citation_json(citation: Citation, nodes: Nodes) -> Json:
    known = {**nodes, citation.source.id: citation.source} if citation.source else nodes
    return {
        "marker": citation.marker,
        "quote": citation.quote,
        "start": citation.start,
        "end": citation.end,
        "note": citation.note.id if citation.note else None,
        "passage": passage_json(citation.passage, known),
    }


def answer_json(answer: Answer, nodes: Nodes) -> Json:
    return {
        "question": answer.question,
        "text": answer.text,
        "found": answer.found,
        "generator": answer.generator,
        "degraded": list(answer.degraded),
        "citations": [citation_json(citation, nodes) for citation in answer.citations],
        "recall": recall_json(answer.recall, nodes),
    }


def report_json(report: Report) -> Json:
    names = ("job", "seq", "sources", "passages", "notes", "entities", "hyperedges", "edges", "refusals", "accepted")
    more = ("calls", "prompt_chars", "answer_chars", "skipped", "failed")
    return {
        **{name: getattr(report, name) for name in (*names, *more)},
        "seconds": round(report.seconds, 3),
        "passage_ids": list(report.passage_ids),
    }


def job_json(job: Job, items: Iterable[Item] | None = None) -> Json:
    base = {
        "id": job.id,
        "state": str(job.state),
        "opened": iso(job.opened_us),
        "closed": iso(job.closed_us),
        "spec": dict(job.spec),
    }
    return base if items is None else {**base, "items": [item_json(item) for item in items]}


def item_json(item: Item) -> Json:
    return {
        "key": item.key,
        "state": str(item.state),
        "cursor": item.cursor,
        "error": item.error,
        "position": item.position,
    }


def change_json(commit: Commit, change: Change) -> Json:
    return {
        "seq": commit.seq,
        "op": str(change.op),
        "at": iso(commit.at_us),
        "actor": commit.actor,
        "cause": commit.cause,
        "job": commit.job,
        "before": None if change.before is None else dict(change.before),
    }


def forget_json(report: ForgetReport) -> Json:
    return {"tombstone": report.tombstone, "counts": dict(report.counts), "remarks": list(report.remarks)}


def ids_of(recall: Recall) -> set[Id]:
    """The ids whose nodes are needed to show a recall: sources of passages, ends of steps."""
    passages = [hit.passage for hit in recall.hits if hit.passage] + [ranked.passage for ranked in recall.passages]
    ids = {id for passage in passages for id in (passage.source, passage.section) if id}
    for hit in recall.hits:
        for path in hit.paths:
            for step in path.steps:
                ids |= {step.dst} | ({step.src} if step.src else set())
    return ids


def organized_json(done: Organized) -> Json:
    return {
        "job": done.job,
        "organizer": done.organizer,
        "dry_run": done.dry_run,
        "changes": done.changes,
        "steps": {name: asdict(step) for name, step in done.steps.items()},
    }
