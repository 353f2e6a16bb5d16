"""REST over tables that lag: the same application with another reader."""

from contextlib import closing

import httpx

from saga.engine import rest
from saga.engine.access import Access
from saga.engine.projection import Replica
from tests.engine.rest.conftest import Service


async def test_what_lags_is_not_found_until_it_is_shown(engine: Service) -> None:
    with closing(Replica(engine.log_uri)) as replica:
        application = rest.app(engine.writer, replica.reader, Access())
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            lagging = Service(engine.writer, application, client, engine.log_uri)
            replica.show()
            instance = await lagging.start("order")
            assert (await lagging.request("GET", f"process-instances/{instance}")).status_code == 404
            replica.show(by_type={"JOB": 0})
            assert (await lagging.get(f"process-instances/{instance}"))["state"] == "ACTIVE"
            assert await lagging.search("jobs") == []
            replica.show()
            assert len(await lagging.search("jobs")) == 1
