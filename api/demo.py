"""The demonstration behind `make demo`: a sample goes in, questions are asked for real, paths are shown. It uses a file
of its own, or the empty store whose URL it is given.

Everything is what a user would run: the `graphmem` command as a process, GraphQL over HTTP on a free loopback port.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from rich.console import Console
from rich.text import Text

from graphmem.api.engines import store_at
from graphmem.api.explain import spoken
from graphmem.api.terminal import fail
from graphmem.errors import GraphmemError, NotFound

STORE = Path("build") / "demo.db"
QUESTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("A fact, with the words that bear it out", ("answer", "Where does the ferry to Skerrow leave from?")),
    (
        "A date: “two weeks ago” is counted back from the day it was said",
        ("answer", "When did Tobias start cello lessons?"),
    ),
    (
        "Two documents to combine: one names the founder, another her birthplace",
        ("answer", "Where was the potter who founded the Saltworks born?", "--explain"),
    ),
    ("Hits of dialogue and documents side by side", ("recall", "How does one get to Skerrow?", "--limit", "4")),
    ("What was never said is not made up", ("answer", "What colour is Ruta's car?")),
)
ORGANIZING: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("One job, to be watched, resumed and undone", ("organize",)),
    ("A second run finds nothing to change", ("organize",)),
    (
        "What was inferred is told apart from the evidence",
        ("recall", "What does Ines tell of her kiln?", "--limit", "2"),
    ),
    (
        "A question of two steps, each about what was found before",
        ("reflect", "Where was the potter who founded the Saltworks born?", "--limit", "3"),
    ),
)
GRAPHQL = """query Answer($question: String!) {
  answer(question: $question) {
    text
    citations { marker quote passage { id speaker at source { title } } }
    recall { hits {
      score note { text } passage { id }
      paths { weight steps { kind weight to { id label } } }
    } }
  }
}"""
GRAPHQL_QUESTION = "When did Ines move?"
PATHS_SHOWN = 3
ENGINE_QUESTION = "Where does Ines have her studio?"
#: Seconds that making the model may take, on a slow machine; a command of the demonstration may take otherwise.
CONVERSION_S, COMMAND_S = 1200, 300


def main(store: str = "") -> int:
    """Runs the whole demonstration; the exit code of whatever failed, 0 when nothing did."""
    store = store or fresh_file()
    began = time.perf_counter()
    screen = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    try:
        put_in(screen, store)
        ask(screen, store)
        organize(screen, store)
        ask_by_graphql(screen, store)
        ask_the_engine(screen, store)
    except (GraphmemError, URLError) as error:
        return fail(error)
    tell_where_to_click(screen, store, time.perf_counter() - began)
    return 0


def fresh_file() -> str:
    """The demonstration's own store, without what an earlier run left."""
    STORE.parent.mkdir(exist_ok=True)
    for old in STORE.parent.glob(f"{STORE.name}*"):
        old.unlink()
    return str(STORE)


def put_in(screen: Console, store: str) -> None:
    heading(screen, "1. Put things in", "a conversation of three friends over six months, and six short documents")
    with as_file(files("graphmem.api") / "sample") as sample:
        run(screen, "ingest", nearby(sample), "--into", store)


def ask(screen: Console, store: str) -> None:
    heading(screen, "2. Ask from the command line", "no model, no key, no network")
    for why, arguments in QUESTIONS:
        screen.print(Text(f"\n# {why}", style="dim"))
        run(screen, *arguments, "--store", store)


def organize(screen: Console, store: str) -> None:
    heading(screen, "3. Let it organise itself", "by rules: links, summaries, scenes, personas; evidence is untouched")
    for why, arguments in ORGANIZING:
        screen.print(Text(f"\n# {why}", style="dim"))
        run(screen, *arguments, "--store", store)


def ask_by_graphql(screen: Console, store: str) -> None:
    heading(screen, "4. Ask through GraphQL", "the same memory over HTTP, to this machine only")
    with server(store) as url:
        screen.print(Text(f"\nPOST {url}/graphql"))
        screen.print(Text(GRAPHQL, style="dim"))
        screen.print(Text(f'{{ "question": "{GRAPHQL_QUESTION}" }}\n', style="dim"))
        began = time.perf_counter()
        told = post(f"{url}/graphql", {"query": GRAPHQL, "variables": {"question": GRAPHQL_QUESTION}})
        seconds = time.perf_counter() - began
    show_reply(screen, told)
    screen.print(Text(f"({seconds * 1000:.0f} ms over HTTP, the first question of a new server)", style="dim"))


