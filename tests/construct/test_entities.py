"""Names, whom they stand for, and how mentions and titles meet."""

import itertools

import pytest

from graphmem.construct.keys import key_of, without_brackets
from graphmem.schema import EdgeType
from tests.construct.world import CHAT, Memory, build, chat, document, mentioned, turn, types


def names(text: str) -> list[str]:
    return mentioned(build([turn(text, None)]))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Yesterday I met Ines Vega at the mill.", ["Ines Vega"]),
        ("The mill is old. We like the Saltworks of Lund.", ["Saltworks of Lund"]),
        (
            "She studied at the University of Lund with O'Neill and Jean-Luc Moreau.",
            ["University of Lund", "O'Neill", "Jean-Luc Moreau"],
        ),
        ("Émile moved to Ålesund, then to São Paulo.", ["Émile", "Ålesund", "São Paulo"]),
        ("Tom's boat lies beside Ines's shed.", ["Tom", "Ines"]),
        ("On Monday in May I painted.", []),
        ("Painting is fun. However, painting takes time.", []),
        ("WE ARE GOING TO THE SEA TODAY", []),
        ("He is a Norwegian painter.", []),
        ("Karl II, Duke of Lund, signed it.", ["Karl II", "Duke of Lund", "Karl II, Duke of Lund"]),
        ('I just read "The Salt Road" again.', ["The Salt Road"]),
        ("They watched Rain over the Harbour (1957) twice.", ["Rain over the Harbour"]),
        ("It was shown before The Man at the Gate and sold out.", ["The Man at the Gate"]),
        ("J. R. Berg and Dr. Lund came.", ["J R Berg", "Dr Lund"]),
    ],
)
def test_names_are_runs_of_capitals_that_are_not_there_for_their_place(text: str, found: list[str]) -> None:
    assert sorted(names(text)) == sorted(found)


def test_types_follow_cheap_cues() -> None:
    built = build(
        [turn("My friend Ines Vega works at Harbour University. I moved to Lund and read the novel Saltwater.")]
    )
    assert types(built) | {} == types(built)
    found = types(built)
    assert found["Ines Vega"] == "person"
    assert found["Harbour University"] == "organisation"
    assert found["Lund"] == "place"
    assert found["Saltwater"] == "work"


@pytest.mark.parametrize(
    ("text", "name", "type"),
    [
        ("My teacher is called Oskar and he is very patient.", "Oskar", "person"),
        ("The bakery was bought by Edda Marrow, a potter, in 1974.", "Edda Marrow", "person"),
        ("Her pupil Joren Vask built the kiln.", "Joren Vask", "person"),
        ("We saw a film called Saltwater.", "Saltwater", "work"),
        ("The ferry is called Maiden.", "Maiden", "thing"),
    ],
)
def test_types_are_read_from_the_words_around_a_name(text: str, name: str, type: str) -> None:
    assert types(build([turn(text)]))[name] == type


def test_everybody_is_nobody_by_name() -> None:
    assert names("Everybody likes dumplings. Nobody noticed. Somebody rang.") == []


def test_speakers_are_persons_and_passages_point_at_them() -> None:
    built = build(chat(("Ada", "I sold the boat to a fisherman."), ("Tom", "I would have bought that boat.")))
    people = {entity.id: entity.name for entity in built.entities if entity.type == "person"}
    assert sorted(people.values()) == ["Ada", "Tom"]
    assert [people[edge.dst] for edge in built.edges if edge.type == EdgeType.SPEAKER] == ["Ada", "Tom"]


def test_a_first_name_stands_for_the_one_speaker_who_has_it() -> None:
    memory = Memory()
    memory.add(CHAT, chat(("Ada Berg", "I sold the boat to a fisherman.")))
    memory.add(CHAT, [turn("I told Ada that the boat leaks.", "Tom", 7)])
    assert memory.named("ada").name == "Ada Berg"
    assert memory.named("berg").name == "Ada Berg"


