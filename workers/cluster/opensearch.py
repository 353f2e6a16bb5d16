"""OpenSearch: where the broker exports its records to, and what Operate and Tasklist search."""

from workers.cluster.artifacts import Store, locked
from workers.cluster.java import Java
from workers.cluster.layout import Layout
from workers.cluster.parts import Part, http_probe
from workers.cluster.ports import HOST, Ports
from workers.cluster.unpack import runner_for_any_port

CLUSTER = "saga"

_SETTINGS = f"""\
network.host: {HOST}
transport.port: 0
discovery.type: single-node
# An instance shows in Operate sooner: by default, a record is found a second after it was written.
cluster.default.index.refresh_interval: 250ms
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
# It warns of each index that it places on the only node.
logger.allocation.name = org.opensearch.cluster.routing.allocation.AllocationService
logger.allocation.level = error
"""


def opensearch(layout: Layout, ports: Ports, store: Store) -> Part:
    """Return the part: one node that nobody but this machine can reach."""
    home = layout.data / "opensearch"
    configuration = home / "config"
    runner, *libraries = (store.path(artifact) for artifact in locked("opensearch"))
    any_port = layout.cache / f"{runner.stem}-any-port.jar"
    class_path = [any_port, *libraries]
    java = Java(
        name="opensearch",
        main="org.codelibs.opensearch.runner.OpenSearchRunner",
        heap="512m",
        home=home,
        archives=layout.archives,
    )

    def prepare() -> None:
        runner_for_any_port(runner, any_port)
        configuration.mkdir(parents=True, exist_ok=True)
        (configuration / "opensearch.yml").write_text(_SETTINGS, encoding="utf-8")
        (configuration / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
        # The Thai word breaker comes from ICU's jar.
        java.prepare(class_path, "-Djava.locale.providers=CLDR,SPI")

    return Part(
        name="opensearch",
        command=[
            *java.command,
            *("-basePath", str(home)),
            *("-confPath", str(configuration)),
            *("-clusterName", CLUSTER),
            *("-numOfNode", "1"),
            # The runner's first node listens on the port after its base.
            *("-baseHttpPort", str(ports.opensearch - 1)),
            "-printOnFailure",
        ],
        ready=http_probe(f"http://{HOST}:{ports.opensearch}/_cluster/health"),
        prepare=prepare,
        # The first time, it also writes the archive of its classes.
        stop_seconds=90.0,
        after_stop=lambda: java.keep_archive(class_path),
    )
