"""Words of a text as construction sees them: plain, unstemmed, with the stop words of the analyser."""

from __future__ import annotations

import re

from graphmem.analysis import STOP_WORDS

WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")

#: Words that carry a turn but no idea: greetings, interjections, fillers, weak verbs and adjectives.
FILLERS = frozenset(
    "yeah yes yep yup no nope nah wow oh ooh aw aww ah hey hi hello hiya bye goodbye ok okay cool nice great awesome "
    "amazing good fantastic wonderful thanks thank please sure right well haha hahaha lol yay hmm hm um uh gosh man "
    "dude really totally absolutely definitely exactly indeed maybe perhaps glad happy love loved like liked know "
    "think feel guess mean see say said tell told get got getting go going went gone come came make made take took "
    "thing things stuff lot lots bit way much many lately kind sort even still though ever never always back now "
    "let lets want wanted need keep look looking looks sounds sound hope one something anything everything someone "
    "anyone everyone nothing because while since until yet let's that'll gonna wanna gotta it'll "
    "around up down out off away am pm etc via per".split()
)


def content_words(text: str, limit: int) -> list[str]:
    """The first `limit` words that are neither stop words nor a single letter, case-folded."""
    found = []
    for match in WORD.finditer(text):
        word = match.group().casefold().replace("\u2019", "'")
        if len(word) > 1 and word not in STOP_WORDS:
            found.append(word)
            if len(found) >= limit:
                break
    return found


#: Words that begin sentences and are no names, beyond stop words and fillers.
STARTERS = frozenset(
    "according after again ago alas almost along already although altogether among another anyhow anyway apart "
    "apparently "
    "ask away be because been before behind being below besides best better beyond big both bring build but buy by can "
    "catch check clearly come congrats congratulations considering could currently day days dear decide despite did do "
    "does done don't each earlier early either else end enjoy enough especially even eventually ever every except few "
    "finally find first following for former formerly fortunately from full fun further generally give given good "
    "great "
    "had half happy hard hardly have having help here hers herself himself his honestly how however hopefully if "
    "imagine "
    "in including initially inside instead into is it its itself join just keep last lastly later latest least less "
    "life like likely listen little living long look love luckily made mainly make many me meanwhile merely might mine "
    "more moreover most mostly must my myself near nearly neither new next nobody none nor not note nothing nowhere "
    "of off "
    "often oh old on once one only onto or originally other others otherwise ought our ours over overall own part "
    "people "
    "plus possibly previously probably quite rather recently regardless remember remind same second secondly see seems "
    "several shall she should similarly simply since six sometime sometimes somewhere soon sorry speaking start still "
    "stop "
    "such surely take talk taking ten than that the their them then there therefore these they third this those though "
    "three through throughout thus time times to today together tomorrow tonight too toward towards trust try two "
    "ultimately under unfortunately unless unlike until up upon us use used usually various very via wait watch we "
    "were "
    "what whatever when whenever where whereas wherever whether which whichever while who whoever whom whose why will "
    "wish "
    "with within without work would yesterday yet you your yours yourself zero four five seven eight nine hundred "
    "awhile btw omg lol fyi ps p.s tbh imo idk asap diy tv pc dvd faq usa's hah heh whoa phew ugh yikes yum aha ahh "
    "hmmm "
    "absolutely agreed amen bravo cheers correct deal done fair fine gotcha guys friends folks ladies gentlemen hugs "
    "kudos "
    "nope perfect same seriously sweet true wild working wonder wondering writing reading running painting cooking "
    "incredible beautiful lovely brilliant excellent interesting impressive exciting awesome fascinating inspiring "
    "everybody everyone somebody someone anybody anyone nobody none "
    "everyone's everybody's nature music art family home school books movies games food health nothing's that's it's "
    "let's there's "
    "here's what's who's how's where's i'm i've i'd i'll we're we've we'll we'd you're you've you'll you'd they're "
    "they've "
    "they'll they'd he's he'll he'd she's she'll she'd isn't aren't wasn't weren't don't doesn't didn't can't couldn't "
    "won't wouldn't shouldn't haven't hasn't hadn't can't mustn't how'd what've that'll there'll who'd".split()
)

#: Kin and the like: "Mom" is somebody, but not by that name.
KIN = frozenset(
    "mom mum mama mommy mother dad daddy papa father grandma grandpa granny grandad grandmother grandfather sister "
    "brother "
    "aunt auntie uncle cousin son daughter wife husband boss doctor coach sir madam ma'am god lord babe honey sweetie "
    "buddy "
    "mate bro sis".split()
)

#: What stands before a person's name.
TITLES = frozenset(
    "mr mrs ms miss dr prof professor sir madam lady lord rev reverend fr father sister brother st saint".split()
)

#: Offices and ranks: before a person's name, or behind it and a comma.
ROLES = TITLES | frozenset(
    "king queen prince princess emperor empress tsar tsarina duke duchess count countess earl baron baroness baronet "
    "marquess marquis margrave landgrave elector archduke archduchess grand viscount sultan shah khan caliph emir "
    "sheikh "
    "pope bishop archbishop cardinal abbot president vice prime minister chancellor governor senator general captain "
    "colonel major admiral commander lieutenant sergeant chief justice judge director dame crown pharaoh knight lord "
    "lady "
    "former then-captain st saint".split()
)
