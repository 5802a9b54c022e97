"""Who did what, with whom, where: clauses of a sentence by simple patterns over its words.

A subject (I, we, a name), a verb group, the noun phrase after it, and what prepositions add. Precision before recall:
a clause that does not fit the pattern is left alone. At most MAX_CLAUSES a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphmem.construct.names import NATION, NameSpan
from graphmem.construct.tokens import Token
from graphmem.construct.verbs import base_of, is_gerund, is_participle, is_participle_alone
from graphmem.construct.words import KIN
from graphmem.schema import EdgeType

MAX_CLAUSES = 3
MAX_MEMBERS = 8
MAX_OBJECT_WORDS = 3
#: Words looked at behind the verb; longer clauses are lists or run-on talk.
MAX_REACH = 24

_AUXILIARIES = frozenset(
    "have has had 've will would can could should may might must shall am is are was were be been being do does did "
    "'m 're 's 'd 'll gonna gotta".split()
)
_BE = frozenset("am is are was were be been being 'm 're 's get got".split())
_PRONOUNS = frozenset("i i'm i've i'd i'll we we're we've we'd we'll he she it".split())
_NEGATIONS = frozenset(("not", "never", "cannot"))
_ADVERBS = frozenset(
    "last just also even still already always often ever once finally both all now then soon recently first so really "
    "almost later since together usually sometimes totally definitely eventually".split()
)
_TO_VERBS = frozenset(
    "want need plan hope decide try start love like begin continue manage learn agree offer promise prefer choose "
    "intend wish have get go".split()
)
_GERUND_VERBS = frozenset(("enjoy", "stop", "finish", "keep", "consider", "avoid", "miss", "imagine", "practice"))
#: What follows these without an article is an adjective or an adverb: "I feel better", "I work hard".
_LINKING = frozenset(
    "be feel get stay look seem sound become keep go work come turn try run live grow think bet hope guess know "
    "believe imagine wish doubt".split()
)
_NEVER_NOUNS = frozenset(
    "go get make know think say take see come give become feel have be do keep let bring find tell want seem".split()
)
_ADJECTIVE_ENDS = ("ed", "ive", "ful", "ous", "able", "ible", "ing", "less", "ward")
_PARTICLES = frozenset("up out down off back over away".split())
_DETERMINERS = frozenset(
    "a an the my our his her their your this that some any these those another two three four five six seven "
    "eight nine ten several many few both each every its more no".split()
)
_NOT_OBJECTS = frozenset(
    "it them him her you me us they he she we that what how why when where if whether which who there here so "
    "too very much more really because but and or as than then to for with in on at from by about of into onto "
    "over under through during after before until since like just also not never up out down off back away "
    "around together well yesterday today tomorrow tonight last next this ago now again all one something "
    "anything everything nothing someone everyone i such able going sure glad happy sorry excited good great "
    "nice bad fine okay ok lot lots bit kind sort way thing things while without within between among against "
    "across along first both i'm i've i'll i'd it's that's".split()
)
#: Passed over behind an article: "my first video game", "a great film".
_MODIFIERS = frozenset(
    "first second third last next own new old young great good nice best bad big little small huge whole entire real "
    "very "
    "really same other main early former late long short awesome amazing wonderful beautiful cool local few couple "
    "bit lot".split()
)
_QUANTITIES = frozenset("lot lots bit couple few pair bunch number ton tons kind sort".split())
_PLACE_PREPOSITIONS = frozenset("in at to from near into inside outside around across through".split())
_PLACES = frozenset(
    "park beach museum school hospital gym office library restaurant cafe bar church market mall store shop studio "
    "theater theatre cinema airport station farm forest mountains mountain lake river sea coast island city town "
    "village "
    "university college camp campground zoo garden house home center centre gallery concert festival conference court "
    "stadium pool clinic bakery hotel countryside desert valley bookstore shelter court kitchen campus harbour".split()
)
_TALK = frozenset("talk speak chat meet argue agree play work marry dance sing".split())
_CLAUSE_STARTS = frozenset(
    "and but so because when while after before since that if then where as although though".split()
)
_COMPANY = KIN | frozenset(
    "friend friends family kids children colleague colleagues team partner neighbor neighbour".split()
)


@dataclass(frozen=True, slots=True)
class Party:
    """A member before it has an identity. `kind`: speaker, title (of the document), name (index into
    the names), thing (words), kin (a word)."""

    role: EdgeType
    kind: str
    text: str = ""
    name: int = -1


@dataclass(frozen=True, slots=True)
class Clause:
    """`first`..`last`: the tokens it stands in (inclusive); `verb`: the last one of its verb group."""

    predicate: str
    parties: tuple[Party, ...]
    first: int
    last: int
    verb: int


@dataclass(frozen=True, slots=True)
class Ground:
    """What clauses are read from: the text's tokens, its names by their first token, tokens that name a time."""

    text: str
    words: Sequence[Token]
    names: Sequence[NameSpan]
    name_at: Mapping[int, int]
    timed: frozenset[int]
    has_speaker: bool


