"""Neo4j's server as jars from Maven Central, and a Java that runs it.

The server is GPL: it is fetched to run tests and the demonstration on this machine, never packed into what we publish.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

#: The versions that everything is tested on, by the name that tests are parametrised with.
VERSIONS = {"5.26": "5.26.25", "2026.09": "2026.09.0"}
#: Java's feature releases that each line of the server runs on, best first.
JAVAS = {"5.26": (17, 21), "2026.09": (21, 25)}
BROWSER = "5.24.0"

FETCH_TIMEOUT_S = 900

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>graphmem.tests</groupId><artifactId>server</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.neo4j.app</groupId><artifactId>neo4j-server</artifactId><version>{version}</version></dependency>
    <dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>{version}</version></dependency>
    <dependency><groupId>org.neo4j.client</groupId><artifactId>neo4j-browser</artifactId><version>{browser}</version></dependency>
  </dependencies>
</project>
"""


class Missing(Exception):
    """What a server needs is not on this machine."""


def cached(line: str) -> Path:
    """Where the jars of a line of the server are kept, fetched or not."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "graphmem" / "neo4j" / VERSIONS[line] / "lib"


def fetched(line: str) -> Path:
    """The folder of the server's jars, fetched once (130 to 170 MB). Raises Missing without Maven or a network."""
    lib = cached(line)
    if lib.is_dir():
        return lib
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing("no Maven (mvn) to fetch Neo4j's server with")
    lib.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=lib.parent) as folder:
        pom = Path(folder) / "pom.xml"
        pom.write_text(POM.format(version=VERSIONS[line], browser=BROWSER))
        goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib")
        done = subprocess.run(
            [maven, "--quiet", "--batch-mode", "--file", str(pom), *goal],
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise Missing(f"Maven did not fetch Neo4j {VERSIONS[line]}: {(done.stdout + done.stderr)[-600:]}")
        try:
            (Path(folder) / "lib").rename(lib)
        except OSError:  # another run was first
            if not lib.is_dir():
                raise
    return lib


def java(line: str) -> Path:
    """A java that the line runs on; GRAPHMEM_TEST_JAVA comes first if it fits. Raises Missing."""
    found = javas()
    for wanted in JAVAS[line]:
        for path, release in found:
            if release == wanted:
                return path
    seen = ", ".join(str(release) for _, release in found) or "none"
    needed = " or ".join(map(str, JAVAS[line]))
    raise Missing(f"Neo4j {line} needs Java {needed} (found: {seen}); GRAPHMEM_TEST_JAVA may name one")


@cache
def javas() -> tuple[tuple[Path, int], ...]:
    """Every java on this machine with its feature release, in the order in which they are preferred."""
    homes = [os.environ.get("GRAPHMEM_TEST_JAVA"), os.environ.get("JAVA_HOME"), *os.environ.get("PATH", "").split(":")]
    places = [Path(home) for home in homes if home]
    for root in (Path("/usr/lib/jvm"), Path("/opt"), Path.home() / ".sdkman/candidates/java"):
        places += sorted(root.iterdir()) if root.is_dir() else []
    runs = [path for place in places for path in (place, place / "java", place / "bin" / "java") if path.is_file()]
    unique = {path.resolve(): path for path in runs if path.name == "java"}
    return tuple((path, release) for path in unique if (release := feature_release(path)))


def feature_release(java: Path) -> int:
    """17 for a Java 17; 0 when it does not run."""
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    except OSError:
        return 0
    named = re.search(r'version "(\d+)', told)
    return int(named[1]) if named else 0


if __name__ == "__main__":
    try:
        for line, version in VERSIONS.items():
            print(f"Neo4j {version}: on {java(line)}" + ("" if "--java" in sys.argv else f", from {fetched(line)}"))
    except Missing as missing:
        sys.exit(str(missing))
