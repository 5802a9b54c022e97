"""The form of a passage, seen in its text alone: what ranking asks of a turn without reading it."""

from __future__ import annotations

import re

from graphmem.construct.words import content_words
from graphmem.schema import Form

SHORT_CONTENT_WORDS = 5

# The words that questions about time are answered with. "may" is kept, verb or not: a wrong bit costs a little rank,
# and this set was measured as it stands.
_TIME = re.compile(
    r"\b(?:yesterday|today|tonight|tomorrow|last|next|this|ago|week|weekend|month|year|morning|evening|night|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|may|june|july|august|"
    r"september|october|november|december|\d{4}|recently|since|soon)\b",
    re.I,
)
_CAPTION = re.compile(
    r"\[(?:shares?|shared|sends?|sent|posts?|posted) (?:a |an |some )?[\w ]{0,20}: [^\]]*\]\s*\Z", re.I
)
_CAPTION_CHARS = 2_000
_QUESTION_MARKS = "?\uff1f\u061f"
_AFTER_QUESTION = " \t\r\n\"'\u201d\u2019)]!\ufe0f"


def form_of(text: str, *, opens_section: bool) -> Form:
    """Form bits of a passage. A question mark may be followed by a photo's caption, quotes or emoji. O(len(text))."""
    form = Form.OPENS_SECTION if opens_section else Form.NONE
    body = text
    caption = caption_start(text)
    if caption is not None:
        form |= Form.HAS_CAPTION
        body = text[:caption]
    if any(mark in text for mark in _QUESTION_MARKS):
        form |= Form.HAS_QUESTION
        if body[-40:].rstrip(_AFTER_QUESTION + _trailing_symbols(body)).endswith(tuple(_QUESTION_MARKS)):
            form |= Form.ENDS_IN_QUESTION
    if _TIME.search(text):
        form |= Form.NAMES_TIME
    if len(text) < 200 and len(content_words(body, SHORT_CONTENT_WORDS)) < SHORT_CONTENT_WORDS:
        form |= Form.SHORT
    return form


def caption_start(text: str) -> int | None:
    """Where the caption of a shared photo begins, when the text ends with one."""
    if not text.endswith("]"):
        return None
    low = max(0, len(text) - _CAPTION_CHARS)
    at = text.rfind("[", low)
    return at if at >= 0 and _CAPTION.match(text, at) else None


def _trailing_symbols(text: str) -> str:
    """Emoji and other symbols at the very end: people ask "really? 😮"."""
    return "".join({char for char in text[-12:] if ord(char) > 0x2190 and not char.isalnum() and char != "\uff1f"})
