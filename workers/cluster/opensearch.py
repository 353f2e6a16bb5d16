"""OpenSearch: where the broker exports its records to, and what Operate and Tasklist search."""

from pathlib import Path

from workers.cluster.artifacts import Store, locked
from workers.cluster.java import java
from workers.cluster.layout import Layout
from workers.cluster.parts import Part, http_probe
from workers.cluster.ports import HOST, Ports
from workers.cluster.unpack import runner_for_any_port

CLUSTER = "saga"

_SETTINGS = f"""\
network.host: {HOST}
transport.port: 0
discovery.type: single-node
action.auto_create_index: true
# A developer's disk is often nine tenths full: what counts is the room that is left.
cluster.routing.allocation.disk.watermark.low: 1gb
cluster.routing.allocation.disk.watermark.high: 500mb
cluster.routing.allocation.disk.watermark.flood_stage: 250mb
"""

_LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1.} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.node.name = org.opensearch.node
logger.node.level = info
"""


def opensearch(layout: Layout, ports: Ports, store: Store) -> Part:
    """Return the part: one node that nobody but this machine can reach."""
    home = layout.data / "opensearch"
    configuration = home / "config"
    runner, *libraries = (store.path(artifact) for artifact in locked("opensearch"))
    any_port = layout.cache / f"{runner.stem}-any-port.jar"

    def prepare() -> None:
        runner_for_any_port(runner, any_port)
        configuration.mkdir(parents=True, exist_ok=True)
        (configuration / "opensearch.yml").write_text(_SETTINGS, encoding="utf-8")
        (configuration / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")

    return Part(
        name="opensearch",
        command=[*_java(any_port, libraries), *_arguments(home, configuration, ports)],
        ready=http_probe(f"http://{HOST}:{ports.opensearch}/_cluster/health"),
        ports=(ports.opensearch,),
        prepare=prepare,
    )


def _java(runner: Path, libraries: list[Path]) -> list[str]:
    return java(
        "org.codelibs.opensearch.runner.OpenSearchRunner",
        [runner, *libraries],
        "384m",
        # The first, quick compiler only: the node lives minutes, and its start is what one waits for.
        "-XX:TieredStopAtLevel=1",
        # The Thai word breaker comes from ICU's jar.
        "-Djava.locale.providers=CLDR,SPI",
    )


def _arguments(home: Path, configuration: Path, ports: Ports) -> list[str]:
    return [
        *("-basePath", str(home)),
        *("-confPath", str(configuration)),
        *("-clusterName", CLUSTER),
        *("-numOfNode", "1"),
        # The runner's first node listens on the port after its base.
        *("-baseHttpPort", str(ports.opensearch - 1)),
        "-printOnFailure",
    ]
