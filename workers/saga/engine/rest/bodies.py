"""JSON schemas of the bodies of commands, and of what is answered to them."""

from .kinds import BOOLEAN, KEY
from .schemas import INT, LONG, STRING, TIMESTAMP, VARIABLES, answer, listed, nullable, record

_KEY, _FLAG = KEY.schema, BOOLEAN.schema
REFERENCE = record(operationReference=LONG)
MESSAGE = {"name": STRING, "correlationKey": STRING, "variables": VARIABLES, "tenantId": STRING}
STARTED = answer(
    processDefinitionId=STRING,
    processDefinitionVersion=INT,
    processDefinitionKey=_KEY,
    processInstanceKey=_KEY,
    tenantId=STRING,
    variables=VARIABLES,
    tags=listed(STRING),
    businessId={"type": "null"},
)
CREATION = record(
    processDefinitionId=STRING,
    processDefinitionVersion=LONG,
    processDefinitionKey=_KEY,
    variables=VARIABLES,
    tenantId=STRING,
    operationReference=LONG,
    startInstructions=listed(record("elementId", elementId=STRING)),
    awaitCompletion=_FLAG,
    fetchVariables=listed(STRING),
    requestTimeout=LONG,
)
MODIFICATION = record(
    operationReference=LONG,
    activateInstructions=listed(
        record(
            "elementId",
            elementId=STRING,
            ancestorElementInstanceKey=_KEY,
            variableInstructions=listed(record(variables=VARIABLES, scopeId=STRING)),
        )
    ),
    terminateInstructions=listed(record("elementInstanceKey", elementInstanceKey=_KEY)),
)
JOB = answer(
    jobKey=_KEY,
    type=STRING,
    worker=STRING,
    retries=INT,
    deadline=LONG,
    variables=VARIABLES,
    customHeaders=VARIABLES,
    elementId=STRING,
    elementInstanceKey=_KEY,
    processInstanceKey=_KEY,
    processDefinitionId=STRING,
    processDefinitionVersion=INT,
    processDefinitionKey=_KEY,
    kind=STRING,
    listenerEventType=STRING,
    userTask={"type": "null"},
    tags=listed(STRING),
    tenantId=STRING,
)
ACTIVATION = record(
    *("type", "timeout", "maxJobsToActivate"),
    type=STRING,
    timeout=LONG,
    maxJobsToActivate=INT,
    worker=STRING,
    fetchVariable=listed(STRING),
    requestTimeout=LONG,
    tenantIds=listed(STRING),
)
PROCESS = answer(
    processDefinitionId=STRING,
    processDefinitionVersion=INT,
    processDefinitionKey=_KEY,
    resourceName=STRING,
    tenantId=STRING,
)
FORM = answer(formId=STRING, formKey=_KEY, version=INT, resourceName=STRING, tenantId=STRING)
DEPLOYED = answer(
    deploymentKey=_KEY,
    tenantId=STRING,
    deployments=listed(
        answer(
            processDefinition=nullable(PROCESS),
            decisionDefinition={"type": "null"},
            decisionRequirements={"type": "null"},
            form=nullable(FORM),
            resource={"type": "null"},
        )
    ),
)
COUNTS = answer(items=listed(answer(elementId=STRING, active=INT, canceled=INT, incidents=INT, completed=INT)))
FLOWS = answer(
    items=listed(
        answer(
            sequenceFlowId=STRING,
            processInstanceKey=_KEY,
            rootProcessInstanceKey=_KEY,
            processDefinitionKey=_KEY,
            processDefinitionId=STRING,
            elementId=STRING,
            tenantId=STRING,
        )
    )
)
CHANGES = record(
    dueDate=nullable(TIMESTAMP),
    followUpDate=nullable(TIMESTAMP),
    candidateGroups=listed(STRING),
    candidateUsers=listed(STRING),
    priority={"type": "integer", "minimum": 0, "maximum": 100},
)
PARTITION = answer(partitionId=INT, role=STRING, health=STRING, state=STRING)
BROKER = answer(nodeId=INT, brokerId=STRING, host=STRING, port=INT, partitions=listed(PARTITION), version=STRING)
TOPOLOGY = answer(
    brokers=listed(BROKER),
    clusterId=STRING,
    clusterSize=INT,
    partitionsCount=INT,
    replicationFactor=INT,
    gatewayVersion=STRING,
    lastCompletedChangeId=STRING,
)