def clauses(ground: Ground, first: int, last: int, topic: Party | None = None) -> list[Clause]:
    """Clauses of the sentence with tokens first..last. `topic`: whom a leading he, she or it stands for."""
    found: list[Clause] = []
    at = first
    while at <= last and len(found) < MAX_CLAUSES:
        if at not in ground.name_at and ground.words[at].lower not in _PRONOUNS:
            at += 1
            continue
        subject = _subject(ground, at, first, topic)
        if subject is None:
            at += 1
            continue
        clause = _clause(ground, subject, at, last)
        if clause is None:
            at = max(subject[1], at + 1)
            continue
        found.append(clause)
        at = clause.last + 1
    return found


def _subject(ground: Ground, at: int, first: int, topic: Party | None) -> tuple[Party, int, str] | None:
    """The subject that begins at a token: (party, the token after it, an auxiliary glued to it: "I've")."""
    word = ground.words[at].text
    name = ground.name_at.get(at)
    if name is not None:
        last = ground.names[name].last
        if (
            not _opens_clause(ground, at, first)
            or _goes_on_a_list(ground, at, first)
            or ground.words[last].lower.endswith("'s")
        ):
            return None
        return Party(EdgeType.AGENT, "name", name=name), _past_brackets(ground, last + 1), ""
    head, _, rest = word.replace("\u2019", "'").partition("'")
    if head in ("I", "We", "we", "i") and ground.has_speaker and _opens_clause(ground, at, first):
        return Party(EdgeType.AGENT, "speaker"), at + 1, f"'{rest}" if rest else ""
    if at == first and topic is not None and word in ("He", "She", "It"):
        return topic, at + 1, ""
    return None


def _opens_clause(ground: Ground, at: int, first: int) -> bool:
    if at == first:
        return True
    before = ground.words[at - 1]
    gap = ground.text[before.end : ground.words[at].start]
    if gap == " " and before.lower in ("the", "a", "an"):
        return _opens_clause(ground, at - 1, first)
    return gap != " " or before.lower in _CLAUSE_STARTS or before.lower in _ADVERBS or at - 1 in ground.timed


def _goes_on_a_list(ground: Ground, at: int, first: int) -> bool:
    """A name behind a comma is one of several, unless a time or an adverb stands before it ("Last week, Ada ...")."""
    if at == first or ground.text[ground.words[at - 1].end : ground.words[at].start].strip() != ",":
        return False
    return at - 1 not in ground.timed and ground.words[at - 1].lower not in _ADVERBS


def _past_brackets(ground: Ground, at: int) -> int:
    """`Ada Berg (born 1900) was`: the brackets behind a name are stepped over."""
    if at >= len(ground.words):
        return at
    gap = ground.text[ground.words[at - 1].end : ground.words[at].start]
    if "(" not in gap or ")" in gap:
        return at
    for ahead in range(at, min(len(ground.words) - 1, at + 30)):
        if ")" in ground.text[ground.words[ahead].end : ground.words[ahead + 1].start]:
            return ahead + 1
    return at


@dataclass(slots=True)
class _Verb:
    base: str = ""
    after: int = 0
    negated: bool = False
    passive: bool = False


def _verb(ground: Ground, at: int, glued: str, last: int) -> _Verb | None:
    """The verb group at a token: auxiliaries and adverbs passed over, negation kept."""
    verb, auxiliary = _Verb(), glued
    for index in range(at, min(last, at + 6) + 1):
        if index > at and not _adjacent(ground, index):
            break
        word = ground.words[index].lower
        if word.endswith("n't") or word in _NEGATIONS:
            verb.negated = True
            auxiliary = word.removesuffix("n't") or auxiliary
        elif word in _AUXILIARIES:
            auxiliary = word
        elif word in _ADVERBS or (word.endswith("ly") and len(word) > 4):
            continue
        else:
            return _main_verb(ground, verb, index, auxiliary, last)
        verb.after = index + 1
    return _copula(verb, auxiliary)


