"""Sentence-sized spans of a passage, with exact offsets.

A span is a slice of the text without outer white space; spans do not overlap and nothing but white space lies between
them. Time is linear in the text, whatever it holds: a run without an end is cut at MAX_CHARS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphmem.construct.words import WORD, content_words

#: MiniLM reads 256 word pieces; a longer "sentence" is a list or a paste, and its parts are found better apart.
MAX_CHARS = 600
#: With fewer content words, or fewer words at all, a sentence is a fragment and joins its neighbour.
MIN_CONTENT_WORDS = 2
MIN_WORDS = 4

_EMOJI = "\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff\ufe0f\u200d"
# Runs are matched whole and from their first character only (possessive, look-behind): time stays linear on a run of
# ten million full stops.
_CLOSING = "\"'\u201d\u2019)\\]\u00bb*_"
_END = re.compile(
    rf"(?<![.!?\u2026])(?P<stop>[.!?\u2026]++)[{_CLOSING}]*+(?:[ \t]?[{_EMOJI}]++)*+(?=\s|\Z|\[)"
    r"|(?<![\u3002\uff01\uff1f\uff61])[\u3002\uff01\uff1f\uff61]++[\u300d\u300f\u201d\u2019\uff09]*+"
    rf"|(?<![{_EMOJI}])(?P<emoji>[{_EMOJI}]++)(?=\s{{1,4}}[A-Z0-9\[])"
    r"|(?P<line>\n\s*+)"
)
_LIST_ITEM = re.compile(r"(?:[-*+\u2022\u2023\u25aa\u25cf\u2013]|\d{1,3}[.)]|[a-z]\)|#{1,6}|>|\|)\s")
_LAST_TOKEN = re.compile(r"[^\s(\[\"'\u201c\u2018]*\Z")
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof rev hon st sr jr sen rep gov gen col capt lt sgt maj cmdr fr pres supt mme mlle messrs vs etc "
    "e.g i.e eg ie cf al approx vol vols eds pp fig figs inc ltd co corp bros dept univ c a.m p.m "
    "jan feb mar apr jun jul aug sep sept oct nov dec ave blvd rd ft mt u.s u.k "
    "ph.d m.d b.a m.a d.c".split()
)
#: These end a sentence as often as not: what follows them decides.
_ENDING_ABBREVIATIONS = frozenset("etc inc ltd co corp jr sr a.m p.m u.s u.k ph.d m.d b.a m.a d.c".split())
_TOKEN_CHARS = 20
_SHORT_LINE = 50


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, in order; fragments are joined with a neighbour. At least one unless blank."""
    return joined(text, raw_sentences(text))


def raw_sentences(text: str) -> list[tuple[int, int]]:
    """As `sentences`, fragments apart: for what must not look across a sentence's end."""
    return list(_pieces(text))


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _END.finditer(text):
        if match.end() <= start or not _ends(text, start, match):
            continue
        yield from _bounded(text, start, match.end())
        start = match.end()
    yield from _bounded(text, start, len(text))


