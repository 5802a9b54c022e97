"""docker/: compose accepts its file and refuses to start without a password; the image is built by what CI runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graphmem.api.environment import DEFAULTS
from tests.api.fakes import OneNote
from tests.api.serving import served
from tests.neo4j.server import Server

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
#: Steps of the Dockerfile that only an image needs.
IMAGE_ONLY = ("useradd",)


def compose() -> list[str]:
    """Compose's command: the plugin or the program. Missing: the reason to skip, a failure in CI."""
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        return [docker, "compose"]
    if program := shutil.which("docker-compose"):
        return [program]
    assert os.environ.get("CI") != "true", "CI needs docker compose or docker-compose"
    pytest.skip("neither docker compose nor docker-compose is on this machine (CI has one)")


def config(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NEO4J_", "GRAPHMEM_"))}
    command = [*compose(), "--file", str(DOCKER / "compose.yaml"), "config"]
    return subprocess.run(command, capture_output=True, text=True, env=kept | environment, check=False, timeout=60)


def services() -> dict[str, Any]:
    import yaml

    told = config(NEO4J_PASSWORD="a long one")
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = yaml.safe_load(told.stdout)["services"]
    return found


def test_compose_accepts_the_file() -> None:
    told = services()
    assert set(told) == {"neo4j", "api"}
    assert all("healthcheck" in service for service in told.values())
    assert all(service["volumes"] for service in told.values())
    assert told["api"]["depends_on"]["neo4j"]["condition"] == "service_healthy"


def test_compose_refuses_to_start_without_a_password() -> None:
    for environment in ({}, {"NEO4J_PASSWORD": ""}):
        told = config(**environment)
        assert told.returncode != 0
        assert "there is no default" in told.stderr


def test_the_password_is_the_one_that_was_given_on_both_sides() -> None:
    told = services()
    assert told["neo4j"]["environment"]["NEO4J_AUTH"] == "neo4j/a long one"
    assert told["api"]["environment"]["NEO4J_PASSWORD"] == "a long one"


def test_ports_are_published_to_this_machine_only() -> None:
    for service in services().values():
        for port in service["ports"]:
            assert str(port["host_ip"] if isinstance(port, dict) else port).startswith("127.0.0.1")


def test_the_server_reads_every_variable_that_compose_gives_it() -> None:
    assert set(services()["api"]["environment"]) <= set(DEFAULTS)


def test_neo4j_knows_every_setting_that_compose_gives_it(neo4j_server: Server) -> None:
    """The image turns NEO4J_a_b__c into a.b_c; the real server is asked for it."""
    given = [name for name in services()["neo4j"]["environment"] if name != "NEO4J_AUTH"]
    names = {name.removeprefix("NEO4J_").replace("__", "\0").replace("_", ".").replace("\0", "_") for name in given}
    assert names
    known = neo4j_server.query("SHOW SETTINGS YIELD name WHERE name IN $names RETURN name", names=sorted(names))
    assert {row["name"] for row in known} == names


def steps(text: str, pattern: str) -> list[str]:
    return re.findall(pattern, text, re.MULTILINE)


def test_the_steps_of_the_dockerfile_are_those_that_ci_runs() -> None:
    dockerfile, ci = (DOCKER / "Dockerfile").read_text(), (ROOT / ".ci" / "run").read_text()
    run = [step for step in steps(dockerfile, r"^RUN (.+)$") if not step.startswith(IMAGE_ONLY)]
    scripts = [Path(step.split()[0]).name for step in run]
    assert scripts == ["build-wheel", "install-wheel"]
    assert steps(ci, r"^ *docker/([a-z-]+) \S+$") == scripts
    copied = " ".join(steps(dockerfile, r"^COPY (.+)$"))
    for script in {*scripts, "healthy"}:
        assert os.access(DOCKER / script, os.X_OK)
        assert script in scripts[:1] or f"docker/{script}" in copied
    entry = steps(dockerfile, r'^(?:ENTRYPOINT|CMD) \["([a-z]+)"\]$')
    assert entry == ["graphmem", "serve"]


def test_the_context_holds_all_that_the_wheel_is_made_of() -> None:
    kept = {line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    packaged = re.findall(r'^"?(graphmem(?:\.\w+)?)"? = "(\w+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert {folder for _, folder in packaged} | {"pyproject.toml", "README.md", "LICENSE", "docker"} == kept


def test_the_health_check_tells_a_server_that_answers_from_one_that_does_not() -> None:
    with served(OneNote()) as url:
        assert healthy(url) == 0
    assert healthy(url) == 1


def healthy(url: str) -> int:
    return subprocess.run([sys.executable, DOCKER / "healthy", url], capture_output=True, check=False).returncode
