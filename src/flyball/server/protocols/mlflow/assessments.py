"""MLflow's assessments: feedback on traces, and what was expected of them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from flyball.server.protocols.mlflow.trace_json import GivenAssessment, assessment_json, assessment_of, judgement
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.workspace import Workspace

_PATH = "mlflow/traces/{trace_id}/assessments"


class CreateAssessment(msgspec.Struct):
    """A new assessment."""

    assessment: GivenAssessment


class UpdateAssessment(msgspec.Struct):
    """What of an assessment becomes what."""

    assessment: GivenAssessment
    update_mask: str | dict[str, list[str]]


@endpoint("POST", _PATH, version="3.0")
def create_assessment(workspace: Workspace, given: CreateAssessment, trace_id: str) -> dict[str, Any]:
    """Judges a trace."""
    found = assessment_of(given.assessment, trace_id, workspace.time.now())
    made = workspace.assessments.create(
        trace_id,
        found.name,
        found.value,
        kind=found.kind,
        source=found.source,
        source_type=found.source_type,
        rationale=found.rationale,
        metadata=found.metadata,
        error=found.error,
        span=found.span,
        run=found.run,
        overrides=found.overrides,
        created=found.created,
        id=found.id,
    )
    return {"assessment": assessment_json(made)}


@endpoint("GET", _PATH + "/{assessment_id}", version="3.0")
def get_assessment(workspace: Workspace, trace_id: str, assessment_id: str) -> dict[str, Any]:
    """One assessment."""
    return {"assessment": assessment_json(workspace.assessments.get(trace_id, assessment_id))}


@endpoint("PATCH", _PATH + "/{assessment_id}", version="3.0")
def update_assessment(
    workspace: Workspace, given: UpdateAssessment, trace_id: str, assessment_id: str
) -> dict[str, Any]:
    """Changes what the mask names."""
    fields = _fields(given.update_mask)
    if {"feedback", "expectation"} <= fields:
        raise MlflowError("Cannot specify both `expectation` and `feedback` parameters.")
    wanted = given.assessment
    valued = bool(fields & {"feedback", "expectation"})
    kind, value, error = judgement(wanted) if valued else (None, None, None)
    changed = workspace.assessments.update(
        trace_id,
        assessment_id,
        name=wanted.assessment_name if "assessment_name" in fields else None,
        value=value,
        error=error,
        rationale=wanted.rationale if "rationale" in fields else None,
        metadata=wanted.metadata if "metadata" in fields else None,
        kind=kind,
        keep_value=not valued,
    )
    return {"assessment": assessment_json(changed)}


@endpoint("DELETE", _PATH + "/{assessment_id}", version="3.0")
def delete_assessment(workspace: Workspace, trace_id: str, assessment_id: str) -> None:
    """Removes an assessment; there being none is no error."""
    workspace.assessments.delete(trace_id, assessment_id)


def _fields(mask: str | dict[str, list[str]]) -> set[str]:
    """The names of fields in a mask, which protobuf writes as `assessmentName,feedback`."""
    names = mask.split(",") if isinstance(mask, str) else mask.get("paths", [])
    return {re.sub(r"(?<=[a-z])([A-Z])", lambda found: "_" + found[1].lower(), name.strip()) for name in names}
