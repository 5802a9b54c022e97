"""Talk between Ada and Ben over several sessions, with themes that a hash embedder tells apart by their words."""

from __future__ import annotations

from collections.abc import Sequence

from graphmem.memory import Memory
from graphmem.schema import PassageDraft, SourceDraft

DAY_US = 86_400_000_000
THEMES = {
    "Ada": {
        "pottery": ("glazed", "clay", "bowls", "kiln"),
        "sailing": ("sailed", "wooden", "dinghy", "harbour"),
        "garden": ("planted", "purple", "tulips", "orchard"),
    },
    "Ben": {
        "chess": ("studied", "chess", "openings", "tournament"),
        "baking": ("baked", "rye", "bread", "oven"),
        "cycling": ("cycled", "mountain", "passes", "gravel"),
    },
}
ODD = "lantern copper violin glacier pepper saddle meadow ribbon anchor walnut marble feather".split()
SESSIONS = 4


def said(speaker: str, theme: str, number: int) -> str:
    """A statement on a theme: four words that all of them share and one of its own."""
    did, kind, thing, place = THEMES[speaker][theme]
    return f"I {did} the {kind} {thing} in the {place} with a {ODD[number % len(ODD)]}."


def turns(sessions: Sequence[int] = range(SESSIONS), *, named: bool = True) -> list[PassageDraft]:
    """In each session each theme comes up once, both speakers' in turn, three statements of each in a row."""
    drafts = []
    for session in sessions:
        for mine, theirs in zip(THEMES["Ada"], THEMES["Ben"], strict=True):
            for number in range(3 * session, 3 * session + 3):
                for speaker, theme in (("Ada", mine), ("Ben", theirs)):
                    ref = f"{session} {theme} {number}"
                    drafts.append(turn(said(speaker, theme, number), ref, speaker, session, named=named))
    return drafts


def turn(text: str, ref: str, speaker: str, session: int, *, named: bool = True) -> PassageDraft:
    return PassageDraft(text, ref, speaker, session * 30 * DAY_US, 0, f"session {session}" if named else None)


def remember(memory: Memory, drafts: Sequence[PassageDraft]) -> None:
    memory.remember_many(drafts, source=SourceDraft("conversation", "talk"))
