"""What the environment may say: one table, standard library only, so that every command can check it at no cost.

The command line reads the few settings it needs through its options; `graphmem.api.settings` reads all of them for
the server. Both take their defaults from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from graphmem.errors import SettingError

PREFIX = "GRAPHMEM_"
#: Names for our own test and bench runs: never settings, never an error.
RESERVED = ("GRAPHMEM_TEST_", "GRAPHMEM_BENCH_")


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    default: str
    about: str


SETTINGS = (
    Setting("GRAPHMEM_STORE", "graphmem.db", "path or URL of the store"),
    Setting("GRAPHMEM_SPACE", "default", "the space to work in: a user, an agent, a team"),
    Setting("GRAPHMEM_LLM", "", "chat model that writes answers, as LangChain names it; empty: no model"),
    Setting("GRAPHMEM_PROPOSE", "false", "let that model propose notes and links for what is written, too"),
    Setting("GRAPHMEM_CAPS__CALLS", "1000", "most calls a job may make for proposals"),
    Setting("GRAPHMEM_CAPS__TOKENS", "2000000", "most tokens of its prompts and answers, at four characters each"),
    Setting("GRAPHMEM_CAPS__SECONDS", "3600", "most seconds it may wait for them"),
    Setting("GRAPHMEM_HOST", "127.0.0.1", "address the server listens on"),
    Setting("GRAPHMEM_PORT", "8787", "port the server listens on; 0 takes a free one"),
    Setting("GRAPHMEM_ALLOW_REMOTE", "false", "allow a host that other machines can reach"),
    Setting("GRAPHMEM_ALLOWED_HOSTS", "[]", "further names the server answers to, a JSON list"),
    Setting("GRAPHMEM_DEBUG", "false", "show tracebacks"),
    Setting("GRAPHMEM_LIMITS__THREADS", "4", "calls into the memory that run at once"),
    Setting("GRAPHMEM_LIMITS__DEADLINE_S", "30", "most seconds one question may take"),
    Setting("GRAPHMEM_LIMITS__HITS", "100", "most hits one question may ask for"),
    Setting("GRAPHMEM_LIMITS__BODY_BYTES", "2000000", "longest request"),
    Setting("GRAPHMEM_LIMITS__QUERY_CHARS", "20000", "longest GraphQL query"),
    Setting("GRAPHMEM_LIMITS__QUERY_DEPTH", "12", "deepest GraphQL query"),
    Setting("GRAPHMEM_LIMITS__QUERY_FIELDS", "300", "most fields a GraphQL query may name, fragments unfolded"),
    Setting("GRAPHMEM_LIMITS__QUERY_ROOTS", "8", "most questions one GraphQL query may ask"),
    Setting("NEO4J_URI", "", "where Neo4j is; taken when GRAPHMEM_STORE is not set"),
    Setting("NEO4J_USERNAME", "neo4j", "who we are to Neo4j"),
    Setting("NEO4J_PASSWORD", "", "our password there"),
    Setting("NEO4J_DATABASE", "neo4j", "the database there"),
    Setting("OPENAI_API_KEY", "", "key of an OpenAI-compatible endpoint, read by LangChain"),
    Setting("OPENAI_BASE_URL", "", "URL of an OpenAI-compatible endpoint, read by LangChain"),
)
DEFAULTS = {setting.name: setting.default for setting in SETTINGS}


def check_names(environment: Iterable[str]) -> None:
    """Raises SettingError for a GRAPHMEM_ name that is no setting, naming the nearest one. Case does not matter."""
    known = {name for name in DEFAULTS if name.startswith(PREFIX)}
    for name in sorted(environment):
        upper = name.upper()
        if upper.startswith(PREFIX) and upper not in known and not upper.startswith(RESERVED):
            raise SettingError(f"unknown setting {name}", hint=nearest(upper, sorted(known)), source="environment")


def nearest(name: str, known: list[str]) -> str:
    """Names what was probably meant, judged by what follows the prefix that all share; else lists all."""
    from difflib import get_close_matches

    close = get_close_matches(name.removeprefix(PREFIX), [one.removeprefix(PREFIX) for one in known], n=1, cutoff=0.5)
    return f"did you mean {PREFIX}{close[0]}?" if close else f"settings are {', '.join(known)}"
