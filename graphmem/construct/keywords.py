"""Keywords and tags of a sentence: what a person would mark in it, by rule, from the passage alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from graphmem.analysis import STOP_WORDS, stem
from graphmem.construct.words import FILLERS, STARTERS, WORD

MAX_KEYWORDS = 8
MAX_KEYWORD_CHARS = 40

#: The closed set of tags, in the order they are given.
TAGS = (
    "question", "plan", "preference", "opinion", "advice", "event", "family", "health", "work", "study", "home",
    "travel", "food", "money", "person", "place", "time", "number", "quote", "photo", "link",
)  # fmt: skip

_CUES: dict[str, str] = {
    "plan": "plan plans planning planned hope hoping intend gonna will i'll we'll tomorrow next soon upcoming "
    "decided considering schedule scheduled",
    "preference": "love loves like likes enjoy enjoys favorite favourite prefer prefers hate hates dislike adore fan "
    "fond passionate",
    "family": "mother mom mum father dad sister brother son daughter wife husband parents kids children child cousin "
    "aunt uncle grandma grandpa grandmother grandfather niece nephew family baby twins fiance fiancee",
    "health": "doctor hospital sick ill illness surgery therapy therapist pain injury injured medicine diagnosed "
    "health healthy anxiety stress allergy allergic cancer flu",
    "work": "job work working career boss office company colleague coworker hired fired promotion promoted salary "
    "business project client interview meeting",
    "study": "school college university class course degree exam student study studying studied teacher thesis "
    "graduated graduate graduation lesson lessons",
    "home": "house home apartment flat moved move moving rent garden kitchen neighbor neighbour roommate",
    "travel": "trip travel travelled traveled flight flew vacation holiday visit visited hotel hike hiking camping "
    "beach airport tour",
    "food": "food eat ate cook cooking cooked restaurant dinner lunch breakfast recipe bake baked coffee tea cake meal",
    "money": "money price cost costs pay paid buy bought sell sold loan bank budget donate donated",
}
_TAG_OF = {word: tag for tag, words in _CUES.items() for word in words.split()}
_PLAIN = STOP_WORDS | FILLERS | STARTERS
_NUMBER = re.compile(r"\d")
_QUOTE = re.compile(r"[\u201c\"][^\u201c\u201d\"]{3,200}[\u201d\"]")
_LINK = re.compile(r"https?://|www\.")


def plain_words(sentence: str) -> list[str]:
    """The words of a sentence in order, in lower case."""
    return WORD.findall(sentence.lower().replace("\u2019", "'"))


def keywords(words: Sequence[str], names: Sequence[str], counts: Mapping[str, int]) -> tuple[str, ...]:
    """At most MAX_KEYWORDS: names first, then content words by salience (length, a digit, seen again in the passage),
    ties by place. `counts`: how often each word stands in the passage."""
    chosen = list(dict.fromkeys(name.lower()[:MAX_KEYWORD_CHARS] for name in names))[: MAX_KEYWORDS // 2]
    inside = {part for name in chosen for part in name.split()}
    seen: set[str] = set()
    scored: list[tuple[float, int, str]] = []
    for place, spoken in enumerate(words):
        word = spoken.removesuffix("'s")
        if len(word) < 3 or word in _PLAIN or word in inside or "'" in word:
            continue
        key = stem(word)
        if key in seen:
            continue
        seen.add(key)
        score = min(len(word), 9) + 1.5 * min(counts.get(word, 1), 3) + (2.0 if "-" in word else 0.0)
        scored.append((-score, place, word[:MAX_KEYWORD_CHARS]))
    scored.sort()
    best = sorted(scored[: MAX_KEYWORDS - len(chosen)], key=lambda row: row[1])
    return (*chosen, *(word for _, _, word in best))


def tags(sentence: str, words: Sequence[str], found: set[str]) -> tuple[str, ...]:
    """Tags from the closed set. `found` holds those known already: event, person, place, time, opinion, advice."""
    tagged = set(found)
    for word in words:
        tag = _TAG_OF.get(word)
        if tag is not None:
            tagged.add(tag)
    if "?" in sentence or "\uff1f" in sentence:
        tagged.add("question")
    if _NUMBER.search(sentence):
        tagged.add("number")
    if _QUOTE.search(sentence):
        tagged.add("quote")
    if "[share" in sentence:
        tagged.add("photo")
    if ("http" in sentence or "www." in sentence) and _LINK.search(sentence):
        tagged.add("link")
    return tuple(tag for tag in TAGS if tag in tagged)
