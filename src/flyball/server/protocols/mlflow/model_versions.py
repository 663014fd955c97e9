"""Versions of registered models, as MLflow asks for them."""

from __future__ import annotations

from typing import Any

import msgspec

from flyball.errors import InvalidInput, NotFound
from flyball.server.protocols.mlflow._registry import (
    check_name,
    check_tag,
    find_model,
    find_version,
    is_prompt,
    page_size,
    tags_of,
    version_json,
)
from flyball.server.protocols.mlflow._sources import location_of, model_source, package_at, prompt_source
from flyball.server.protocols.mlflow.experiments import Tag
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.workspace import Workspace


class CreateVersion(msgspec.Struct):
    """What a version is made from."""

    name: str
    source: str
    run_id: str | None = None
    tags: list[Tag] = []
    run_link: str = ""
    description: str = ""
    model_id: str | None = None


class Version(msgspec.Struct):
    """Which version is meant."""

    name: str
    version: str


class UpdateVersion(msgspec.Struct):
    """What a version is to be described as."""

    name: str
    version: str
    description: str = ""


class SetStage(msgspec.Struct):
    """The stage that a version is to have."""

    name: str
    version: str
    stage: str
    archive_existing_versions: bool = False


class Search(msgspec.Struct):
    """What is searched for."""

    filter: str = ""
    max_results: int = 200_000
    order_by: list[str] = []
    page_token: str = ""


class SetTag(msgspec.Struct):
    """A tag of a version."""

    name: str
    version: str
    key: str
    value: str = ""


class DeleteTag(msgspec.Struct):
    """The key of a tag of a version."""

    name: str
    version: str
    key: str


@endpoint("POST", "mlflow/model-versions/create")
def create_version(workspace: Workspace, given: CreateVersion) -> dict[str, Any]:
    """Registers what lies at a source. Files that this server keeps become a package that it can serve."""
    tags = tags_of(given.tags)
    if is_prompt(tags):
        source, package = prompt_source(given.source), None
    else:
        source = model_source(workspace, given.source, given.run_id, given.model_id)
        package = None
    check_name(given.name)
    find_model(workspace, given.name)
    if not is_prompt(tags):
        package = _package(workspace, source)
    made = workspace.model_versions.create(
        given.name,
        source.uri,
        package,
        run=given.run_id or source.run,
        logged_model=source.logged_model,
        description=given.description,
        tags=tags,
        run_link=given.run_link,
    )
    if source.logged_model:
        _note(workspace, source.logged_model, made.model, made.version)
    return {"model_version": version_json(made)}


@endpoint("GET", "mlflow/model-versions/get")
def get_version(workspace: Workspace, given: Version) -> dict[str, Any]:
    """One version."""
    return {"model_version": version_json(find_version(workspace, given.name, given.version))}


@endpoint("PATCH", "mlflow/model-versions/update")
def update_version(workspace: Workspace, given: UpdateVersion) -> dict[str, Any]:
    """Describes a version anew."""
    version = find_version(workspace, given.name, given.version)
    changed = workspace.registry.update(version.model, version.version, description=given.description)
    return {"model_version": version_json(changed)}


@endpoint("POST", "mlflow/model-versions/transition-stage")
def set_stage(workspace: Workspace, given: SetStage) -> dict[str, Any]:
    """Puts a version into one of MLflow's stages."""
    version = find_version(workspace, given.name, given.version)
    changed = workspace.model_versions.set_mlflow_stage(
        version.model, version.version, given.stage, given.archive_existing_versions
    )
    return {"model_version": version_json(changed)}


@endpoint("DELETE", "mlflow/model-versions/delete")
def delete_version(workspace: Workspace, given: Version) -> None:
    """Deletes a version with its aliases."""
    version = find_version(workspace, given.name, given.version)
    workspace.model_versions.delete(version.model, version.version)


@endpoint("GET", "mlflow/model-versions/get-download-uri")
def get_download_uri(workspace: Workspace, given: Version) -> dict[str, Any]:
    """Where a client fetches a version's files."""
    return {"artifact_uri": location_of(workspace, find_version(workspace, given.name, given.version))}


@endpoint("GET", "mlflow/model-versions/search")
def search_versions(workspace: Workspace, given: Search) -> dict[str, Any]:
    """Versions that fit; those of prompts only where they are asked for."""
    page = workspace.model_versions.search(
        given.filter, given.order_by, page_size(given.max_results, 200_000), given.page_token, native=False
    )
    told: dict[str, Any] = {"model_versions": [version_json(version) for version in page.versions]}
    return {name: value for name, value in (told | {"next_page_token": page.next_page_token}).items() if value}


@endpoint("POST", "mlflow/model-versions/set-tag")
def set_tag(workspace: Workspace, given: SetTag) -> None:
    """Sets a tag of a version."""
    check_tag(given.key, given.value)
    version = find_version(workspace, given.name, given.version)
    workspace.model_versions.set_tag(version.model, version.version, given.key, given.value)


@endpoint("DELETE", "mlflow/model-versions/delete-tag")
def delete_tag(workspace: Workspace, given: DeleteTag) -> None:
    """Removes a tag of a version."""
    check_tag(given.key, "")
    version = find_version(workspace, given.name, given.version)
    workspace.model_versions.delete_tag(version.model, version.version, given.key)


def _package(workspace: Workspace, source: Any) -> Any:
    try:
        return package_at(workspace, source)
    except (InvalidInput, NotFound) as error:
        raise MlflowError(f"The model at '{source.uri[:300]}' cannot be registered: {error}") from error


def _note(workspace: Workspace, logged_model: str, model: str, version: int) -> None:
    """Says on the logged model which versions it became, as the clients read it there."""
    key = "mlflow.modelVersions"
    before = workspace.logged_models.get(logged_model).tags.get(key, "[]")
    try:
        known = msgspec.json.decode(before, type=list[dict[str, Any]])
    except msgspec.DecodeError:
        known = []
    told = msgspec.json.encode([*known, {"name": model, "version": version}]).decode()
    workspace.logged_models.set_tags(logged_model, {key: told})
