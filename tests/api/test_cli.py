"""The command line as processes: what goes where, in which shape, with which exit code."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import graphmem
from tests.api.conftest import SAMPLE, environment, run_cli

HEAVY = ("torch", "fastapi", "strawberry", "pydantic", "langchain", "scipy", "sentence_transformers", "networkx")


def loaded(*arguments: object) -> list[str]:
    """Which heavy packages a command loads."""
    code = (
        "import sys\nfrom graphmem.api.cli import main\n"
        f"sys.argv = {['graphmem', *map(str, arguments)]!r}\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stderr.splitlines()[-1].replace("'", '"'))


def test_help_and_version_load_nothing_heavy() -> None:
    assert loaded("--help") == []
    assert loaded("--version") == []


def test_recall_on_an_existing_store_loads_nothing_heavy(sample_store: Path) -> None:
    assert loaded("recall", "Where does Ines have her studio?", "--store", sample_store, "--explain") == []


def test_reflect_tells_its_steps_and_what_it_kept_can_be_undone(sample_store: Path, tmp_path: Path) -> None:
    store = shutil.copy(sample_store, tmp_path / "sample.db")
    question = ("Which city is the studio of Ines in?", "--store", store, "--steps", "2")
    told = json.loads(run_cli("reflect", *question, "--keep", "--output", "json").stdout)
    assert set(told) >= {"steps", "edges", "stopped", "recall", "job"}
    assert all(step["why"] for step in told["steps"])
    assert run_cli("jobs", "undo", told["job"], "--store", store).returncode == 0
    assert "stopped:" in run_cli("reflect", *question).stdout


def test_recall_takes_a_plan_by_name_and_tells_the_route(sample_store: Path) -> None:
    question = ("recall", "Where does Ines have her studio?", "--store", sample_store)
    routed = json.loads(run_cli(*question, "--plan", "routed", "--output", "json").stdout)
    assert routed["route"][0].startswith("FAST: ")
    failed = run_cli(*question, "--plan", "slow")
    assert failed.returncode == 2
    assert "fast, balanced, deep, routed" in failed.stderr


def test_an_extractive_answer_loads_nothing_heavy(sample_store: Path) -> None:
    assert loaded("answer", "Where does Ines have her studio?", "--store", sample_store) == []


def test_version_is_that_of_the_package() -> None:
    assert run_cli("--version").stdout == f"graphmem {graphmem.__version__}\n"


def test_a_remembered_turn_is_recalled_by_the_next_process(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    done = run_cli(
        "remember",
        "The canary sings at noon.",
        "--speaker",
        "Ada",
        "--at",
        "2026-05-12",
        "--ref",
        "1",
        "--store",
        store,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("remembered ")
    found = run_cli("recall", "When does the canary sing?", "--store", store)
    assert "The canary sings at noon." in found.stdout
    assert "Ada · 2026-05-12" in found.stdout
    again = run_cli(
        "remember",
        "The canary sings at noon.",
        "--speaker",
        "Ada",
        "--at",
        "2026-05-12",
        "--ref",
        "1",
        "--store",
        store,
    )
    assert again.stdout == "nothing new: it is remembered already\n"


def test_text_and_question_can_come_from_standard_input(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    assert run_cli("remember", "-", "--store", store, stdin="Grüße aus Zürich\n").returncode == 0
    assert "Grüße aus Zürich" in run_cli("recall", "-", "--store", store, stdin="Zürich").stdout


def test_json_of_recall_has_this_shape(sample_store: Path) -> None:
    done = run_cli("recall", "How does one get to Skerrow?", "--store", sample_store, "-o", "json", "--limit", 3)
    found = json.loads(done.stdout)
    assert list(found) == [
        "question", "plan", "route", "seq", "support", "degraded", "hits", "passages", "derived", "conflicts", "work",
    ]  # fmt: skip
    hit = found["hits"][0]
    assert list(hit) == ["score", "note", "passage", "paths"]
    assert list(hit["note"]) == [
        "id", "kind", "text", "context", "keywords", "tags", "confidence", "valid_from", "valid_to", "made_by",
        "spans", "parents",
    ]  # fmt: skip
    assert list(hit["passage"]) == ["id", "text", "speaker", "at", "ref", "section", "source"]
    assert list(hit["paths"][0]) == ["weight", "steps"]
    assert list(hit["paths"][0]["steps"][0]) == ["kind", "from", "to", "weight"]
    assert len(found["hits"]) == 3
    for span in hit["note"]["spans"]:
        assert hit["passage"]["text"][span["start"] : span["end"]] == span["quote"]


def test_json_of_an_answer_cites_spans_of_its_passages(sample_store: Path) -> None:
    done = run_cli("answer", "Where does Ines have her studio?", "--store", sample_store, "-o", "json")
    told = json.loads(done.stdout)
    assert list(told) == ["question", "text", "found", "generator", "degraded", "citations", "recall"]
    assert told["found"] is True
    assert "Saltworks" in told["text"]
    for cited in told["citations"]:
        assert cited["passage"]["text"][cited["start"] : cited["end"]] == cited["quote"]


def test_weights_of_all_paths_sum_to_the_score(sample_store: Path) -> None:
    done = run_cli(
        "recall", "Where was the potter who founded the Saltworks born?", "--store", sample_store, "-o", "json"
    )
    for hit in json.loads(done.stdout)["hits"]:
        assert sum(path["weight"] for path in hit["paths"]) == pytest.approx(hit["score"], abs=1e-4)


def test_explain_draws_the_path_of_each_hit(sample_store: Path) -> None:
    done = run_cli("recall", "How does one get to Skerrow?", "--store", sample_store, "--explain", "--limit", 2)
    assert done.returncode == 0, done.stderr
    assert "├── +" in done.stdout or "└── +" in done.stdout
    assert "→" in done.stdout


def test_a_streamed_answer_is_the_same_text(sample_store: Path) -> None:
    question = ("answer", "Where does Ines have her studio?", "--store", sample_store)
    assert run_cli(*question, "--stream").stdout == run_cli(*question).stdout


def test_what_is_not_in_memory_is_an_answer_with_exit_code_0(sample_store: Path) -> None:
    done = run_cli("answer", "What colour is Ruta's car?", "--store", sample_store, "-o", "json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert (told["found"], told["citations"]) == (False, [])


def test_a_pipe_gets_no_colour_and_no_control_characters(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    run_cli("remember", "The bell \x1b[31mrings\x1b[0m red.", "--store", store)
    for command in ("recall", "answer"):
        assert "\x1b" not in run_cli(command, "What does the bell do?", "--store", store).stdout


def test_the_token_budget_and_the_deadline_are_heard(sample_store: Path) -> None:
    done = run_cli(
        "recall",
        "How does one get to Skerrow?",
        "--store",
        sample_store,
        "--tokens",
        20,
        "--deadline",
        20,
        "-o",
        "json",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["degraded"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("recall", "x", "--store", "nothing.db"), 3, "no store at nothing.db"),
        (("recall", "x", "--limit", "0"), 2, "limit"),
        (("recall", "x", "--depth", "3"), 2, "No such option"),
        (("remember", "  ", "--store", "a.db"), 2, "blank"),
        (("remember", "x", "--at", "2026-02-30", "--store", "a.db"), 2, "not a date that exists"),
        (("ingest", "nothing.md", "--into", "a.db"), 2, "nothing.md"),
        (("models", "fetch", "gpt"), 3, "no model is called"),
        (("serve", "--host", "0.0.0.0"), 2, "no login"),
        (("serve", "--port", "70000"), 2, "GRAPHMEM_PORT"),
    ],
)
def test_bad_input_is_one_clear_error_with_its_exit_code(
    tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = run_cli(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_file_that_is_no_store_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text(
        "this is a shopping list, not a database, and it is long enough to be read\n" * 20
    )
    done = run_cli("recall", "x", "--store", tmp_path / "notes.db")
    assert done.returncode == 4, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "notes.db" in done.stderr


def test_an_unknown_setting_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    done = run_cli("stats", cwd=tmp_path, GRAPHMEM_STROE="a.db")
    assert done.returncode == 2
    assert "Did you mean GRAPHMEM_STORE?" in done.stderr


def test_the_traceback_shows_only_when_asked(tmp_path: Path) -> None:
    assert "Traceback" in run_cli("stats", cwd=tmp_path, GRAPHMEM_DEBUG="1").stderr


def test_standard_input_that_is_not_utf8_is_refused_with_its_position(tmp_path: Path) -> None:
    done = run_cli("remember", "-", "--store", tmp_path / "a.db", stdin=b"caf\xe9")
    assert done.returncode == 2
    assert "byte 3" in done.stderr


def test_a_job_can_be_listed_shown_and_undone(own_store: Path) -> None:
    jobs = json.loads(run_cli("jobs", "list", "--store", own_store, "-o", "json").stdout)["jobs"]
    assert [job["state"] for job in jobs] == ["done"]
    id = jobs[0]["id"]
    assert id in run_cli("jobs", "list", "--store", own_store).stdout
    items = json.loads(run_cli("jobs", "show", id[:8], "--store", own_store, "-o", "json").stdout)["items"]
    assert len(items) == len([path for path in SAMPLE.rglob("*") if path.is_file()])
    assert run_cli("jobs", "undo", id, "--store", own_store).returncode == 0
    assert json.loads(run_cli("stats", "--store", own_store, "-o", "json").stdout)["counts"]["passage"] == 0
    assert run_cli("jobs", "show", "nothing", "--store", own_store).returncode == 3


def test_a_job_with_a_failed_input_tells_where_and_ends_with_code_6(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("# Good\n\nThe heron nests by the weir.\n")
    (tmp_path / "bad.jsonl").write_text('{"text": "fine"}\n{"text": \n')
    store = tmp_path / "a.db"
    done = run_cli("ingest", tmp_path / "good.md", tmp_path / "bad.jsonl", "--into", store)
    assert done.returncode == 6, done.stderr
    assert "bad.jsonl, line 2" in done.stderr
    assert "heron" in run_cli("recall", "Where does the heron nest?", "--store", store).stdout
    (tmp_path / "bad.jsonl").write_text('{"text": "fine"}\n{"text": "mended"}\n')
    job = json.loads(run_cli("jobs", "list", "--store", store, "-o", "json").stdout)["jobs"][0]["id"]
    resumed = run_cli("jobs", "resume", job, "--store", store, "-o", "json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["failed_items"] == []


def test_what_is_forgotten_is_gone_and_forgetting_needs_a_yes(own_store: Path) -> None:
    question = ("recall", "the night ferry cabin without an engine", "--store", own_store, "-o", "json")
    id = json.loads(run_cli(*question).stdout)["passages"][0]["id"]
    refused = run_cli("forget", id, "--store", own_store)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert run_cli("forget", id, "--yes", "--store", own_store).returncode == 0
    assert id not in run_cli(*question).stdout
    assert run_cli("forget", id, "--yes", "--store", own_store).returncode == 3


def test_feedback_counts_for_what_it_names_and_an_unknown_id_is_code_3(own_store: Path) -> None:
    question = ("recall", "the night ferry cabin without an engine", "--store", own_store, "-o", "json")
    id = json.loads(run_cli(*question).stdout)["passages"][0]["id"]
    assert "counted for 1" in run_cli("feedback", id, "--not-useful", "--store", own_store).stdout
    assert run_cli("feedback", "0" * 32, "--store", own_store).returncode == 3


def test_history_tells_what_happened_to_a_note(sample_store: Path) -> None:
    question = ("recall", "the night ferry", "--store", sample_store, "-o", "json")
    id = json.loads(run_cli(*question).stdout)["hits"][0]["note"]["id"]
    changes = json.loads(run_cli("history", id, "--store", sample_store, "-o", "json").stdout)["changes"]
    assert changes[0]["op"] == "insert"
    assert changes[0]["before"] is None
    assert "insert" in run_cli("history", id, "--store", sample_store).stdout
    assert run_cli("history", "nothing", "--store", sample_store).returncode == 3


def test_check_and_rebuild_leave_a_sound_store_sound(own_store: Path) -> None:
    assert run_cli("check", "--store", own_store).stdout == "sound\n"
    assert run_cli("rebuild", "--store", own_store).returncode == 0
    assert run_cli("check", "--store", own_store).stdout == "sound\n"


def test_spaces_do_not_see_each_other(own_store: Path) -> None:
    run_cli("remember", "The heron nests by the weir.", "--space", "birds", "--store", own_store)
    found = json.loads(run_cli("recall", "Skerrow", "--space", "birds", "--store", own_store, "-o", "json").stdout)
    assert {hit["note"]["text"] for hit in found["hits"]} <= {"The heron nests by the weir."}
    assert run_cli("recall", "Skerrow", "--space", "nobody", "--store", own_store).returncode == 3


def test_a_port_in_use_is_one_clear_error(sample_store: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run_cli("serve", "--port", taken.getsockname()[1], "--store", sample_store)
    assert done.returncode == 2, done.stderr
    assert "is in use" in done.stderr


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_serve_says_where_it_is_and_closes_its_store_when_it_is_stopped(
    own_store: Path, stop: signal.Signals, code: int
) -> None:
    command = [sys.executable, "-m", "graphmem.api.cli", "serve", "--port", "0", "--store", str(own_store)]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1, env=environment()
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().rpartition(" ")[2].strip()
        assert httpx.get(f"{url}/healthz", timeout=60).json()["status"] == "ok"
        server.send_signal(stop)
        _, complaints = server.communicate(timeout=30)
    finally:
        server.kill()
    assert server.returncode == code
    assert complaints == ""
    assert [file.name for file in own_store.parent.iterdir()] == [own_store.name]


def test_organize_tells_each_step_and_twice_changes_nothing(tmp_path: Path) -> None:
    store = str(tmp_path / "notes.db")
    run_cli("remember", "I moved to Zurich in May.", "--speaker", "Ada", "--store", store)
    first = json.loads(run_cli("organize", "--store", store, "-o", "json").stdout)
    second = json.loads(run_cli("organize", "--store", store, "-o", "json").stdout)
    assert (first["dry_run"], second["changes"]) == (False, 0)
    dry = run_cli("organize", "--dry-run", "--store", store)
    assert "Dry run: nothing was written." in dry.stdout
    assert run_cli("jobs", "resume", first["job"], "--store", store).returncode == 2
    wrong = run_cli("organize", "--without", "dreams", "--store", store)
    assert (wrong.returncode, "no step 'dreams'" in wrong.stderr) == (2, True)
