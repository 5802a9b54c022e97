"""English verbs: which words are verbs, and their base forms. A small table and rules, no dictionary."""

from __future__ import annotations

from functools import lru_cache

_IRREGULAR = (
    "be:am,is,are,was,were,been,being have:has,having,had do:does,did,done go:goes,went,gone get:got,gotten say:said "
    "make:made know:knew,known think:thought take:took,taken see:saw,seen come:came find:found give:gave,given "
    "tell:told become:became leave:left feel:felt put:put bring:brought begin:began,begun keep:kept hold:held "
    "write:wrote,written stand:stood hear:heard let:let mean:meant set:set meet:met run:ran pay:paid sit:sat "
    "speak:spoke,spoken lead:led read:read grow:grew,grown lose:lost fall:fell,fallen send:sent build:built "
    "understand:understood draw:drew,drawn break:broke,broken spend:spent cut:cut rise:rose,risen drive:drove,driven "
    "buy:bought wear:wore,worn choose:chose,chosen eat:ate,eaten sell:sold catch:caught teach:taught win:won "
    "fly:flew,flown "
    "sing:sang,sung swim:swam,swum ride:rode,ridden throw:threw,thrown sleep:slept wake:woke,woken "
    "forget:forgot,forgotten "
    "fight:fought hit:hit hurt:hurt shoot:shot steal:stole,stolen hide:hid,hidden bear:bore,born,borne bite:bit,bitten "
    "blow:blew,blown shake:shook,shaken shine:shone seek:sought bind:bound light:lit lend:lent bend:bent deal:dealt "
    "dig:dug feed:fed freeze:froze,frozen hang:hung kneel:knelt lay:laid lie:lay,lain,lied quit:quit ring:rang,rung "
    "sew:sewn show:shown shut:shut sink:sank,sunk slide:slid spread:spread stick:stuck strike:struck swear:swore,sworn "
    "sweep:swept tear:tore,torn undergo:underwent,undergone withdraw:withdrew,withdrawn overcome:overcame bet:bet "
    "bid:bid "
    "cost:cost spin:spun split:split weave:wove,woven knit:knit foresee:foresaw forgive:forgave,forgiven host:hosted"
)
_REGULAR = (
    "accept achieve act adapt add admire admit adopt advise afford agree aim allow announce answer appear apply "
    "appoint "
    "appreciate arrange arrive ask assist attend attract avoid award bake base beat believe belong book borrow bounce "
    "call camp capture care carry cause celebrate change chase check clean climb close coach collect combine compete "
    "complete compose conduct connect consider contact contain continue contribute cook cover crash create cross dance "
    "decide decorate defeat deliver describe design develop direct discover discuss donate dream dress drop earn edit "
    "educate elect embrace employ encourage end enjoy enter escape establish exercise exhibit expand expect experience "
    "explain explore express extend face fail feature fill film finish fish fix focus follow form found gain garden "
    "gather generate graduate greet handle happen hate head heal help hike hire hope hug imagine improve include "
    "increase "
    "influence inherit inspire install interview introduce invent invest invite involve issue join journal jump kick "
    "kill "
    "kiss land laugh launch learn like listen live locate look love maintain manage mark marry match mention "
    "mentor "
    "miss mix move name need nominate notice observe offer open operate order organize organise own pack paint park "
    "participate pass perform photograph pick plan plant play portray practice practise praise pray prefer prepare "
    "present "
    "produce promise promote propose protect prove provide publish pull purchase push raise reach realize realise "
    "receive "
    "recommend record recover reduce refer register relate relax release rely remain remember remind remodel renovate "
    "rent "
    "repair replace report represent request require rescue research resign retire return review roast save schedule "
    "score "
    "search serve settle share shop sign skate ski sketch smile solve start stay stop stream stretch study succeed "
    "suffer "
    "suggest supply support suppose surf surprise survive talk taste test thank tour trade train transfer travel "
    "treat try "
    "turn upload use vacation value view visit volunteer vote wait walk want warn wash watch wed welcome wish witness "
    "wonder work worry yell bike blog code draft kayak knit nap crochet launch rehearse photograph style tutor upgrade "
    "adapt star author co-write found chair command conquer crown execute invade abdicate reign rule succeed coproduce "
    "design engineer discover translate narrate premiere debut screen sponsor sing skate struggle stumble switch "
    "tackle "
    "track trust unpack update handle hang bond break brainstorm cuddle declutter reconnect relocate resume reunite"
)
_BASE: dict[str, str] = {}
_PARTICIPLES: set[str] = set()
_NEVER_PAST: set[str] = {"born", "borne"}
for _row in _IRREGULAR.split():
    _name, _, _forms = _row.partition(":")
    _BASE[_name] = _name
    for _form in _forms.split(","):
        _BASE[_form] = _name
    _PARTICIPLES.add(_forms.split(",")[-1])
    if "," in _forms and _name not in ("be", "lie", "shine"):
        _NEVER_PAST.add(_forms.split(",")[-1])
for _name in _REGULAR.split():
    _BASE.setdefault(_name, _name)
#: Forms that are other words more often than verbs of this base.
for _form in ("found", "saw", "felt", "left", "ground"):
    _PARTICIPLES.add(_form)
_BASE |= {"found": "find", "saw": "see", "left": "leave", "born": "bear", "shown": "show", "showed": "show"}
_VOWELS = "aeiou"


@lru_cache(maxsize=16_384)
def base_of(word: str) -> str | None:
    """The base form of a verb in any form; None when the word is not known to be a verb. Case-folded words only."""
    if word in _BASE:
        return _BASE[word]
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            for base in _stems(word[: -len(ending)], ending):
                if _BASE.get(base) == base:
                    return base
            if ending == "ed" and len(word) > 5 and word.isascii() and word.isalpha():
                return _guess(word[:-2])
    return None


def _stems(stem: str, ending: str) -> list[str]:
    found = [stem, stem + "e"] if ending != "s" else [stem]
    if stem.endswith("i") and ending in ("ed", "es"):
        found.append(stem[:-1] + "y")
    if ending in ("ing", "ed") and len(stem) > 2 and stem[-1] == stem[-2]:
        found.insert(0, stem[:-1])
    if ending == "ing" and stem.endswith("y"):
        found.append(stem[:-1] + "ie")
    return found


def _guess(stem: str) -> str:
    """The base of an unknown regular past: "recorded" -> record, "married" -> marry, "moved" -> move."""
    if stem.endswith("i"):
        return stem[:-1] + "y"
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsfz":
        return stem[:-1]
    if stem[-1] in "vucz" or (stem[-1] in "gs" and stem[-2] in "anr" and not stem.endswith("ss")):
        return stem + "e"
    if stem[-1] == "t" and stem[-2] in "ai" and len(stem) > 4:
        return stem + "e"
    if stem[-1] == "r" and stem[-2] in "ui":
        return stem + "e"
    return stem


def is_participle(word: str) -> bool:
    """Whether a word can follow "was" as a past participle."""
    return word in _PARTICIPLES or (word.endswith("ed") and base_of(word) is not None)


def is_gerund(word: str) -> bool:
    return word.endswith("ing") and len(word) > 4 and base_of(word) is not None


def is_participle_alone(word: str) -> bool:
    """Whether a form cannot be a verb without an auxiliary: "born", "written", "gone"."""
    return word in _NEVER_PAST
