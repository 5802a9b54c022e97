"""Calibration text that every installation has: Python's own documentation, and what the dense model itself writes.

The documentation is the reference manual that ships with `pydoc` and the docstrings of the standard library. The rest
is sampled from the dense model, from openings written here: it is the distribution that the converted model has to
keep, in the kinds of text (talk, prose, questions over a context) that the documentation lacks.
"""

from __future__ import annotations

import ast
import random
import sysconfig
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PEOPLE = ("Maya", "Jonas", "Priya", "Leo", "Hannah", "Omar", "Sofia", "Ben", "Clara", "Tariq", "Ellen", "Victor")
OPENINGS = (
    "did you end up signing up for that pottery class?",
    "how was the trip to the coast last weekend?",
    "I finally finished painting the kitchen. It took three days!",
    "guess what, we adopted a puppy yesterday!",
    "my sister is getting married in October and I'm so excited.",
    "I've been thinking about changing jobs lately.",
    "the concert last night was amazing, you should have come.",
    "how is your training for the marathon going?",
    "I started volunteering at the animal shelter this month.",
    "my daughter had her first school play on Friday.",
    "I'm reading a great book about the history of maps.",
    "we planted tomatoes and beans in the garden this spring.",
    "I have been feeling stressed at work, but yoga helps a lot.",
    "do you remember the restaurant we went to for my birthday?",
    "my laptop broke again and I lost two weeks of photos.",
    "I got the scholarship! Classes begin in September.",
)
PROSE = (
    "To install the package, run the following command.",
    "This module provides functions for reading and writing files.",
    "The company announced on Monday that",
    "Photosynthesis is the process by which",
    "The recipe is simple. First,",
    "The museum's collection includes",
    "According to the report, the number of",
    "The history of the city begins",
)
#: How articles of an encyclopedia begin; what stands in braces is drawn from FIELDS.
ARTICLES = (
    "{name}\n{name} (born {day} {year}) is a {people} {trade}",
    "{name}\n{name} ({day} {past} – {day} {year}) was a {people} {trade} who",
    "{name}\n{name} was the {rank} son of {name} and",
    "{name}\n{name} (died {past}) was a {people} noblewoman, the wife of",
    "{title}\n{title} is a {year} {people} {genre} film directed by {name}",
    "{title}\n{title} is a {year} novel by {people} writer {name}",
    "{title}\n{title} is the {rank} studio album by {people} singer {name}",
    "{title}\n{title} is a song by {people} band",
    "{title}\n{title} is a {people} television series that first aired in {year}",
    "{place}\n{place} is a village in the north of",
    "{place}\n{place} is a city and municipality in",
    "{place} River\nThe {place} is a river that rises in",
    "Battle of {place}\nThe Battle of {place} took place on {day} {past} between",
    "University of {place}\nThe University of {place} is a public university founded in {past}",
    "{place} County\n{place} County is located in the U.S. state of",
    "{place} F.C.\n{place} Football Club is a {people} football club based in",
    "{name} Prize\nThe prize was established in {year} and is awarded",
    "The species is found in the forests of",
)
FIELDS = {
    "name": (
        "Henri Laurent", "Margaret Ashdown", "Giulio Ferrante", "Anna Lindqvist", "Robert Hale", "Sergei Volkonin",
        "Rajesh Iyer", "Thomas of Eltham", "Elisabeth von Harden", "Kenji Moriyama", "Charles Whitcombe", "Marta Soler",
    ),
    "title": ("The Silent Harbour", "Last Train West", "Midnight Orchard", "House of Winters", "Blue Meridian"),
    "place": ("Ashford", "Valdora", "Kirkmoor", "Lindau", "Monteverde", "Harrow", "Santa Rosa", "Brenmark"),
    "people": ("American", "British", "French", "Italian", "Indian", "German", "Japanese", "Australian", "Swedish"),
    "trade": ("film director", "politician", "footballer", "composer", "actress and singer", "painter", "historian"),
    "genre": ("drama", "comedy", "silent", "crime", "romantic comedy", "horror", "Western"),
    "rank": ("first", "second", "third", "eldest"),
    "day": ("12 March", "3 June", "27 October", "19 August", "8 January"),
    "year": ("1934", "1951", "1962", "1978", "1989", "1997", "2006", "2014"),
    "past": ("1189", "1347", "1524", "1643", "1715", "1798", "1842", "1887"),
}  # fmt: skip
QUESTIONS = (
    "Explain why the sky is blue in a few sentences.",
    "What should I pack for a week in the mountains?",
    "Write a short letter to a neighbour about a lost cat.",
    "Summarise how a bill becomes a law.",
    "Give me three ideas for a rainy afternoon with children.",
    "What is the difference between a virus and a bacterium?",
    "How do I make a good cup of coffee?",
    "Who invented the telephone, and when?",
)
CONTEXTS = (
    ("Ruben: I moved to Lisbon in March. The flat is near the harbour.", "Where does Ruben live?"),
    ("Ida: Our choir sings on Tuesdays. Next month we travel to Prague.", "When does Ida's choir sing?"),
    ("Sam: I sold my old bicycle and bought a blue kayak instead.", "What did Sam buy?"),
    ("Noor: My brother Karim is a nurse; he works nights at the hospital.", "What does Karim do?"),
    ("The bakery on Mill Street opens at six. It was founded by Greta Holm in 1962.", "Who founded the bakery?"),
    ("Lena: The exam was postponed to the 14th of June because of the storm.", "When is the exam?"),
    ("Pavel: I am allergic to nuts, so please leave them out of the cake.", "What is Pavel allergic to?"),
    ("The ferry leaves from the east pier at noon. Tickets cost four euros.", "What does a ticket cost?"),
)
SYSTEM = "Answer the question from the evidence in one short sentence."