def _main_verb(ground: Ground, verb: _Verb, index: int, auxiliary: str, last: int) -> _Verb | None:
    word = ground.words[index].lower
    base = base_of(word)
    after_be = auxiliary in _BE
    if not auxiliary and (is_participle_alone(word) or word.endswith("ing")):
        return None
    if base is None or index in ground.name_at or (after_be and not (is_participle(word) or word.endswith("ing"))):
        verb.after = index
        return _copula(verb, auxiliary)
    verb.passive = after_be and not word.endswith("ing")
    verb.base, verb.after = base, index + 1
    _chain(ground, verb, last)
    return verb


def _copula(verb: _Verb, auxiliary: str) -> _Verb | None:
    """What was passed over as an auxiliary is the verb itself: be, have."""
    if auxiliary in _BE or auxiliary in ("has", "had", "have"):
        verb.base = "be" if auxiliary in _BE else "have"
        return verb if auxiliary not in ("get", "got") else None
    return None


def _chain(ground: Ground, verb: _Verb, last: int) -> None:
    """A particle ("pick up"), an infinitive ("plan to visit"), a gerund ("start running") belong to the predicate."""
    words, at = ground.words, verb.after
    if at <= last and words[at].text in _PARTICLES and _adjacent(ground, at):
        verb.base, at = f"{verb.base} {words[at].text}", at + 1
    if at < last and words[at].text == "to" and _adjacent(ground, at) and verb.base in _TO_VERBS:
        second = base_of(words[at + 1].text)
        if second is not None:
            verb.base, at = f"{verb.base} to {second}", at + 2
    elif at <= last and _takes_gerund(verb.base) and _adjacent(ground, at) and is_gerund(words[at].text):
        verb.base, at = f"{verb.base} {words[at].text}", at + 1
    verb.after = at


def _links(base: str) -> bool:
    return (base_of(base.rsplit(" ", 1)[-1]) or base) in _LINKING


def _is_place_next(ground: Ground, at: int, last: int) -> bool:
    """ "I was in Lund" tells something; "I was responsible for the sails of Lund" is left alone."""
    return at < last and ground.words[at].lower in ("in", "at", "near", "from")


def _takes_gerund(base: str) -> bool:
    return " " in base or base in _TO_VERBS or base in _GERUND_VERBS


def _adjacent(ground: Ground, index: int) -> bool:
    return ground.words[index].start - ground.words[index - 1].end == 1


def _clause(ground: Ground, subject: tuple[Party, int, str], first: int, last: int) -> Clause | None:
    who, at, glued = subject
    verb = _verb(ground, at, glued, last)
    if verb is None or not verb.base:
        return None
    if verb.passive:
        who = Party(EdgeType.OBJECT, who.kind, who.text, who.name)
    parties = [who]
    end = verb.after - 1
    found = _object(ground, verb.after, last, needs_article=_links(verb.base))
    if found is not None:
        role = EdgeType.OTHER if verb.passive else EdgeType.OBJECT
        parties.append(Party(role, found[0].kind, found[0].text, found[0].name))
        end = found[1]
    elif verb.base in ("be", "not be") and not _is_place_next(ground, verb.after, last):
        return None
    end = _prepositions(ground, verb, end + 1, last, parties)
    predicate = f"not {verb.base}" if verb.negated else verb.base
    return Clause(predicate, tuple(parties[:MAX_MEMBERS]), first, max(end, verb.after - 1), verb.after - 1)


