"""The words that clauses are recognised by."""

from __future__ import annotations

from graphmem.construct.words import KIN

AUXILIARIES = frozenset(
    "have has had 've will would can could should may might must shall am is are was were be been being do does did "
    "'m 're 's 'd 'll gonna gotta".split()
)
BE = frozenset("am is are was were be been being 'm 're 's get got".split())
PRONOUNS = frozenset("i i'm i've i'd i'll we we're we've we'd we'll he she it".split())
NEGATIONS = frozenset(("not", "never", "cannot"))
ADVERBS = frozenset(
    "last just also even still already always often ever once finally both all now then soon recently first so really "
    "almost later since together usually sometimes totally definitely eventually".split()
)
TO_VERBS = frozenset(
    "want need plan hope decide try start love like begin continue manage learn agree offer promise prefer choose "
    "intend wish have get go".split()
)
GERUND_VERBS = frozenset(("enjoy", "stop", "finish", "keep", "consider", "avoid", "miss", "imagine", "practice"))
#: What follows these without an article is an adjective or an adverb: "I feel better", "I work hard".
LINKING = frozenset(
    "be feel get stay look seem sound become keep go work come turn try run live grow think bet hope guess know "
    "believe imagine wish doubt".split()
)
NEVER_NOUNS = frozenset(
    "go get make know think say take see come give become feel have be do keep let bring find tell want seem".split()
)
ADJECTIVE_ENDS = ("ed", "ive", "ful", "ous", "able", "ible", "ing", "less", "ward")
PARTICLES = frozenset("up out down off back over away".split())
DETERMINERS = frozenset(
    "a an the my our his her their your this that some any these those another two three four five six seven "
    "eight nine ten several many few both each every its more no".split()
)
NOT_OBJECTS = frozenset(
    "it them him her you me us they he she we that what how why when where if whether which who there here so "
    "too very much more really because but and or as than then to for with in on at from by about of into onto "
    "over under through during after before until since like just also not never up out down off back away "
    "around together well yesterday today tomorrow tonight last next this ago now again all one something "
    "anything everything nothing someone everyone i such able going sure glad happy sorry excited good great "
    "nice bad fine okay ok lot lots bit kind sort way thing things while without within between among against "
    "across along first both i'm i've i'll i'd it's that's".split()
)
#: Passed over behind an article: "my first video game", "a great film".
MODIFIERS = frozenset(
    "first second third last next own new old young great good nice best bad big little small huge whole entire real "
    "very "
    "really same other main early former late long short awesome amazing wonderful beautiful cool local few couple "
    "bit lot".split()
)
QUANTITIES = frozenset("lot lots bit couple few pair bunch number ton tons kind sort".split())
PLACE_PREPOSITIONS = frozenset("in at to from near into inside outside around across through".split())
PLACES = frozenset(
    "park beach museum school hospital gym office library restaurant cafe bar church market mall store shop studio "
    "theater theatre cinema airport station farm forest mountains mountain lake river sea coast island city town "
    "village "
    "university college camp campground zoo garden house home center centre gallery concert festival conference court "
    "stadium pool clinic bakery hotel countryside desert valley bookstore shelter court kitchen campus harbour".split()
)
TALK = frozenset("talk speak chat meet argue agree play work marry dance sing".split())
CLAUSE_STARTS = frozenset(
    "and but so because when while after before since that if then where as although though".split()
)
COMPANY = KIN | frozenset(
    "friend friends family kids children colleague colleagues team partner neighbor neighbour".split()
)
