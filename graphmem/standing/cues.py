"""What a text shows of itself: whose words it is in, whom it names, its function words. No list of topics or values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

MAX_CHARS = 1_000
#: Function words, auxiliaries, words of time, and common verbs of wishing, saying and changing.
WORDS = tuple(
    dict.fromkeys(
        (
            "am is are was were be been being have has had having do does did done will would shall should can could "
            "may might must need ought not no never none nobody nothing neither nor hardly without if unless whether "
            "when whenever while once since until till before after then now nowadays currently today tomorrow "
            "yesterday tonight lately recently already yet still again anymore longer these those ago last next this "
            "first new old former back i my me mine myself we our us you your he his him she her they their them it "
            "its who what where when why how which and but or so because though although instead rather than as of "
            "to from for with at in on into over out off up about maybe perhaps probably just only even also too "
            "really actually officially finally apparently supposedly almost nearly one someone everybody nobody used "
            "go going gone get got getting let lets think thought wish hope want wanted miss remember imagine dream "
            "offered asked told said says say heard hear suppose guess wonder love like prefer plan try tried "
            "considered refused turned stay stayed call called make made keep take took switch switched changed "
            "change moved"
        ).split()
    )
)
_PLACE = {word: place for place, word in enumerate(WORDS)}
_FORMS = 6
WIDTH = len(WORDS) + _FORMS
WHOM = 12

_CONTRACTED = {"n't": "not", "'d": "would", "'ll": "will", "'ve": "have", "'re": "are", "'m": "am"}
_LOWER = re.compile(r"[a-z]+(?:'[a-z]+)?|[?!,.:;]")
_TOKEN = re.compile(r"[^\W\d_][\w'-]*|\d[\d:.,]*|[?!.;,]")
_ME = frozenset("i i'm i've i'd i'll my me mine myself".split())
_US = frozenset("we we're we've we'd we'll our us ours".split())
_YOU = frozenset("you your you're yours you've you'd you'll".split())
_THEM = frozenset("he she his her him hers he's she's they their them they're he'd she'd they've he'll she'll".split())
_STARTERS = frozenset(
    "i i'm i've i'd i'll it it's the a an my our your his her their we we're we've they they're he he's she she's you "
    "this that these those there there's here what when where who why how which if in on at for from of to and but so "
    "or not no yes just still turns guess apparently anyway oh well also is are was were do does did can could would "
    "should have has had after before since while once now today please put make send try call ask don't didn't can't "
    "won't isn't let's".split()
)
_CALENDAR = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays sundays".split()
)


@dataclass(frozen=True, slots=True)
class Cues:
    """Of a statement: `words` (WIDTH,) and `whom` (WHOM,), both float32."""

    words: Floats
    whom: Floats


def cues_of(text: str, asked: frozenset[str], by_asked: bool | None) -> Cues:
    """`asked`: lower-case words of the names asked about; `by_asked`: whether the one asked about says it, None when
    nobody is asked about. O(characters), at most MAX_CHARS of them."""
    return Cues(words_of(text), whom_of(text, asked, by_asked))


@lru_cache(maxsize=4_096)
def words_of(text: str) -> Floats:
    """One mark for each function word that a text has, and six of its form."""
    found = np.zeros(WIDTH, np.float32)
    text = text[:MAX_CHARS].lower().replace("\u2019", "'")
    tokens = _LOWER.findall(text)
    for token in tokens:
        word = token
        for ending, meant in _CONTRACTED.items():
            if token.endswith(ending):
                found[_PLACE[meant]] = 1
                word = token.removesuffix(ending)
                break
        if word.endswith("'s"):
            word = word.removesuffix("'s")
            found[_PLACE["is"]] += 0.5
        if word in _PLACE:
            found[_PLACE[word]] = 1
    found[len(WORDS) :] = (
        "?" in text,
        "!" in text,
        min(len(tokens), 40) / 20,
        any(character.isdigit() for character in text),
        any(token.endswith("ed") and len(token) > 4 for token in tokens),
        any(token.endswith("ing") and len(token) > 5 for token in tokens),
    )
    found.setflags(write=False)
    return found


def whom_of(text: str, asked: frozenset[str], by_asked: bool | None) -> Floats:
    """Who says it, and whom it is about as far as its pronouns and capitals show."""
    tokens = [token.replace("\u2019", "'") for token in _TOKEN.findall(text[:MAX_CHARS])]
    lower = [token.lower() for token in tokens]
    bare = [token.removesuffix("'s") for token in lower]
    opens, owns, inside = _others(tokens, lower, bare, asked)
    return np.array(
        [
            by_asked is True,
            by_asked is False,
            by_asked is None,
            any(word in asked for word in bare),
            any(word in _ME for word in lower),
            any(word in _US for word in lower),
            any(word in _YOU for word in lower),
            any(word in _THEM for word in lower),
            opens,
            owns,
            inside,
            text.rstrip().endswith("?"),
        ],
        np.float32,
    )


def _others(tokens: list[str], lower: list[str], bare: list[str], asked: frozenset[str]) -> tuple[bool, bool, bool]:
    """Whether a capital that is not the one asked about opens a clause before a lower-case word, has a possessive,
    or stands within a clause."""
    opens = owns = inside = False
    start = True
    for place, token in enumerate(tokens):
        if token in "?!.;,":
            start = start or token != ","
            continue
        if token[0].isupper() and bare[place] not in asked and lower[place] not in _ME:
            named = lower[place] not in _STARTERS
            follows = tokens[place + 1] if place + 1 < len(tokens) else ""
            owns |= named and lower[place].endswith("'s")
            opens |= named and start and follows.isalpha() and follows[0].islower()
            inside |= named and not start
        start = False
    return opens, owns, inside


def asked_words(question: str) -> frozenset[str]:
    """Lower-case words that are capitalised within the question: whom or what it names. Days and months are left out,
    and its first word unless it has a possessive."""
    tokens = [token.replace("\u2019", "'") for token in _TOKEN.findall(question[:MAX_CHARS])]
    words = [
        token.lower().removesuffix("'s")
        for place, token in enumerate(tokens)
        if token[0].isupper() and (place or token.endswith("'s"))
    ]
    return frozenset(word for word in words if word not in _CALENDAR and word not in _STARTERS)
