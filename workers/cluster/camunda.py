"""Camunda 8.6: the Zeebe broker, its gateway, Operate and Tasklist in one Java process."""

from workers.cluster.artifacts import Store, locked
from workers.cluster.java import java
from workers.cluster.layout import Layout
from workers.cluster.opensearch import CLUSTER
from workers.cluster.parts import Part, http_probe
from workers.cluster.ports import HOST, Ports
from workers.cluster.unpack import unpacked

LICENCE = (
    "Camunda 8.6 is under the Camunda License 1.0: free for development and test; production use needs a licence from "
    "Camunda. Its text is CAMUNDA-LICENSE-1.0.txt in the distribution."
)


def camunda(layout: Layout, ports: Ports, store: Store) -> Part:
    """Return the part; Operate's and Tasklist's user is demo with the password demo."""
    home = layout.data / "camunda"
    archive = locked("camunda")[0]
    folder = layout.cache / f"{archive.name}-{archive.version}"
    distribution = folder / f"{archive.name}-{archive.version}"

    def prepare() -> None:
        unpacked(store.path(archive), folder)
        home.mkdir(parents=True, exist_ok=True)

    return Part(
        name="camunda",
        command=java(
            "io.camunda.application.StandaloneCamunda",
            [distribution / "config", distribution / "lib" / "*"],
            "512m",
            f"-Dapp.home={home}",
            f"-Dbasedir={home}",
        ),
        environment=_broker(home, ports) | _web_applications(ports),
        directory=home,
        needs=frozenset({"opensearch"}),
        ready=http_probe(f"http://{HOST}:{ports.management}/ready"),
        ports=(ports.zeebe, ports.zeebe_command, ports.zeebe_internal, ports.web, ports.management),
        prepare=prepare,
    )


def _broker(home: object, ports: Ports) -> dict[str, str]:
    exporter = "ZEEBE_BROKER_EXPORTERS_OPENSEARCH"
    return {
        "SPRING_PROFILES_ACTIVE": "broker,operate,tasklist,auth",
        "SERVER_ADDRESS": HOST,
        "SERVER_PORT": str(ports.web),
        "MANAGEMENT_SERVER_ADDRESS": HOST,
        "MANAGEMENT_SERVER_PORT": str(ports.management),
        "ZEEBE_BROKER_DATA_DIRECTORY": f"{home}/data",
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
    }
    for application in ("CAMUNDA_OPERATE", "CAMUNDA_TASKLIST"):
        environment |= {
            f"{application}_DATABASE": "opensearch",
            f"{application}_OPENSEARCH_URL": url,
            f"{application}_OPENSEARCH_CLUSTERNAME": CLUSTER,
            f"{application}_OPENSEARCH_NUMBEROFREPLICAS": "0",
            f"{application}_ZEEBEOPENSEARCH_URL": url,
            f"{application}_ZEEBEOPENSEARCH_CLUSTERNAME": CLUSTER,
            f"{application}_ZEEBE_GATEWAYADDRESS": f"{HOST}:{ports.zeebe}",
            f"{application}_CSRFPREVENTIONENABLED": "false",
        }
    return environment


def _opensearch(ports: Ports) -> str:
    return f"http://{HOST}:{ports.opensearch}"
