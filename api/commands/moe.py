"""moe: the engine whose experts live on disk: make a model, pack it, look at it."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphmem.api.commands import engine
from graphmem.api.commands.options import Format, Output
from graphmem.api.progress import ticking
from graphmem.api.terminal import console, note, print_json, say
from graphmem.errors import InputError

if TYPE_CHECKING:
    from graphmem.moe_runtime.profile import Profile

moe = typer.Typer(help="The generator of this machine: Mixture-of-Experts models from disk.", no_args_is_help=True)
Threads = Annotated[int, typer.Option("--threads", min=1, help="Threads that compute.")]
MIB = 2**20


@moe.callback()
def quietly() -> None:
    """The generator of this machine: Mixture-of-Experts models from disk."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # transformers' own bars would run through ours
    os.environ.setdefault("HF_HUB_OFFLINE", "1")


@moe.command()
def pack(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of a Hugging Face MoE model.")],
    store: Annotated[Path, typer.Argument(help="Folder to write.")],
    output: Format = Output.TEXT,
) -> None:
    """Write a checkpoint's experts so that one read fetches one. Call it again after an interruption: it goes on."""
    from graphmem.moe_runtime import Engine

    with ticking(console(stderr=True)) as tick:
        manifest = Engine.pack(checkpoint, store, progress=lambda done, all_: tick("pack", done / max(1, all_)))
    if output is Output.JSON:
        print_json({"store": str(store), "experts": manifest.experts, "expert_bytes": manifest.expert_bytes})
    else:
        say(f"{store}: {manifest.experts} experts, {manifest.expert_bytes / MIB:.1f} MiB")


@moe.command()
def inspect(
    store: Annotated[str, typer.Argument(help="Folder of a store, or smollm2.")], output: Format = Output.TEXT
) -> None:
    """What a store holds. Reads its manifest alone."""
    from graphmem.api.engines import store_at
    from graphmem.moe_runtime.store.format import read_manifest

    path = store_at(store)
    manifest = read_manifest(path)
    layer = manifest.layers[0]
    told: dict[str, Any] = {
        "store": str(path),
        "model": manifest.dtype,
        "layers": len(manifest.layers),
        "experts": manifest.experts,
        "expert_bytes": manifest.expert_bytes,
        "record_bytes": manifest.record_bytes,
        "resident_bytes": manifest.rest.records * manifest.rest.record_bytes,
        "tensors": {spec.name: list(spec.shape) for spec in layer.tensors},
    }
    told["dtype"] = told.pop("model")
    if output is Output.JSON:
        print_json(told)
        return
    say(f"{path}: {told['layers']} layers of {layer.records} experts, {told['dtype']}")
    say(f"experts   {manifest.expert_bytes / MIB:10.1f} MiB on disk, {manifest.record_bytes / 1024:.0f} KiB each")
    say(f"the rest  {told['resident_bytes'] / MIB:10.1f} MiB, always in memory")
    say("each expert: " + ", ".join(f"{name} {tuple(shape)}" for name, shape in told["tensors"].items()))


@moe.command()
def refactorize(
    source: Annotated[str, typer.Argument(help="Folder of a dense Llama or Qwen model, a GGUF file, or smollm2.")],
    target: Annotated[
        Path | None, typer.Argument(help="Folder for the new checkpoint; smollm2 has its place in the cache.")
    ] = None,
    *,
    shared: Annotated[float, typer.Option(min=0.05, max=0.95, help="Share of the neurons all tokens use.")] = 0.5,
    experts: Annotated[int, typer.Option(min=2, max=256, help="Experts a layer that the others form.")] = 32,
    active: Annotated[float, typer.Option(min=1, help="Experts a token uses, on average over layers.")] = 17.0,
    text: Annotated[list[Path] | None, typer.Option(help="Your own text to calibrate on, beside ours.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Without training: about a minute, a worse model.")] = False,
    threads: Threads = 2,
    output: Format = Output.TEXT,
) -> None:
    """Make a dense model a Mixture of Experts whose routes are known one layer ahead (Read-ME). Takes minutes."""
    from graphmem.api.engines import CONVERTED, convert, dense_source
    from graphmem.moe_runtime.refactor.plan import QUICK, Plan

    if target is None and source != CONVERTED:
        raise InputError("say where the new checkpoint goes", hint="graphmem moe refactorize SOURCE TARGET")
    with ticking(console(stderr=True)) as tick:
        if target is None:
            folder, report = convert(quick=quick, threads=threads, tick=tick)
        else:
            from graphmem.moe_runtime.refactor.convert import refactorize as run

            texts = [path.read_text(encoding="utf-8") for path in text or ()]
            plan = replace(QUICK if quick else Plan(), shared=shared, experts=experts, active=active)
            folder = target
            report = run(dense_source(source), target, plan, threads=threads, texts=texts, tick=tick)
    if output is Output.JSON:
        print_json({"folder": str(folder), **report})
        return
    seconds = sum(report["seconds"].values())
    ratio = report["perplexity"] / report["perplexity_dense"]
    say(f"{folder}: {report['active_share']:.0%} of the feed-forward weights active, made in {seconds:.0f} s")
    say(
        f"perplexity on text kept apart (Python's manual): {report['perplexity']:.2f}, "
        f"dense {report['perplexity_dense']:.2f}, {ratio:.2f} times"
    )


