"""From instances to concepts (ArcMemo): names, numbers, quotes and addresses in what an agent did become their role.

"open the vent of the Arbo furnace" and "open the vent of furnace 7" are both "open the vent of the furnace": an
instance name beside a plain noun is left out, one that stands alone becomes its type ("mail <person>"), or <name>.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from graphmem.analysis import STOP_WORDS, stem, terms
from graphmem.schema import fold

MAX_CHARS = 400
#: What stands for the object of a strategy that holds for several kinds of objects.
ANY = "thing"
_TYPES = frozenset(("person", "place", "organisation", "work"))
_TOKEN = re.compile(
    r"(?P<text>\"[^\"\n]*\"|\u201c[^\u201d\n]*\u201d)|(?P<address>[\w.+-]+@[\w-]+\.\w+|https?://\S+)"
    r"|(?P<path>(?:~|\.{1,2})?/[\w./-]*\w|[\w.-]+(?:[/\\][\w.-]*\w)+|\w+\.[a-z]{1,4}\b(?!\.))"
    r"|(?P<word>\w+(?:['\u2019-]\w+)*)|(?P<mark>[^\w\s])"
)
_SENTENCE = re.compile(r"(?<=[.!?;\n])\s+|\n+")


def sentences_of(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE.split(text[:MAX_CHARS]) if part.strip()]


def names_in(texts: Iterable[str]) -> frozenset[str]:
    """Words that begin with a capital inside a sentence of some text: they are names where they begin one, too."""
    found = set[str]()
    for text in texts:
        for sentence in sentences_of(text):
            words = [match["word"] for match in _TOKEN.finditer(sentence) if match["word"]]
            found.update(word for word in words[1:] if word[0].isupper() and word != "I")
    return frozenset(found)


def abstract(text: str, names: frozenset[str] = frozenset(), types: Mapping[str, str] | None = None) -> str:
    """The text in lower case with its instances as roles; one line, no full stop at its end. `types`: what folded names
    stand for, such as person. O(len(text))."""
    return "; ".join(filter(None, (_sentence(part, names, types or {}) for part in sentences_of(text))))


def _sentence(text: str, names: frozenset[str], types: Mapping[str, str]) -> str:
    tokens: list[tuple[str, str]] = []
    for index, match in enumerate(_TOKEN.finditer(text)):
        word, role = _role(match, names, first=index == 0)
        if role == "<name>" and tokens and tokens[-1][1] == role:
            word = f"{tokens.pop()[0]} {word}"
        tokens.append((word, role))
    out: list[str] = []
    for index, (word, role) in enumerate(tokens):
        if not role:
            out.append(word)
        elif not _has_noun(tokens, index):
            type = types.get(fold(word), "") if role == "<name>" else ""
            told = f"<{type}>" if type in _TYPES else role
            if not out or out[-1] != told:
                out.append(told)
    return _spaced(out)


def _role(match: re.Match[str], names: frozenset[str], *, first: bool) -> tuple[str, str]:
    """The token in lower case and the role it is an instance of, "" for a plain word."""
    kind, text = str(match.lastgroup), match.group()
    if kind in ("text", "address", "path"):
        return text.lower(), f"<{kind}>"
    if kind == "word" and any(map(str.isdigit, text)):
        return text.lower(), "<number>"
    if kind == "word" and text[0].isupper() and text != "I" and (text in names or not first):
        return text, "<name>"
    return text.lower(), ""


def _has_noun(tokens: list[tuple[str, str]], index: int) -> bool:
    """Whether a plain noun beside the instance says what it is: "the Arbo furnace", "furnace 7". A quote, an address
    and a path stand for themselves, and so does a name that begins the sentence: what follows it says what it does."""
    if tokens[index][1] not in ("<name>", "<number>") or (not index and tokens[0][1] == "<name>"):
        return False
    after = index + 1
    while after < len(tokens) and tokens[after][1] in ("<name>", "<number>"):
        after += 1
    if after < len(tokens) and is_content(tokens[after][0]):
        return True
    return (
        tokens[index][1] == "<number>" and index > 1 and not tokens[index - 1][1] and is_content(tokens[index - 1][0])
    )


def is_content(word: str) -> bool:
    return word[0].isalpha() and word not in STOP_WORDS


def _spaced(words: list[str]) -> str:
    text = " ".join(words)
    return re.sub(r" ([,.;:!?)\]])", r"\1", text).replace("( ", "(").strip(" .;,!")


@lru_cache(maxsize=16_384)
def concepts(text: str) -> frozenset[str]:
    """The content words that a template is about, stemmed; roles and the word for any object left out."""
    return frozenset(terms(re.sub(r"<\w+>", " ", text))) - {stem(ANY)}


def head(template: str) -> str:
    """The object of an action: its last plain content word, "" when the action is a single word."""
    words = [match["word"] for match in _TOKEN.finditer(re.sub(r"<\w+>", " ", template)) if match["word"]]
    plain = [word for word in words if is_content(word)]
    return plain[-1] if len(plain) > 1 else ""


def lifted(template: str, noun: str) -> str:
    """The template with the noun as any object."""
    return re.sub(rf"\b{re.escape(noun)}\b", ANY, template)
