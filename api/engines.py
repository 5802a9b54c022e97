"""Engines as generators: where their stores are, how they are opened, and what a small model is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import parse_qsl
from urllib.request import urlopen

from graphmem.answer.base import Prompt
from graphmem.api.attribution import attributed, evidence_in
from graphmem.api.generators import close
from graphmem.api.models import cache_folder, model_file
from graphmem.errors import InputError, ModelError, NotFound, SettingError
from graphmem.moe_runtime.errors import MoeError

if TYPE_CHECKING:
    from graphmem.answer import Generator
    from graphmem.moe_runtime.profile import Profile
    from graphmem.moe_runtime.serve.generator import EngineGenerator

#: The model that is converted by name, and the file by which a folder is known to be a store.
CONVERTED = "smollm2"
MANIFEST = "manifest.json"
#: Tokens of a proposal's answer by a small model: as much as it can keep in order.
PROPOSAL_TOKENS = 96
#: Passages that a small model is shown: more evidence confuses it, and takes time to read.
EVIDENCE = 3
RULES = "Answer the question from the evidence in one short sentence."
OPTIONS = ("budget", "policy", "prefetch", "threads")
Tick = Callable[[str, float], None]


def engine_generator(where: str) -> Generator:
    """The generator for what follows "moe:": a store's folder, smollm2, or a server's URL; `?budget=50%&policy=lfu`
    after a folder sets how it is opened. Raises NotFound, SettingError or ModelError."""
    if where.startswith(("http://", "https://")):
        return connected(where)
    path, _, query = where.partition("?")
    from graphmem.moe_runtime import Engine
    from graphmem.moe_runtime.serve.generator import EngineGenerator

    try:
        engine = Engine.open(store_at(path), **options_of(query))
    except MoeError as error:
        raise translated(error) from error
    return LocalEngine(EngineGenerator(engine, f"moe:{Path(path).name}"))


def options_of(query: str) -> dict[str, Any]:
    given: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    for name in given:
        if name not in OPTIONS:
            raise SettingError(f"unknown setting {name!r} of an engine", hint=f"there is {', '.join(OPTIONS)}")
    if "threads" in given:
        given["threads"] = int(given["threads"]) if given["threads"].isdigit() else 0
    if "budget" in given and given["budget"].isdigit():
        given["budget"] = int(given["budget"])
    return given


def store_at(where: str) -> Path:
    """The store's folder; for smollm2 the best of what was made. Raises NotFound with what makes one."""
    paths = [folder / "store" for folder in converted_folders()] if where == CONVERTED else [Path(where)]
    for path in paths:
        if (path / MANIFEST).is_file():
            return path
    if where == CONVERTED:
        raise NotFound("SmolLM2 is not converted yet", hint=f"`graphmem moe refactorize {CONVERTED}`, some minutes")
    raise NotFound(f"no store of experts at {where}", hint="`graphmem moe pack CHECKPOINT STORE` makes one")


def converted_folders() -> tuple[Path, Path]:
    """Where the converted SmolLM2 is kept, and the quickly converted one. The names hold the recipes: another recipe is
    another folder."""
    from graphmem.moe_runtime.refactor.plan import QUICK, Plan

    home = cache_folder() / "moe"
    return home / f"{CONVERTED}-{Plan().digest(CONVERTED)}", home / f"{CONVERTED}-quick-{QUICK.digest(CONVERTED)}"


def convert(*, quick: bool, threads: int, tick: Tick) -> tuple[Path, dict[str, Any]]:
    """Converts and packs SmolLM2, keeping what is there already: its folder, and what refactor.json says. Raises
    NotFound when it was not fetched."""
    source = dense_source(CONVERTED)
    from graphmem.moe_runtime import Engine
    from graphmem.moe_runtime.refactor.convert import refactorize
    from graphmem.moe_runtime.refactor.plan import QUICK, Plan

    folder = converted_folders()[quick]
    try:
        report = refactorize(source, folder / "checkpoint", QUICK if quick else Plan(), threads=threads, tick=tick)
        Engine.pack(
            folder / "checkpoint", folder / "store", progress=lambda done, all_: tick("pack", done / max(1, all_))
        )
    except MoeError as error:
        raise translated(error) from error
    return folder, report


def dense_source(source: str) -> Path:
    """The folder or file that a dense model's name stands for."""
    if source != CONVERTED:
        return Path(source)
    file = model_file(CONVERTED)
    if file is None:
        raise NotFound(f"{CONVERTED} is not there", hint=f"`graphmem models fetch {CONVERTED}`")
    return file