def calibration(seed: int, chars: int) -> list[str]:
    """Pieces of Python's manual and docstrings, shuffled, at least `chars` in all if there are so many."""
    pieces = list(documented())
    random.Random(seed).shuffle(pieces)
    total = 0
    for count, piece in enumerate(pieces):
        total += len(piece)
        if total >= chars:
            return pieces[: count + 1]
    return pieces


@cache
def documented() -> tuple[str, ...]:
    return (*manual(), *docstrings())


def manual() -> Iterator[str]:
    """The topics of Python's manual; none where an installation leaves pydoc's data out."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        return
    yield from (text for _, text in sorted(topics.items()) if len(text) > 400)


def docstrings() -> Iterator[str]:
    """Docstrings of at least 300 characters of the standard library's own modules, in the order of their paths."""
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node)
                if text and len(text) >= 300:
                    yield text


def openings(tokenizer: Any, seed: int, count: int) -> list[str]:
    """What the dense model is asked to go on from: of eight two are talk, three articles of an encyclopedia, one other
    prose, two questions."""
    draw = random.Random(seed)
    return [opening(tokenizer, draw, index % 8) for index in range(count)]


def opening(tokenizer: Any, draw: random.Random, kind: int) -> str:
    if kind < 2:
        one, other = draw.sample(PEOPLE, 2)
        return f"{one}: Hey {other}, {draw.choice(OPENINGS)}\n{other}:"
    if kind < 6:
        return article(draw) if kind < 5 else draw.choice(PROSE)
    if kind == 6 or tokenizer.chat_template is None:
        return chat(tokenizer, [("user", draw.choice(QUESTIONS))])
    evidence, question = draw.choice(CONTEXTS)
    asked = f"Evidence:\n{evidence}\n\nQuestion: {question}"
    return chat(tokenizer, [("system", SYSTEM), ("user", asked)])


def article(draw: random.Random) -> str:
    """One name of each field stands for all its places in the opening."""
    return draw.choice(ARTICLES).format(**{field: draw.choice(some) for field, some in FIELDS.items()})


def chat(tokenizer: Any, turns: Sequence[tuple[str, str]]) -> str:
    """The turns as the model's chat template writes them; plain lines where it has none."""
    if tokenizer.chat_template is None:
        return "".join(f"{role}: {text}\n" for role, text in turns) + "assistant:"
    messages = [{"role": role, "content": text} for role, text in turns]
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def rows_of(tokenizer: Any, texts: Sequence[str], length: int) -> torch.Tensor:
    """The texts one after the other, cut into rows of `length` tokens: [rows, length]."""
    import torch

    end = tokenizer.eos_token_id
    ids: list[int] = []
    for text in texts:
        ids += [*tokenizer(text, add_special_tokens=False)["input_ids"], *([end] if end is not None else [])]
    rows = len(ids) // length
    return torch.tensor(ids[: rows * length]).view(rows, length)
