"""What kind of idea a sentence is, and how sure it is: by its first words and its verbs."""

from __future__ import annotations

import re

from graphmem.schema import ONE_Q8, NoteKind, q8

_OPINION = re.compile(
    r"\b(?:i|we)(?:\s+(?:really|just|also|still|personally|honestly|do|strongly|always|totally))?\s+"
    r"(?P<verb>think|believe|feel|guess|suppose|reckon|doubt|suspect|bet|imagine|assume|figure|consider)"
    r"(?:\s+that)?\s+(?!about\b|of\b|so\b)|\b(?P<view>in my (?:view|opinion)|imo|imho|it seems to me|if you ask me|"
    r"as far as i know|i'm (?:pretty |fairly |quite |not )?sure)\b",
    re.I,
)
_SURE = {
    "believe": 0.8, "think": 0.75, "feel": 0.7, "consider": 0.75, "reckon": 0.7, "figure": 0.65, "bet": 0.65,
    "suspect": 0.6, "assume": 0.6, "suppose": 0.55, "imagine": 0.55, "guess": 0.5, "doubt": 0.3,
}  # fmt: skip
_VIEW_SURE = 0.7
_HEDGE = re.compile(
    r"\b(?:maybe|perhaps|probably|possibly|might|i'm not sure|not sure if|apparently|supposedly)\b", re.I
)
_HEDGED = 0.75
_ADVICE = re.compile(
    r"\b(?:you|we|one) (?:should|ought to|must|need to|have to|had better|shouldn't|mustn't|could try)\b"
    r"(?! be\b| have\b)|"
    r"\b(?:always|never) (?!been\b|seen\b|had\b|thought\b|knew\b|was\b|loved\b|wanted\b|heard\b)[a-z]{3,}(?<!ed)\b|"
    r"^(?:here's |this is )?how to\b|\bmake sure (?:to|you|that)\b|\b(?:my|the|a|some) (?:advice|tip|trick|recipe)\b|"
    r"\bi(?:'d| would) (?:recommend|suggest|advise)\b|\b(?:the )?best way to\b|\bif you (?:want|need) to\b|"
    r"(?:^|[.!;:,]\s+)(?:try|remember|don't forget|be sure) (?:to|not to)\b",
    re.I,
)
_IMPERATIVE_FREQUENCY = re.compile(r"(?:^|[.;:,!]\s+|\byou (?:should |must )?)(?:always|never) ", re.I)
_PAST = re.compile(
    r"\b(?:i|we|my [a-z]+(?: and i)?|our [a-z]+)"
    r"(?:\s+(?:[a-z]+ly|just|also|even|once|never|finally|first|then|both))?\s+"
    r"(?:was|were|had|did|didn't|went|got|saw|met|took|made|came|found|bought|gave|left|felt|began|started|told|ran|"
    r"won|lost|ate|wrote|read|flew|drove|spent|built|caught|taught|thought|brought|fell|heard|kept|led|sold|sent|"
    r"slept|spoke|stood|swam|threw|woke|wore|became|chose|drew|forgot|grew|hid|hit|hurt|knew|paid|put|rode|sang|sat|"
    r"shot|stole|broke|held|won|wasn't|weren't|couldn't|[a-z]{2,}ed)\b(?!['\u2019])"
    r"|\b(?:i|we)(?:'ve|\s+have)\s+(?:\w+\s+)?(?:been|just|finally|[a-z]+ed|gone|had|seen|done|got|made|met|taken)\b",
    re.I,
)


def kind_of(sentence: str, *, is_dialogue: bool) -> tuple[NoteKind, int]:
    """The kind and the confidence (1/256ths). A question is a fact about the talk, never a belief or advice."""
    asks = sentence.rstrip(" \"'\u201d\u2019)*_").endswith("?")
    opinion = _OPINION.search(sentence)
    if opinion is not None and not asks:
        verb = (opinion["verb"] or "").casefold()
        sure = _SURE.get(verb, _VIEW_SURE)
        if _HEDGE.search(sentence):
            sure *= _HEDGED
        return NoteKind.BELIEF, q8(sure)
    if not asks and gives_advice(sentence):
        return NoteKind.STRATEGY, ONE_Q8
    sure_q8 = q8(_HEDGED) if _HEDGE.search(sentence) else ONE_Q8
    if is_dialogue and not asks and _PAST.search(sentence):
        return NoteKind.EXPERIENCE, sure_q8
    return NoteKind.FACT, sure_q8


def gives_advice(sentence: str) -> bool:
    found = _ADVICE.search(sentence)
    if found is None:
        return False
    if found.group().casefold().startswith(("always", "never")):
        return _IMPERATIVE_FREQUENCY.search(sentence) is not None
    return True