def routed(where: str, text: str | None, tokens: int) -> Profile:
    """The routing profile of a store or a checkpoint folder on a text."""
    from graphmem.moe_runtime import Engine
    from graphmem.moe_runtime.profile import checkpoint, profiled
    from graphmem.moe_runtime.refactor.text import calibration

    words = text if text is not None else "\n\n".join(calibration(0, 6 * tokens))
    if where != CONVERTED and (Path(where) / "config.json").is_file() and not (Path(where) / MANIFEST).is_file():
        model, tokenizer = checkpoint(Path(where))
        return profiled(model, tokenizer(words)["input_ids"][:tokens])
    with Engine.open(store_at(where), budget="100%") as engine:
        return profiled(engine.model, engine.tokenizer(words)["input_ids"][:tokens])


class Briefed:
    """A generator whose model is small: a short prompt, few passages, the first line of what it says, and markers added
    to what they bear out."""

    def __init__(self, generator: Generator) -> None:
        self.writer, self.name = generator, generator.name

    def stream(self, prompt: Prompt, *, deadline_s: float | None) -> Iterator[str]:
        evidence, question = evidence_in(prompt)
        shown = evidence[:EVIDENCE]
        lines = [": ".join(part for part in (one.told, flat(one.text)) if part) for one in shown]
        asked = "Evidence:\n" + "\n".join(lines) + f"\n\nQuestion: {question}"
        pieces = self.writer.stream((("system", RULES), ("user", asked)), deadline_s=deadline_s)
        try:
            yield from attributed(first_line(pieces), shown, question)
        except MoeError as error:
            raise translated(error) from error
        finally:
            close(pieces)

    def unbriefed(self) -> Generator:
        """The same model, given a prompt as it is."""
        return self.writer


class Plain:
    """An engine asked for proposals: the prompt as it is, and room for an answer in JSON."""

    def __init__(self, generator: EngineGenerator) -> None:
        self.generator, self.name = generator, generator.name

    def stream(self, prompt: Prompt, *, deadline_s: float | None) -> Iterator[str]:
        try:
            yield from self.generator.stream(prompt, deadline_s=deadline_s, max_new_tokens=PROPOSAL_TOKENS)
        except MoeError as error:
            raise translated(error) from error


class LocalEngine(Briefed):
    """An engine of this process: it can be warmed, asked what it did, and must be closed."""

    def __init__(self, generator: EngineGenerator) -> None:
        super().__init__(generator)
        self.generator = generator

    def warm(self, texts: list[str]) -> None:
        self.generator.warm(texts[:EVIDENCE])

    def unbriefed(self) -> Generator:
        return Plain(self.generator)

    def stats(self) -> dict[str, Any]:
        return self.generator.stats()

    def close(self) -> None:
        self.generator.close()


def flat(text: str) -> str:
    """A passage on one line, without the marks of its headings."""
    return " ".join(text.replace("#", " ").split())


def first_line(pieces: Iterable[str]) -> Iterator[str]:
    """What is said up to the first line break; breaks before it are skipped."""
    said = False
    for piece in pieces:
        head, broken, _ = (piece if said else piece.lstrip("\n")).partition("\n")
        if head:
            said = True
            yield head
        if broken and said:
            return


def connected(url: str) -> Generator:
    """The model that an OpenAI-compatible server names first."""
    base = url.rstrip("/").removesuffix("/v1")
    try:
        with urlopen(f"{base}/v1/models", timeout=10) as reply:
            name = json.load(reply)["data"][0]["id"]
    except (URLError, OSError, ValueError, LookupError) as error:
        raise ModelError(f"no engine answers at {base}: {error}", hint="start one: graphmem moe serve STORE") from error
    from graphmem.answer import chat_model

    return Briefed(chat_model(f"openai:{name}", base_url=f"{base}/v1", api_key="none", max_retries=0))


def translated(error: MoeError) -> InputError | ModelError:
    """The engine's errors in the library's tree, with their message and hint."""
    kind = InputError if error.exit_code == InputError.exit_code else ModelError
    return kind(str(error), hint=error.hint)


def told(stats: dict[str, Any]) -> str:
    """What an engine did, in one line."""
    wanted = stats["hit"] + stats["late"] + stats["miss"]
    hit = f"{stats['hit'] / wanted:.0%}" if wanted else "none"
    return (
        f"{stats['experts_resident']} of {stats['experts']} experts resident "
        f"({stats['expert_bytes_resident'] / 2**20:.0f} of {stats['expert_bytes'] / 2**20:.0f} MiB), "
        f"{stats['read_bytes'] / 2**20:.0f} MiB read, {wanted:,} used, {hit} of them hit in memory"
    )