def _ends(text: str, start: int, match: re.Match[str]) -> bool:  # noqa: PLR0911 a table in the shape of returns
    """Whether a sentence ends at this match: what stands before a full stop and what follows decide."""
    follows = text[match.end() : match.end() + 2].lstrip() or text[match.end() : match.end() + 12].lstrip()
    if match.lastgroup == "line":
        return _line_ends(text, start, match)
    if match.lastgroup != "stop":
        return True
    if follows and follows[0].islower() and "\n\n" not in text[match.end() : match.end() + 3]:
        return _is_lower_case_chat(text, match)
    if match["stop"] != ".":
        return True
    token = _token_before(text, start, match.start())
    if not token:
        return True
    if len(token) == 1 and token.isalpha() and token.isupper():
        return token == "I" or not (follows and follows[0].isupper()) or not _is_initial(text, start, match.start())
    if token.isdigit() and len(token) <= 3 and not text[start : match.start() - len(token)].strip():
        return False
    word = token.casefold()
    if word in ("no", "nos") and follows[:1].isdigit():
        return False
    if word in _ENDING_ABBREVIATIONS:
        return not follows or follows[0].isupper()
    return word not in _ABBREVIATIONS and not (len(word) > 2 and word.count(".") == len(word) // 2 and follows)


def _is_lower_case_chat(text: str, match: re.Match[str]) -> bool:
    """`really?? i had no idea`: who never writes capitals still ends sentences; `"Why?" he asked` does not."""
    quoted = match.end() > match.end("stop") and text[match.end("stop")] in "\"'\u201d\u2019\u00bb"
    if quoted or "\u2026" in match["stop"] or match["stop"].startswith(".."):
        return False
    if match["stop"] != ".":
        return True
    word = _token_before(text, 0, match.start()).casefold()
    return len(word) > 3 and "." not in word and word not in _ABBREVIATIONS


def _is_initial(text: str, start: int, at: int) -> bool:
    """A capital letter before a full stop at `at`: part of a name ("J. Smith", "Anna K. Berg"), not "plan B."."""
    before = text[max(start, at - 1 - _TOKEN_CHARS) : at - 1].rstrip()
    if not before:
        return True
    last = before.split()[-1]
    return last[:1].isupper() or last[-1] in '(\u201c"' or last.casefold() in {"by", "and", "with", "of", "to", "mr"}


def _token_before(text: str, start: int, at: int) -> str:
    match = _LAST_TOKEN.search(text, max(start, at - _TOKEN_CHARS), at)
    return match.group() if match else ""


def _line_ends(text: str, start: int, match: re.Match[str]) -> bool:
    """A blank line ends; a single one when a list goes on, or when the line before is too short to be wrapped."""
    if match.group().count("\n") > 1:
        return True
    if _LIST_ITEM.match(text, match.end()):
        return True
    line = match.start() - max(start, text.rfind("\n", max(0, match.start() - 200), match.start()) + 1)
    return line < _SHORT_LINE and not text[match.end() : match.end() + 1].islower()


def _bounded(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span without outer white space, in pieces of at most MAX_CHARS, cut at white space where there is any."""
    while start < end:
        stop = end if end - start <= MAX_CHARS else _cut(text, start)
        while start < stop and text[start].isspace():
            start += 1
        last = stop
        while last > start and text[last - 1].isspace():
            last -= 1
        if start < last:
            yield start, last
        start = stop


def _cut(text: str, start: int) -> int:
    window = text[start : start + MAX_CHARS]
    for marks in ((";", "\u3001", "\uff0c"), (",",), (" ", "\n", "\t")):
        at = max(window.rfind(mark) for mark in marks)
        if at >= MAX_CHARS // 2:
            return start + at + 1
    return start + MAX_CHARS


def joined(text: str, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Fragments at the front join what follows, others what stands before; never beyond MAX_CHARS."""
    if len(pieces) < 2:
        return pieces
    out: list[tuple[int, int]] = []
    held: int | None = None
    out_end = 0
    for start, end in pieces:
        if held is not None and end - held > MAX_CHARS:
            out.append((held, out_end))
            held = None
        if is_fragment(text[start:end]):
            if held is None and out and end - out[-1][0] <= MAX_CHARS:
                out[-1] = (out[-1][0], end)
            elif held is None:
                held = start
            out_end = end
            continue
        out.append((start if held is None else held, end))
        held = None
    if held is not None:
        out.append((held, out_end))
    return out


def is_fragment(sentence: str) -> bool:
    """Too little to be an idea of its own. A script without spaces is judged by its length."""
    if len(sentence) > 60:
        return False
    words = WORD.findall(sentence)
    if len(words) < MIN_WORDS and not any(ord(char) > 0x2E80 for char in sentence[:8]):
        return True
    return len(words) >= MIN_WORDS and len(content_words(sentence, MIN_CONTENT_WORDS)) < MIN_CONTENT_WORDS