def show_reply(screen: Console, told: dict[str, Any]) -> None:
    if told.get("errors"):
        raise GraphmemError(f"GraphQL answered with {told['errors'][0]['message']}", hint="please report it")
    answer = told["data"]["answer"]
    screen.print(Text(answer["text"], style="bold"))
    for cited in answer["citations"]:
        at = (cited["passage"]["at"] or "")[:10]
        screen.print(Text(f"[{cited['marker']}] “{cited['quote']}”  {cited['passage']['speaker'] or ''} {at}".rstrip()))
    cited = {citation["passage"]["id"] for citation in answer["citations"]}
    for hit in answer["recall"]["hits"]:
        if hit["passage"]["id"] in cited:
            show_hit(screen, hit)


def show_hit(screen: Console, hit: dict[str, Any]) -> None:
    screen.print(Text(f"\n{hit['score']:.3f}  {hit['note']['text']}"))
    for path in sorted(hit["paths"], key=lambda path: -path["weight"])[:PATHS_SHOWN]:
        steps = ", ".join(step_words(step, hit) for step in path["steps"])
        screen.print(Text(f"  {path['weight']:+.3f}  {steps}", style="dim"))


def step_words(step: dict[str, Any], hit: dict[str, Any]) -> str:
    end = "this passage" if step["to"]["id"] == hit["passage"]["id"] else step["to"]["label"]
    return f"{spoken(step['kind'])} ×{step['weight']:.3f} → {end}"


def ask_the_engine(screen: Console, store: str) -> None:
    """The last answer is written by a model of this machine. Making it takes a download and a minute or two, once."""
    heading(screen, "5. Let a model of this machine write", "a Mixture of Experts, a quarter of its experts in memory")
    try:
        store_at("smollm2")
    except NotFound:
        screen.print(Text("\nOnce: SmolLM2 (93 MB) is fetched and made a Mixture of Experts, quickly.", style="dim"))
        try:
            run(screen, "models", "fetch", "smollm2")
        except GraphmemError:
            screen.print(Text("No network: this part is left out.", style="dim"))
            return
        run(screen, "moe", "refactorize", "smollm2", "--quick", timeout_s=CONVERSION_S)
    run(screen, "answer", ENGINE_QUESTION, "--stream", "--generator", "moe:smollm2", "--store", store)


def tell_where_to_click(screen: Console, store: str, seconds: float) -> None:
    heading(screen, "6. Your turn", f"all of the above took {seconds:.0f} s")
    graphmem = nearby(Path(sys.executable).with_name("graphmem"))
    screen.print(Text(f"\nStart the server        {graphmem} serve --store {store}"))
    screen.print(Text("then open               http://127.0.0.1:8787          ask, and see how it was found"))
    screen.print(Text("                        http://127.0.0.1:8787/graphql  GraphiQL with example queries"))
    screen.print(
        Text(f'\nAsk the sample          {graphmem} answer "When did Tobias start cello lessons?" --store {store}')
    )
    screen.print(Text(f"Bring in your own       {graphmem} ingest PATH --into my.db"))


def heading(screen: Console, title: str, about: str) -> None:
    screen.print()
    screen.rule(Text(title, style="bold"), align="left")
    screen.print(Text(about, style="dim"))


def run(screen: Console, *arguments: str, timeout_s: float = COMMAND_S) -> None:
    """Shows a command as one would type it, runs it, and says how long it took. GraphmemError when it fails."""
    typed = " ".join(f'"{part}"' if " " in part else part for part in arguments)
    screen.print(Text(f"\n$ graphmem {typed}", style="cyan"))
    began = time.perf_counter()
    try:
        done = subprocess.run(command(*arguments), timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise GraphmemError(f"`graphmem {typed}` took more than {timeout_s:g} s", hint="try it alone") from error
    if done.returncode:
        raise GraphmemError(f"`graphmem {typed}` ended with exit code {done.returncode}", hint="its error is above")
    screen.print(Text(f"({time.perf_counter() - began:.1f} s)", style="dim"))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "graphmem.api.cli", *arguments]


@contextmanager
def server(store: str) -> Iterator[str]:
    """A server over the demonstration's store on a free port; its URL. It ends with the block."""
    process = subprocess.Popen(
        command("serve", "--port", "0", "--store", store), stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        yield url_of(process)
    finally:
        process.terminate()
        process.wait(10)


def url_of(process: subprocess.Popen[str]) -> str:
    """The URL that `graphmem serve` says in its first line, once it answers there."""
    assert process.stdout is not None
    url = process.stdout.readline().rpartition(" ")[2].strip()
    if not url.startswith("http://"):
        raise GraphmemError("the server did not start", hint="its error is above")
    with urlopen(f"{url}/healthz", timeout=60):
        return url


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    asked = Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urlopen(asked, timeout=60) as reply:
        told: dict[str, Any] = json.load(reply)
        return told


def nearby(path: Path) -> str:
    """A path as short as it can be written from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
