"""What a name is the name of: cheap cues in the name itself and in the words around it."""

from __future__ import annotations

import re

from graphmem.construct.names import NameSpan
from graphmem.construct.words import TITLES

_ORGANISATION = frozenset(
    "inc ltd llc corp corporation company co university college institute association party fc club band orchestra "
    "academy agency bank committee council ministry department records pictures studios entertainment foundation "
    "society "
    "union league army navy church hospital school team group airlines press museum".split()
)
_PLACE = frozenset(
    "city river lake street avenue road park county island islands mountain mountains valley bay beach bridge castle "
    "province district village town sea ocean desert forest square hill hills republic kingdom state states airport "
    "station peninsula cathedral palace".split()
)
_WORK = frozenset("symphony album movie film novel trilogy saga magazine newspaper journal".split())
_TRADES = (
    "singer|actor|actress|director|producer|presenter|musician|painter|author|writer|poet|composer|politician|potter|"
    "sculptor|architect|engineer|scientist|historian|photographer|journalist|teacher|doctor|nurse|lawyer|farmer|baker|"
    "carpenter|builder|designer|dancer|chef|cook|captain|sailor|footballer|merchant|explorer|inventor"
)
_KNOWN = (
    "friends?|brother|sister|son|daughter|wife|husband|mother|father|mom|dad|uncle|aunt|cousin|grandmother|grandfather|"
    "niece|nephew|girlfriend|boyfriend|boss|colleague|partner|neighbou?r|roommate|flatmate|student|pupil|apprentice"
)
_PERSON_BEFORE = re.compile(
    rf"\b(?:{_KNOWN}|{_TRADES}|king|queen|prince|princess|president|starring|by|and his|and her|mr|mrs|ms|dr|prof|sir)"
    rf"\.?,? \Z|\b(?:he|she|who|{_KNOWN}|{_TRADES})(?: is| was|'s|\u2019s) (?:called|named) \Z",
    re.I,
)
_PERSON_AFTER = re.compile(
    r"\A(?:,? (?:who|whom)\b| (?:said|says|told|asked|replied|married|thinks|loves|likes|wants|met|died|was born)\b|"
    rf", (?:an?|the|our|my|her|his) (?:[\w-]+ )?(?:{_KNOWN}|{_TRADES})\b|"
    r" ?\((?:born|b\.|c\. ?\d|n\u00e9e|\d{1,2} [A-Z][a-z]+ \d{4}|\d{4}\s?[\u2013-]))",
)
_PLACE_BEFORE = re.compile(
    r"\b(?:in|near|moved to|went to|trip to|flew to|drove to|back to|city of|town of|visit|visited|visiting|through|"
    r"capital) \Z"
)
_WORK_BEFORE = re.compile(
    r"\b(?:(?:films?|movie|novel|book|album|song|single|series|play|opera|musical|poem|painting|game|show)(?: called)?|"
    r"read|reading|watched|watching|titled|entitled) [\u201c\"']?\Z|\bcalled [\u201c\"]\Z",
    re.I,
)
_BRACKET_TYPES = {
    "film": "work", "novel": "work", "album": "work", "song": "work", "book": "work", "series": "work", "play": "work",
    "opera": "work", "musical": "work", "show": "work", "poem": "work", "magazine": "work", "game": "work",
    "city": "place", "town": "place", "village": "place", "river": "place", "county": "place", "island": "place",
    "band": "organisation", "company": "organisation", "club": "organisation", "group": "organisation",
    "actor": "person", "actress": "person", "singer": "person", "politician": "person", "director": "person",
    "writer": "person", "footballer": "person", "musician": "person", "king": "person", "author": "person",
}  # fmt: skip
_OPENING_PERSON = re.compile(
    r"\((?:[^()]{0,60}; )?(?:born|b\.|c\. ?\d{3,4}|n\u00e9e|\d{1,2} [A-Z][a-z]+ \d{4}|"
    r"[A-Z][a-z]+ \d{1,2}, \d{4}|\d{3,4} ?[\u2013-])|"
    r"\b(?:is|was) an? (?:[\w-]+ ){0,6}(?:actor|actress|singer|politician|writer|director|composer|player|footballer|"
    r"painter|poet|musician|scientist|producer|nobleman|king|queen|bishop|journalist|lawyer|general)\b"
)
_OPENING_WORK = re.compile(
    r"\b(?:is|was) (?:a|an|the) (?:[\w'-]+ ){0,8}?(?:film|novel|album|song|single|book|series|play|opera|musical|comic|"
    r"magazine|newspaper|show|painting|poem)\b"
)
_OPENING_PLACE = re.compile(
    r"\b(?:is|was) (?:a|an|the) (?:[\w'-]+ ){0,6}?(?:city|town|village|river|lake|island|mountain|municipality|county|"
    r"district|province|region|suburb|country|commune|neighbourhood)\b"
)
_OPENING_ORGANISATION = re.compile(
    r"\b(?:is|was) (?:a|an|the) (?:[\w'-]+ ){0,6}?(?:company|band|university|organi[sz]ation|club|school|agency|"
    r"institution|party|label|studio|team|museum)\b"
)
_OPENING_CHARS = 260
_AROUND = 40  # characters before and behind a name that are looked at


def type_of(text: str, name: NameSpan) -> str:  # noqa: PLR0911 a table in the shape of returns
    """person, place, organisation, work or thing."""
    words = name.text.lower().replace("\u2019", "'").split()
    if words[0].rstrip(".") in TITLES and len(words) > 1:
        return "person"
    if words[-1].rstrip(".") in _ORGANISATION or (words[0] == "university" and len(words) > 1):
        return "organisation"
    if words[-1] in _PLACE or words[0] in ("mount", "lake", "river", "cape"):
        return "place"
    if words[-1] in _WORK:
        return "work"
    before, after = text[max(0, name.start - _AROUND) : name.start], text[name.end : name.end + _AROUND]
    if _PERSON_AFTER.match(after) or _PERSON_BEFORE.search(before):
        return "person"
    if _WORK_BEFORE.search(before):
        return "work"
    return "place" if _PLACE_BEFORE.search(before) else "thing"


def type_of_title(title: str, opening: str) -> str:
    """By the bracket behind a title ("Baby (film)"), else by how the document begins ("... is a 1990 film")."""
    if title.endswith(")") and "(" in title:
        for word in reversed(title[title.rindex("(") + 1 : -1].lower().split()):
            if word in _BRACKET_TYPES:
                return _BRACKET_TYPES[word]
    start = opening[:_OPENING_CHARS]
    rows = ((_OPENING_PERSON, "person"), (_OPENING_WORK, "work"), (_OPENING_PLACE, "place"))
    first: tuple[int, str] | None = None
    for pattern, type in (*rows, (_OPENING_ORGANISATION, "organisation")):
        found = pattern.search(start)
        if found is not None and (first is None or found.start() < first[0]):
            first = (found.start(), type)
    return first[1] if first is not None else "thing"
