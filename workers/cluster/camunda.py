"""Camunda 8.6: the Zeebe broker, its gateway, Operate and Tasklist in one Java process."""

from pathlib import Path

from workers.cluster.artifacts import Store, locked
from workers.cluster.java import Java
from workers.cluster.layout import Layout
from workers.cluster.opensearch import CLUSTER
from workers.cluster.parts import Part, http_probe
from workers.cluster.ports import HOST, Ports
from workers.cluster.unpack import unpacked

LICENCE = (
    "Camunda 8.6 is under the Camunda License 1.0: free for development and test; production use needs a licence from "
    "Camunda. Its text is CAMUNDA-LICENSE-1.0.txt in the distribution."
)

_LOGGING = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN" shutdownHook="disable">
  <Appenders>
    <Console name="Console" target="SYSTEM_OUT">
      <PatternLayout pattern="%d{ISO8601} %-5level %logger{36} - %msg%n"/>
    </Console>
  </Appenders>
  <Loggers>
    <Root level="info">
      <AppenderRef ref="Console"/>
    </Root>
    <!-- A line per index that nothing was exported to yet, again and again. -->
    <Logger name="io.camunda.operate.zeebeimport" level="error"/>
    <Logger name="io.camunda.tasklist.zeebeimport" level="error"/>
  </Loggers>
</Configuration>
"""


def camunda(layout: Layout, ports: Ports, store: Store) -> Part:
    """Return the part; Operate's and Tasklist's user is demo with the password demo."""
    home = layout.data / "camunda"
    logging = home / "log4j2.xml"
    archive = locked("camunda")[0]
    folder = layout.cache / f"{archive.name}-{archive.version}"
    distribution = folder / f"{archive.name}-{archive.version}"
    java = Java(
        name="camunda",
        main="io.camunda.application.StandaloneCamunda",
        heap="512m",
        home=home,
        archives=layout.archives,
    )

    def prepare() -> None:
        unpacked(store.path(archive), folder)
        home.mkdir(parents=True, exist_ok=True)
        logging.write_text(_LOGGING, encoding="utf-8")
        java.prepare(
            class_path(),
            f"-Dspring.config.additional-location=file:{distribution}/config/",
            f"-Dlog4j2.configurationFile={logging}",
            f"-Dbasedir={home}",
        )

    def class_path() -> list[Path]:
        # File by file: Java archives the classes of no directory.
        return sorted((distribution / "lib").glob("*.jar"))

    return Part(
        name="camunda",
        command=java.command,
        environment=_broker(home, ports) | _web_applications(ports),
        directory=home,
        uses=frozenset({"opensearch"}),
        ready=http_probe(f"http://{HOST}:{ports.management}/ready"),
        prepare=prepare,
        # The first time, it also writes the archive of its classes.
        stop_seconds=90.0,
        after_stop=lambda: java.keep_archive(class_path()),
    )


def _broker(home: Path, ports: Ports) -> dict[str, str]:
    exporter = "ZEEBE_BROKER_EXPORTERS_OPENSEARCH"
    return {
        "SPRING_PROFILES_ACTIVE": "broker,operate,tasklist,auth",
        "SERVER_ADDRESS": HOST,
        "SERVER_PORT": str(ports.web),
        "MANAGEMENT_SERVER_ADDRESS": HOST,
        "MANAGEMENT_SERVER_PORT": str(ports.management),
        "ZEEBE_BROKER_DATA_DIRECTORY": f"{home}/data",
        # Below these the broker takes no more commands; `saga up` asks for more room than that before it starts.
        "ZEEBE_BROKER_DATA_DISK_FREESPACE_PROCESSING": "500MB",
        "ZEEBE_BROKER_DATA_DISK_FREESPACE_REPLICATION": "250MB",
        "ZEEBE_BROKER_NETWORK_HOST": HOST,
        "ZEEBE_BROKER_NETWORK_COMMANDAPI_PORT": str(ports.zeebe_command),
        "ZEEBE_BROKER_NETWORK_INTERNALAPI_PORT": str(ports.zeebe_internal),
        "ZEEBE_BROKER_GATEWAY_NETWORK_HOST": HOST,
        "ZEEBE_BROKER_GATEWAY_NETWORK_PORT": str(ports.zeebe),
        f"{exporter}_CLASSNAME": "io.camunda.zeebe.exporter.opensearch.OpensearchExporter",
        f"{exporter}_ARGS_URL": _opensearch(ports),
        # Seconds: an instance shows in Operate about two seconds after it started.
        f"{exporter}_ARGS_BULK_DELAY": "1",
        f"{exporter}_ARGS_INDEX_NUMBEROFREPLICAS": "0",
        # Tests move the engine's time with PUT /v2/clock.
        "ZEEBE_CLOCK_CONTROLLED": "true",
    }


def _web_applications(ports: Ports) -> dict[str, str]:
    url = _opensearch(ports)
    environment = {
        "CAMUNDA_DATABASE_TYPE": "opensearch",
        "CAMUNDA_DATABASE_URL": url,
        "CAMUNDA_DATABASE_CLUSTERNAME": CLUSTER,
        # It asks for a plugin (index state management) that the runner does not have.
        "CAMUNDA_TASKLIST_ARCHIVERENABLED": "false",
        # Milliseconds between two looks for new records, by default five seconds: with half a second an instance shows
        # in Operate within two. Idle, that takes a twentieth of a core.
        "CAMUNDA_OPERATE_IMPORTER_READERBACKOFF": "500",
        "CAMUNDA_OPERATE_IMPORTER_SCHEDULERBACKOFF": "500",
    }
    for application in ("CAMUNDA_OPERATE", "CAMUNDA_TASKLIST"):
        environment |= {
            f"{application}_DATABASE": "opensearch",
            f"{application}_OPENSEARCH_URL": url,
            f"{application}_OPENSEARCH_CLUSTERNAME": CLUSTER,
            f"{application}_OPENSEARCH_NUMBEROFREPLICAS": "0",
            f"{application}_OPENSEARCH_REFRESHINTERVAL": "250ms",
            f"{application}_ZEEBEOPENSEARCH_URL": url,
            f"{application}_ZEEBEOPENSEARCH_CLUSTERNAME": CLUSTER,
            f"{application}_ZEEBE_GATEWAYADDRESS": f"{HOST}:{ports.zeebe}",
            f"{application}_CSRFPREVENTIONENABLED": "false",
        }
    return environment


def _opensearch(ports: Ports) -> str:
    return f"http://{HOST}:{ports.opensearch}"