@moe.command("train-tiny")
def train_tiny(
    folder: Annotated[Path, typer.Argument(help="Folder below which the checkpoint is made or found.")],
    threads: Threads = 1,
    output: Format = Output.TEXT,
) -> None:
    """Train a small MoE language model on Python's source, about two minutes: real routing for tests."""
    from graphmem.moe_runtime.training import train_tiny as run

    with ticking(console(stderr=True)) as tick:
        path = run(folder, threads=threads, tick=tick)
    if output is Output.JSON:
        print_json({"checkpoint": str(path)})
    else:
        say(str(path))


@moe.command()
def profile(
    model: Annotated[str, typer.Argument(help="Store, or folder of a MoE checkpoint, or smollm2.")],
    *,
    text: Annotated[Path | None, typer.Option(help="What it reads; else Python's manual.")] = None,
    tokens: Annotated[int, typer.Option(min=64, max=100_000, help="Tokens of it at most.")] = 1024,
    plot: Annotated[Path | None, typer.Option(help="SVG file to draw.")] = None,
    output: Format = Output.TEXT,
) -> None:
    """How consistent a model's routing is, the cache that follows from it, and whether offloading suits it."""
    from graphmem.api.engines import routed
    from graphmem.moe_runtime.profile import plotted

    told = routed(model, text.read_text(encoding="utf-8") if text else None, tokens)
    if plot is not None:
        plot.write_text(plotted(told, Path(model).name), encoding="utf-8")
    if output is Output.JSON:
        print_json(told.as_json())
        return
    show_profile(told)
    if plot is not None:
        note(f"drawn: {plot}")


def show_profile(told: Profile) -> None:
    from rich.table import Table

    say(f"{told.tokens} tokens, {told.layers} layers, {told.active:g} of {told.experts} experts a token and layer")
    say(
        f"experts are {told.expert_share:.0%} of the weights; {told.reuse:.0%} of a token's were used by the one before"
    )
    lengths = Table("tokens in a segment", *map(str, told.srp))
    lengths.add_row("SRP, this model", *(f"{value:.2f}" for value in told.srp.values()))
    lengths.add_row("SRP, random routing", *(f"{value:.2f}" for value in told.chance.values()))
    caches = Table("cached a layer", "of the experts", "MiB", "SCH (16)", "LRU hit")
    for row in told.rows:
        mark = " <- recommended" if row == told.recommended else ""
        sizes = (f"{row.cached}", f"{row.share:.0%}", f"{row.budget_bytes / MIB:.1f}")
        caches.add_row(*sizes, f"{row.sch:.2f}", f"{row.lru:.2f}{mark}")
    console().print(lengths, caches)
    say(f"offloading {'suits' if told.suits else 'does not suit'} it: {told.why}")
    say(f"budget: {told.recommended.share:.0%}, {told.recommended.budget_bytes / MIB:.1f} MiB")


@moe.command()
def bench(
    folder: Annotated[Path, typer.Argument(help="Where the model of that shape is made and packed, or found.")],
    *,
    shape: Annotated[str, typer.Option(help="large: 1.35 billion parameters, 5 GB of disk. tiny: seconds.")] = "large",
    budget: engine.Budget = "25%",
    pairs: Annotated[int, typer.Option(min=1, help="Turns that each rival gets.")] = 20,
    threads: Threads = 1,
    output: Format = Output.TEXT,
) -> None:
    """The engine beside transformers in memory, accelerate from disk, and llama.cpp where it is installed."""
    from graphmem.moe_runtime import Engine
    from graphmem.moe_runtime.bench.compare import compare
    from graphmem.moe_runtime.bench.shapes import SHAPES, make_checkpoint

    if shape not in SHAPES:
        raise InputError(f"there is no shape {shape!r}", hint=f"there is {', '.join(SHAPES)}")
    checkpoint = make_checkpoint(shape, folder / f"{shape}-checkpoint")
    Engine.pack(checkpoint, folder / f"{shape}-store")
    figures = compare(checkpoint, folder / f"{shape}-store", budget=budget, pairs=pairs, threads=threads, progress=note)
    if output is Output.JSON:
        print_json({"figures": [asdict(figure) for figure in figures]})
        return
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        value = f"skipped: {figure.skipped}" if figure.value is None else f"{figure.value:,.3f} {figure.unit}"
        say(f"{figure.name:{width}}  {value}")


moe.command()(engine.serve)
moe.command()(engine.chat)
