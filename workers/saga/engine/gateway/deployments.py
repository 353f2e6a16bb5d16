"""DeployResource, DeployProcess and DeleteResource."""

from typing import Any

from ..core import Command
from ..writer import Writer
from .proto import pb
from .validation import TENANT, check_tenants, refuse


async def deploy_resource(writer: Writer, request: pb.DeployResourceRequest) -> pb.DeployResourceResponse:
    """Deploy files, all or none."""
    check_tenants("DeployResource", "CREATE", [request.tenantId])
    response = await _deploy(writer, [(each.name, each.content) for each in request.resources])
    processes = [pb.Deployment(process=_process(each)) for each in response["processesMetadata"]]
    forms = [pb.Deployment(form=pb.FormMetadata(**each, tenantId=TENANT)) for each in response["formMetadata"]]
    return pb.DeployResourceResponse(key=response["deploymentKey"], deployments=processes + forms, tenantId=TENANT)


async def deploy_process(writer: Writer, request: pb.DeployProcessRequest) -> pb.DeployProcessResponse:
    """Do the same for processes only: deprecated, and what `zbctl deploy FILE` calls."""
    response = await _deploy(writer, [(each.name, each.definition) for each in request.processes])
    processes = [_process(each) for each in response["processesMetadata"]]
    return pb.DeployProcessResponse(key=response["deploymentKey"], processes=processes)


async def delete_resource(writer: Writer, request: pb.DeleteResourceRequest) -> pb.DeleteResourceResponse:
    """Delete a process definition or a form."""
    await writer.send(Command("RESOURCE_DELETION", "DELETE", value={"resourceKey": request.resourceKey}))
    return pb.DeleteResourceResponse()


async def _deploy(writer: Writer, resources: list[tuple[str, bytes]]) -> dict[str, Any]:
    if not resources:
        refuse("CREATE", "Expected to deploy at least one resource, but none given")
    value = {"resources": [{"resourceName": name, "resource": content} for name, content in resources]}
    return await writer.send(Command("DEPLOYMENT", "CREATE", value=value))


def _process(metadata: dict[str, Any]) -> pb.ProcessMetadata:
    return pb.ProcessMetadata(**metadata, tenantId=TENANT)
