"""Who did what, with whom, where: clauses of a sentence by simple patterns over its words.

A subject (I, we, a name), a verb group, the noun phrase after it, and what prepositions add. Precision before recall:
a clause that does not fit the pattern is left alone. At most MAX_CLAUSES a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphmem.construct.clause_words import (
    ADJECTIVE_ENDS,
    ADVERBS,
    AUXILIARIES,
    BE,
    CLAUSE_STARTS,
    COMPANY,
    DETERMINERS,
    GERUND_VERBS,
    LINKING,
    MODIFIERS,
    NEGATIONS,
    NEVER_NOUNS,
    NOT_OBJECTS,
    PARTICLES,
    PLACE_PREPOSITIONS,
    PLACES,
    PRONOUNS,
    QUANTITIES,
    TALK,
    TO_VERBS,
)
from graphmem.construct.names import NATION, NameSpan
from graphmem.construct.tokens import Token
from graphmem.construct.verbs import base_of, is_gerund, is_participle, is_participle_alone
from graphmem.schema import EdgeType

MAX_CLAUSES = 3
MAX_MEMBERS = 8
MAX_OBJECT_WORDS = 3
#: Words looked at behind the verb; longer clauses are lists or run-on talk.
MAX_REACH = 24


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
        if at not in ground.name_at and ground.words[at].lower not in PRONOUNS:
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
    return gap != " " or before.lower in CLAUSE_STARTS or before.lower in ADVERBS or at - 1 in ground.timed


def _goes_on_a_list(ground: Ground, at: int, first: int) -> bool:
    """A name behind a comma is one of several, unless a time or an adverb stands before it ("Last week, Ada ...")."""
    if at == first or ground.text[ground.words[at - 1].end : ground.words[at].start].strip() != ",":
        return False
    return at - 1 not in ground.timed and ground.words[at - 1].lower not in ADVERBS


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
        if word.endswith("n't") or word in NEGATIONS:
            verb.negated = True
            auxiliary = word.removesuffix("n't") or auxiliary
        elif word in AUXILIARIES:
            auxiliary = word
        elif word in ADVERBS or (word.endswith("ly") and len(word) > 4):
            continue
        else:
            return _main_verb(ground, verb, index, auxiliary, last)
        verb.after = index + 1
    return _copula(verb, auxiliary)


def _main_verb(ground: Ground, verb: _Verb, index: int, auxiliary: str, last: int) -> _Verb | None:
    word = ground.words[index].lower
    base = base_of(word)
    after_be = auxiliary in BE
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
    if auxiliary in BE or auxiliary in ("has", "had", "have"):
        verb.base = "be" if auxiliary in BE else "have"
        return verb if auxiliary not in ("get", "got") else None
    return None


def _chain(ground: Ground, verb: _Verb, last: int) -> None:
    """A particle ("pick up"), an infinitive ("plan to visit"), a gerund ("start running") belong to the predicate."""
    words, at = ground.words, verb.after
    if at <= last and words[at].text in PARTICLES and _adjacent(ground, at):
        verb.base, at = f"{verb.base} {words[at].text}", at + 1
    if at < last and words[at].text == "to" and _adjacent(ground, at) and verb.base in TO_VERBS:
        second = base_of(words[at + 1].text)
        if second is not None:
            verb.base, at = f"{verb.base} to {second}", at + 2
    elif at <= last and _takes_gerund(verb.base) and _adjacent(ground, at) and is_gerund(words[at].text):
        verb.base, at = f"{verb.base} {words[at].text}", at + 1
    verb.after = at


def _links(base: str) -> bool:
    return (base_of(base.rsplit(" ", 1)[-1]) or base) in LINKING


def _is_place_next(ground: Ground, at: int, last: int) -> bool:
    """ "I was in Lund" tells something; "I was responsible for the sails of Lund" is left alone."""
    return at < last and ground.words[at].lower in ("in", "at", "near", "from")


def _takes_gerund(base: str) -> bool:
    return " " in base or base in TO_VERBS or base in GERUND_VERBS


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
        if word in DETERMINERS and not run:
            determined = True
        elif determined and (word in MODIFIERS or word.endswith(NATION) or _counts(ground, index)):
            pass
        elif (
            word in NOT_OBJECTS
            or word in AUXILIARIES
            or word in DETERMINERS
            or word.endswith("ly")
            or not word[0].isalpha()
            or (run and base_of(word) is not None and not _is_noun_too(word))
            or word in NEVER_NOUNS
        ):
            break
        else:
            run.append(word.removesuffix("'s"))
        index += 1
    if not run or (needs_article and not determined) or (len(run) == 1 and len(run[0]) < 3):
        return None
    if len(run) == 1 and not determined and run[0].endswith(ADJECTIVE_ENDS):
        return None
    kept = run[-MAX_OBJECT_WORDS:]
    if len(kept) == 1 and kept[0] in COMPANY:
        return Party(EdgeType.OBJECT, "kin", kept[0]), index - 1
    return Party(EdgeType.OBJECT, "thing", " ".join(kept)), index - 1


def _counts(ground: Ground, index: int) -> bool:
    """The "of" in "a lot of boats": what follows is the noun."""
    return ground.words[index].lower == "of" and ground.words[index - 1].lower in QUANTITIES


def _modifies(ground: Ground, index: int, last: int) -> bool:
    """Whether a name before this token only modifies it: a possessive, or a plain noun follows ("a Lund bakery")."""
    if index > last or not _adjacent(ground, index):
        return False
    if ground.words[index - 1].lower.endswith("'s"):
        return True
    word = ground.words[index]
    if word.is_capital or index in ground.timed or word.lower in NOT_OBJECTS or word.lower in AUXILIARIES:
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
    if word == "with" or (word == "to" and verb.base in TALK):
        return EdgeType.WITH
    if word == "by" and verb.passive:
        return EdgeType.AGENT
    if word == "about":
        return EdgeType.TOPIC
    if word == "for" or (word == "to" and verb.base in ("give", "send", "show", "lend", "donate")):
        return EdgeType.OTHER
    return EdgeType.PLACE if word in PLACE_PREPOSITIONS else None


def _fits(role: EdgeType, party: Party, ground: Ground) -> bool:  # noqa: ARG001
    """A common noun is a place or company only when it is known to be one."""
    if party.kind == "name":
        return True
    if role == EdgeType.PLACE:
        return party.text.split()[-1] in PLACES
    if role == EdgeType.WITH:
        return party.kind == "kin" or party.text.split()[-1] in COMPANY
    if role == EdgeType.OTHER:
        return party.kind == "kin"
    return True