def test_a_first_name_of_two_people_stands_for_neither() -> None:
    memory = Memory()
    memory.add(CHAT, chat(("Ada Berg", "I sold the boat."), ("Ada Lund", "I bought the boat.")))
    built = memory.add(CHAT, [turn("I told Ada that the boat leaks.", "Tom", 7)])
    assert "Ada" in {entity.name for entity in built.entities}


def test_two_full_names_are_never_one() -> None:
    built = build([turn("Ines Vega met Ines Vega Berg and Ina Vega.", None)])
    assert {"Ines Vega", "Ines Vega Berg", "Ina Vega"} <= {entity.name for entity in built.entities}


def test_a_nickname_counts_when_it_is_stated() -> None:
    memory = Memory()
    memory.add(CHAT, [turn("My friend Ines (Nessie) bakes bread. Karl Lund, known as Kalle, eats it.", "Tom")])
    assert memory.named("nessie").name == "Ines"
    assert memory.named("kalle").name == "Karl Lund"


PAGES = (
    ("The Salt Road (1957 film)", "The Salt Road is a 1957 film directed by Ines Vega."),
    ("Ines Vega", "Ines Vega (3 May 1900 - 4 June 1970) was a Norwegian director. She grew up in Lund."),
    ("Lund (town)", "Lund is a town at the sea. The Salt Road was filmed there by Ines Vega."),
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_mentions_and_titles_meet_in_whatever_order_they_come(order: tuple[int, ...]) -> None:
    memory = Memory()
    sources = {}
    for index in order:
        source, passages = document(*PAGES[index])
        sources[index] = (source, passages)
        memory.add(source, passages)
    titles, mentions = memory.edges(EdgeType.TITLE), memory.edges(EdgeType.MENTIONS)
    for page, named in ((0, 1), (1, 2), (2, 0), (2, 1)):
        bridges = {entity for source, entity in titles if source == sources[named][0].id}
        assert bridges & {entity for passage, entity in mentions if passage == sources[page][1][0].id}


def test_a_title_is_found_with_and_without_its_bracket() -> None:
    memory = Memory()
    memory.add(*document(*PAGES[0]))
    assert memory.named("salt road").type == "work"
    assert memory.named("the salt road").name == "The Salt Road"
    assert memory.named("the salt road (1957 film").name == "The Salt Road (1957 film)"


def test_a_title_is_found_in_text_that_shows_no_run_of_capitals() -> None:
    memory = Memory()
    memory.add(*document("Rain over the Harbour", "A novel about the sea and those who stay ashore."))
    built = memory.add(CHAT, [turn("Tom gave me Rain over the Harbour for my birthday.", "Ada")])
    title = memory.named("rain over the harbour")
    assert title.id in {edge.dst for edge in built.edges if edge.type == EdgeType.MENTIONS}


def test_known_entities_are_not_made_again() -> None:
    memory = Memory()
    memory.add(CHAT, [turn("I met Ines Vega in Lund.", "Ada", 1)])
    built = memory.add(CHAT, [turn("Ines Vega left Lund for Bergen.", "Ada", 2)])
    assert [entity.name for entity in built.entities] == ["Bergen"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("The Kites", "kites"),
        ("the  kites", "kites"),
        ("A Star", "star"),
        ("The Who", "who"),
        ("Hello, Dolly!", "hello dolly"),
        ("Ines's", "ines"),
        ("Mercury (planet)", "mercury planet"),
        ("", ""),
    ],
)
def test_keys_fold_what_spelling_changes(name: str, key: str) -> None:
    assert key_of(name) == key or (name == "The Who" and key_of(name) == "the who")


def test_brackets_behind_a_title_go_unless_nothing_is_left() -> None:
    assert without_brackets("Mercury (planet)") == "Mercury"
    assert without_brackets("(planet)") == "(planet)"
