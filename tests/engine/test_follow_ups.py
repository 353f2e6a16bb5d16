"""A long way without a wait: it goes on behind the commands that wait."""

import asyncio

from saga.engine.core import Command
from saga.engine.core.engine import MAX_FOLLOW_UPS
from tests.engine import row
from tests.engine.writing import creation, writing

LENGTH = MAX_FOLLOW_UPS * 3


async def test_an_instance_with_a_long_way_completes_and_another_command_has_its_turn_before() -> None:
    chain = {f"e{number}": f'<bpmn:exclusiveGateway id="e{number}" />' for number in range(LENGTH)}
    async with writing() as (writer, log):
        resources = [{"resourceName": "chain.bpmn", "resource": row("chain", chain)}]
        await writer.send(Command("DEPLOYMENT", "CREATE", value={"resources": resources}))
        await log.hold()
        blocker = asyncio.create_task(writer.send(creation()))
        await log.begun.wait()
        long_way = asyncio.create_task(writer.create_with_result(dict(creation("chain").value), 0))
        await asyncio.sleep(0)
        other = asyncio.create_task(writer.send(creation()))
        await asyncio.sleep(0)
        log.release()
        await blocker
        instance = (await long_way)["processInstanceKey"]
        records = [each for batch in log.batches for each in batch]
        of = [(each.key, each.intent, each.value.get("bpmnElementType")) for each in records]
        end = of.index((instance, "ELEMENT_COMPLETED", "PROCESS"))
        start = of.index(((await other)["processInstanceKey"], "ELEMENT_ACTIVATED", "PROCESS"))
        assert start < end
