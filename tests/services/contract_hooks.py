"""What schemathesis is told beyond the OpenAPI document: which key belongs to which command.

The document can say a key's form only; that it must name the URL's order and the route's own caller, no schema can.
A case that has no key, as one that leaves the header out on purpose, gets none here.
"""

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:  # noqa: ANN401 - a plug-in's form
    if "Idempotency-Key" not in (case.headers or {}) or "order_id" not in (case.path_parameters or {}):
        return
    [[caller]] = case.operation.definition.raw["security"][0].values()
    case.headers["Idempotency-Key"] = f'"{case.path_parameters["order_id"]}/{caller}"'
