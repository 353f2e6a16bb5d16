"""Process instances and the sagas that they carry out: which variable holds the id, the definitions say."""

from saga.clients.instances import Instances, ProcessInstance
from saga.kit.definition.registry import SagaRegistry
from saga.kit.definition.saga import SagaDefinition


async def instances_of(instances: Instances, sagas: SagaRegistry, saga_id: str) -> list[ProcessInstance]:
    """Return the instances of any process that carry the id of a saga, the oldest first.

    Raises:
        Failure: The cluster does not answer.
    """
    found = [each for key in sagas.keys for each in await instances.with_variable(key, saga_id)]
    by_key = {each.key: each for each in found}
    return [by_key[key] for key in sorted(by_key)]


async def saga_of(
    instances: Instances, sagas: SagaRegistry, instance: int, process: str
) -> tuple[SagaDefinition, str] | None:
    """Return the saga of an instance; None where its process holds no valid id.

    A process that no package defines, as one that is called by another, may hold the id of any saga.

    Raises:
        Failure: The cluster does not answer.
    """
    own = sagas.of_process(process)
    for definition in [own] if own else sagas.definitions:
        # Whatever else is in that variable is not an id, and is shown to nobody.
        saga_id = definition.saga_id(await instances.variable(instance, definition.key))
        if saga_id is not None:
            return definition, saga_id
    return None