def _object(ground: Ground, at: int, last: int, *, needs_article: bool = False) -> tuple[Party, int] | None:
    """The noun phrase at a token: a name, or the last words of a run of plain ones. None for what is no noun."""
    run: list[str] = []
    determined = False
    index, stop = at, min(last, at + 7)
    while index <= stop and _adjacent(ground, index) and index not in ground.timed:
        word = ground.words[index].lower
        name = ground.name_at.get(index)
        if name is not None:
            if run:
                break
            index = ground.names[name].last + 1
            if not _modifies(ground, index, last):
                return Party(EdgeType.OBJECT, "name", name=name), index - 1
            determined = True
            continue
        if ground.words[index].is_capital and not run and not determined and not word.endswith(NATION):
            return None
        if word in _DETERMINERS and not run:
            determined = True
        elif determined and (word in _MODIFIERS or word.endswith(NATION) or _counts(ground, index)):
            pass
        elif (
            word in _NOT_OBJECTS
            or word in _AUXILIARIES
            or word in _DETERMINERS
            or word.endswith("ly")
            or not word[0].isalpha()
            or (run and base_of(word) is not None and not _is_noun_too(word))
            or word in _NEVER_NOUNS
        ):
            break
        else:
            run.append(word.removesuffix("'s"))
        index += 1
    if not run or (needs_article and not determined) or (len(run) == 1 and len(run[0]) < 3):
        return None
    if len(run) == 1 and not determined and run[0].endswith(_ADJECTIVE_ENDS):
        return None
    kept = run[-MAX_OBJECT_WORDS:]
    if len(kept) == 1 and kept[0] in _COMPANY:
        return Party(EdgeType.OBJECT, "kin", kept[0]), index - 1
    return Party(EdgeType.OBJECT, "thing", " ".join(kept)), index - 1


def _counts(ground: Ground, index: int) -> bool:
    """The "of" in "a lot of boats": what follows is the noun."""
    return ground.words[index].lower == "of" and ground.words[index - 1].lower in _QUANTITIES


def _modifies(ground: Ground, index: int, last: int) -> bool:
    """Whether a name before this token only modifies it: a possessive, or a plain noun follows ("a Lund bakery")."""
    if index > last or not _adjacent(ground, index):
        return False
    if ground.words[index - 1].lower.endswith("'s"):
        return True
    word = ground.words[index]
    if word.is_capital or index in ground.timed or word.lower in _NOT_OBJECTS or word.lower in _AUXILIARIES:
        return False
    return base_of(word.lower) in (None, word.lower) and not word.lower.endswith(("ed", "ing", "ly"))


def _is_noun_too(word: str) -> bool:
    """Many nouns are verbs as well ("a dance class", "the film"); a past or -ing form after a noun begins a clause."""
    return (not word.endswith(("ed", "ing")) and base_of(word) == word) or word.endswith("s")


def _prepositions(ground: Ground, verb: _Verb, at: int, last: int, parties: list[Party]) -> int:
    """with, in, at, to, from, about, by behind the object, up to the next clause; returns the last token used."""
    end, stop = at - 1, min(last, at + MAX_REACH)
    index = at
    while index < stop:
        word = ground.words[index].lower
        if index > at and (word in ("i", "we", "but", "because", "when", "while") or _is_break(ground, index)):
            break
        role = _role(word, verb)
        found = _object(ground, index + 1, last) if role is not None and _adjacent(ground, index + 1) else None
        if role is None or found is None:
            index += 1
            continue
        party, until = found
        if _fits(role, party, ground):
            parties.append(Party(role, party.kind, party.text, party.name))
            end = until
        index = until + 1
    return end


def _is_break(ground: Ground, index: int) -> bool:
    gap = ground.text[ground.words[index - 1].end : ground.words[index].start]
    return ";" in gap or ":" in gap or "(" in gap or "\u2014" in gap


def _role(word: str, verb: _Verb) -> EdgeType | None:
    if word == "with" or (word == "to" and verb.base in _TALK):
        return EdgeType.WITH
    if word == "by" and verb.passive:
        return EdgeType.AGENT
    if word == "about":
        return EdgeType.TOPIC
    if word == "for" or (word == "to" and verb.base in ("give", "send", "show", "lend", "donate")):
        return EdgeType.OTHER
    return EdgeType.PLACE if word in _PLACE_PREPOSITIONS else None


def _fits(role: EdgeType, party: Party, ground: Ground) -> bool:  # noqa: ARG001
    """A common noun is a place or company only when it is known to be one."""
    if party.kind == "name":
        return True
    if role == EdgeType.PLACE:
        return party.text.split()[-1] in _PLACES
    if role == EdgeType.WITH:
        return party.kind == "kin" or party.text.split()[-1] in _COMPANY
    if role == EdgeType.OTHER:
        return party.kind == "kin"
    return True
