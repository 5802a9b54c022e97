"""How things stand: of the statements that answer a question about a state, the one that holds at the asked time first.

A small model (`graphmem.standing`) says of each of the best turns how surely it states what is asked. How likely it is
the last such statement before the asked time follows from that; the turns that may state it change places among
themselves, and what surely holds passes the other turns that were looked at; pages never move. Nothing is written, and
earlier statements stay in the result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from graphmem.recall.gather import Asked
from graphmem.recall.plan import Plan
from graphmem.recall.rank import Ranked
from graphmem.recall.score import Parts
from graphmem.standing import APART_US, asked_words, asks_for_a_value, holds
from graphmem.standing.cues import whom_of, words_of
from graphmem.standing.model import EMBEDDER, Asking
from graphmem.standing.reading import Heard, answers
from graphmem.stores.base import NO_TIME, Reader

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]

KIND = "prior:standing"
#: Share of their words that two statements in nearly the same words have in common.
LIKE_WORDS = 0.6
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Standing:
    """What was looked at: rows of the ranking in their order, how surely each states what is asked, and how likely
    each is the last to do so."""

    rows: Numbers
    states: Floats
    holds: Floats
    dated: bool  # the question names a time: what was said later is surely out
    of_speaker: bool  # somebody who speaks is asked about


def with_standing(reader: Reader, asked: Asked, ranked: Ranked, now_us: int | None) -> Ranked:
    """The ranking with what holds first. O(plan.standing) texts, vectors and token codes are read."""
    plan = ranked.plan
    if not plan.standing or reader.space.embedder != EMBEDDER or not asks_for_a_state(asked):
        return ranked
    asking = Asking(asked.vectors.vector, words_of(asked.spoken))
    if asks_for_a_value(asking) < plan.asks_for_a_value:
        return ranked
    found = looked_at(reader, asked, ranked, now_us)
    return reordered(ranked, found, plan) if found is not None else ranked


def disagreeing(ranked: Ranked, found: Standing, plan: Plan) -> tuple[tuple[int, int, float], ...]:
    """Rows (earlier, later) of turns that both surely state what is asked, told apart by an hour or more, with how
    surely: what a refresher may repair. Each with the next later one, so at most as many as turns."""
    sure = np.flatnonzero(found.states[: plan.standing_moves] >= plan.conflict)
    heads = ranked.signals.heads
    rows = sorted(sure.tolist(), key=lambda one: (int(heads.at_us[found.rows[one]]), int(found.rows[one])))
    pairs = []
    for old, new in pairwise(rows):
        apart = int(heads.at_us[found.rows[new]]) - int(heads.at_us[found.rows[old]])
        if apart >= APART_US:
            weight = float(np.sqrt(found.states[old] * found.states[new]))
            pairs.append((int(found.rows[old]), int(found.rows[new]), weight))
    return tuple(pairs)


def looked_at(reader: Reader, asked: Asked, ranked: Ranked, now_us: int | None) -> Standing | None:
    """The best turns that somebody said at a known time, as the model sees them; None with fewer than two."""
    heads = ranked.signals.heads
    best = ranked.order[: ranked.plan.standing]
    rows = best[(heads.speaker[best] > 0) & (heads.at_us[best] != NO_TIME)]
    if len(rows) < 2:
        return None
    states = stated(reader, asked, ranked, rows)
    limit = as_of_us(asked, now_us)
    said = heads.at_us[rows]
    order = np.lexsort((heads.ordinal[rows], said))
    likely = holds(states, order[said[order] <= limit])
    return Standing(rows, states, likely, asked.question.dates.interval_us is not None, len(asked.speakers) > 0)


def stated(reader: Reader, asked: Asked, ranked: Ranked, rows: Numbers) -> Floats:
    """How surely each turn states, as holding when it was said, what is asked."""
    heads, numbers = ranked.signals.heads, ranked.signals.numbers[rows]
    texts, vectors = reader.said(numbers)
    offsets, codes = reader.tokens(numbers)
    named = asked_words(asked.question.text)
    whose = [said_by_asked(asked, int(speaker), named) for speaker in heads.speaker[rows].tolist()]
    heard = Heard(
        [codes[start:end] for start, end in pairwise(offsets.tolist())],
        np.stack([whom_of(text, named, whom) for text, whom in zip(texts, whose, strict=True)]),
        (vectors @ asked.vectors.vector).astype(np.float32),
        ranked.signals.tokens[rows].astype(np.float32),
    )
    return in_like_words(answers()(asked.vectors.tokens, heard), texts, heads.speaker[rows])


def in_like_words(states: Floats, texts: Sequence[str], speaker: Numbers) -> Floats:
    """What one person says in nearly the same words states the same, as surely as the surest of it: the model gives
    "I live in Turin now" .37 and "I live in Zurich now" .20. O(n^2) sets of words for n turns."""
    said = [frozenset(_WORD.findall(text.lower())) for text in texts]
    sure = states.copy()
    for one, words in enumerate(said):
        for other in range(len(said)):
            both = len(words & said[other])
            if speaker[one] == speaker[other] and both >= LIKE_WORDS * len(words | said[other]) > 0:
                sure[one] = max(sure[one], states[other])
    return sure


def said_by_asked(asked: Asked, speaker: int, named: frozenset[str]) -> bool | None:
    """Whether the one asked about says it; None where the question names nobody."""
    if len(asked.speakers):
        return bool(np.isin(speaker, asked.speakers))
    return False if named else None


def reordered(ranked: Ranked, found: Standing, plan: Plan) -> Ranked:
    """The turns that may state what is asked share their places out anew: the best to the one that most likely holds,
    and where it surely does, the first of all turns; documents stay where they are. A lone one goes first only where
    somebody who speaks is asked about: of things, what a turn says in passing would pass what a page says. A place
    keeps its score; what a turn gains or loses by moving is a part of its score like the others, and told as a path.
    Where so many turns seem to state what is asked that it is a topic rather than one matter, nothing moves."""
    if found.states.sum() > plan.one_matter:
        return ranked
    stating = np.flatnonzero(found.states[: plan.standing_moves] >= plan.states)
    if not len(stating) or found.states[stating].max() < plan.states_surely:
        return ranked
    rows, likely = found.rows[stating], found.holds[stating]
    alone = int((found.states[stating] >= plan.states_surely).sum()) < 2
    surely = bool(likely.max() >= plan.first_surely) and (found.of_speaker or not alone)
    if not surely and (len(stating) < 2 or (not found.dated and likely.max() < plan.holds_surely)):
        return ranked
    first = np.lexsort((rows, -ranked.score[rows], -likely))
    order = ranked.order.copy()
    order[np.flatnonzero(np.isin(order, rows))] = rows[first]
    if surely:
        turns = np.flatnonzero(np.isin(order, found.rows))
        ahead = turns[: int(np.flatnonzero(order[turns] == rows[first[0]])[0]) + 1]
        order[ahead] = np.roll(order[ahead], 1)
    score = ranked.score.copy()
    score[order] = ranked.score[ranked.order]
    parts = Parts(ranked.parts.seeds, {**ranked.parts.priors, KIND: score - ranked.score})
    pairs = disagreeing(ranked, found, plan)
    return replace(ranked, parts=parts, score=score, order=order, disagreeing=pairs)


def as_of_us(asked: Asked, now_us: int | None) -> int:
    """Until when a statement counts: the end of the day that the question names, the middle of its month or other
    interval, else now; without a `now` every statement does."""
    dates = asked.question.dates
    if dates.interval_us is not None:
        start, end = dates.interval_us
        if len(dates.days) == len(dates.months) == len(dates.years) == 1:
            named = day_end(start, dates.days[0])
            return named if named <= end else end
        return (start + end) // 2
    return now_us if now_us is not None else np.iinfo(np.int64).max


def day_end(month_start_us: int, day: int) -> int:
    return month_start_us + timedelta(days=day) // timedelta(microseconds=1)


_NOT_STATE = re.compile(
    r"\s*(?:why|how (?:did|come)|when did|would|could)\b|"
    r"\b(?:ever|first|originally|previously|formerly|used to|all|list|what are|which are|names|times|happen(?:ed)?)\b",
    re.I,
)
_PAST = re.compile(r"\b(?:did|was|were|had|didn't|wasn't|weren't|hadn't)\b", re.I)
_IN_THE_END = re.compile(
    r"\b(?:now|currently|latest|last|lately|recently|today|these days|in the end|finally|eventually|"
    r"(?:end|ended|settle|settled|land|landed|go|gone|went|decide|decided|stick) (?:up|on|with|for|in))\b",
    re.I,
)
_WHO_SOMEBODY_IS = re.compile(r"\s*[Ww]ho(?:'s| is| was| are) [A-Z][\w'-]*(?: [A-Z][\w'-]*)*\s*\??\s*$")


def asks_for_a_state(asked: Asked) -> bool:
    """Whether the question asks how something stands, now or at a time that it names: not why, when something was
    done, whether, what all there is, who somebody is; in the past tense only with a time or an outcome."""
    text = asked.question.text
    if _NOT_STATE.search(text) or _WHO_SOMEBODY_IS.match(text):
        return False
    return not _PAST.search(text) or asked.question.dates.interval_us is not None or bool(_IN_THE_END.search(text))
