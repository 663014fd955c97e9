"""Registered models and their aliases, as MLflow asks for them."""

from __future__ import annotations

from typing import Any

import msgspec

from flyball.errors import AlreadyExists
from flyball.registry.model_versions import mlflow_stage
from flyball.server.protocols.mlflow._registry import (
    check_alias,
    check_name,
    check_tag,
    find_model,
    find_version,
    is_prompt,
    model_json,
    page_size,
    tags_of,
    version_json,
)
from flyball.server.protocols.mlflow.experiments import Tag
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.workspace import Workspace


class CreateModel(msgspec.Struct):
    """What a registered model is made from."""

    name: str
    tags: list[Tag] = []
    description: str = ""


class Named(msgspec.Struct):
    """Which model is meant."""

    name: str


class UpdateModel(msgspec.Struct):
    """What a model is to be described as."""

    name: str
    description: str = ""


class RenameModel(msgspec.Struct):
    """The name that a model is to have."""

    name: str
    new_name: str


class Search(msgspec.Struct):
    """What is searched for."""

    filter: str = ""
    max_results: int = 100
    order_by: list[str] = []
    page_token: str = ""


class LatestVersions(msgspec.Struct):
    """The stages whose latest versions are asked for; all without any."""

    name: str
    stages: list[str] = []


class SetTag(msgspec.Struct):
    """A tag of a model."""

    name: str
    key: str
    value: str = ""


class DeleteTag(msgspec.Struct):
    """The key of a tag of a model."""

    name: str
    key: str


class Alias(msgspec.Struct):
    """An alias of a model."""

    name: str
    alias: str


class SetAlias(msgspec.Struct):
    """Where an alias is to point."""

    name: str
    alias: str
    version: str


@endpoint("POST", "mlflow/registered-models/create")
def create_model(workspace: Workspace, given: CreateModel) -> dict[str, Any]:
    """Makes a name for versions, or for a prompt's."""
    check_name(given.name)
    tags = tags_of(given.tags)
    try:
        made = workspace.registered_models.create(given.name, given.description, tags)
    except AlreadyExists:
        raise _taken(given.name, find_model(workspace, given.name).tags, tags) from None
    return {"registered_model": model_json(made)}


@endpoint("GET", "mlflow/registered-models/get")
def get_model(workspace: Workspace, given: Named) -> dict[str, Any]:
    """A model with the latest version of each stage."""
    return {"registered_model": _shown(workspace, given.name)}


@endpoint("PATCH", "mlflow/registered-models/update")
def update_model(workspace: Workspace, given: UpdateModel) -> dict[str, Any]:
    """Describes a model anew."""
    find_model(workspace, given.name)
    workspace.registered_models.update(given.name, given.description)
    return {"registered_model": _shown(workspace, given.name)}


@endpoint("POST", "mlflow/registered-models/rename")
def rename_model(workspace: Workspace, given: RenameModel) -> dict[str, Any]:
    """Gives a model another name."""
    check_name(given.new_name)
    find_model(workspace, given.name)
    try:
        workspace.registered_models.rename(given.name, given.new_name)
    except AlreadyExists as error:
        message = f"Registered Model (name={given.new_name}) already exists. Error: {error}"
        raise MlflowError(message, "RESOURCE_ALREADY_EXISTS") from None
    return {"registered_model": _shown(workspace, given.new_name)}


@endpoint("DELETE", "mlflow/registered-models/delete")
def delete_model(workspace: Workspace, given: Named) -> None:
    """Deletes a model with its versions."""
    find_model(workspace, given.name)
    workspace.registered_models.delete(given.name)


@endpoint("GET", "mlflow/registered-models/search")
def search_models(workspace: Workspace, given: Search) -> dict[str, Any]:
    """Models that fit; prompts only where they are asked for."""
    page = workspace.registered_models.search(
        given.filter, given.order_by, page_size(given.max_results, 1_000), given.page_token, native=False
    )
    latest = workspace.registered_models.latest_versions([model.name for model in page.models])
    told: dict[str, Any] = {"registered_models": [model_json(model, latest[model.name]) for model in page.models]}
    return {name: value for name, value in (told | {"next_page_token": page.next_page_token}).items() if value}


@endpoint("GET POST", "mlflow/registered-models/get-latest-versions")
def get_latest_versions(workspace: Workspace, given: LatestVersions) -> dict[str, Any]:
    """The latest version of each stage."""
    find_model(workspace, given.name)
    wanted = {mlflow_stage(stage) for stage in given.stages}
    latest = workspace.registered_models.latest_versions([given.name])[given.name]
    found = [version_json(version) for version in latest if not wanted or version.mlflow_stage in wanted]
    return {"model_versions": found} if found else {}


@endpoint("POST", "mlflow/registered-models/set-tag")
def set_tag(workspace: Workspace, given: SetTag) -> None:
    """Sets a tag of a model."""
    check_tag(given.key, given.value)
    find_model(workspace, given.name)
    workspace.registered_models.set_tag(given.name, given.key, given.value)


@endpoint("DELETE", "mlflow/registered-models/delete-tag")
def delete_tag(workspace: Workspace, given: DeleteTag) -> None:
    """Removes a tag of a model."""
    check_tag(given.key, "")
    find_model(workspace, given.name)
    workspace.registered_models.delete_tag(given.name, given.key)


@endpoint("GET", "mlflow/registered-models/alias")
def get_version_by_alias(workspace: Workspace, given: Alias) -> dict[str, Any]:
    """The version that an alias points at."""
    check_name(given.name)
    model = find_model(workspace, given.name)
    alias = check_alias(given.alias)
    if alias.lower() == "latest":
        if not model.latest:
            raise MlflowError(f"Latest version not found for model {given.name}.", "RESOURCE_DOES_NOT_EXIST")
        return {"model_version": version_json(find_version(workspace, given.name, str(model.latest)))}
    if alias not in model.aliases:
        raise MlflowError(f"Registered model alias {alias} not found.")
    return {"model_version": version_json(find_version(workspace, given.name, str(model.aliases[alias])))}


@endpoint("POST", "mlflow/registered-models/alias")
def set_alias(workspace: Workspace, given: SetAlias) -> None:
    """Lets an alias point at a version; `champion` makes it the champion, as it does natively."""
    check_alias(given.alias, is_set=True)
    version = find_version(workspace, given.name, given.version)
    workspace.registry.set_alias(given.name, given.alias, version.version, reason="set by an MLflow client")


@endpoint("DELETE", "mlflow/registered-models/alias")
def delete_alias(workspace: Workspace, given: Alias) -> None:
    """Removes an alias; nothing happens if there is none."""
    check_alias(given.alias)
    if given.alias in find_model(workspace, given.name).aliases:
        workspace.registry.delete_alias(given.name, given.alias, reason="removed by an MLflow client")


def _shown(workspace: Workspace, name: str) -> dict[str, Any]:
    model = find_model(workspace, name)
    return model_json(model, workspace.registered_models.latest_versions([name])[name])


def _taken(name: str, before: dict[str, str], tags: dict[str, str]) -> MlflowError:
    old, new = ("Prompt" if is_prompt(each) else "Registered Model" for each in (before, tags))
    if old == new:
        return MlflowError(f"{new} (name={name}) already exists.", "RESOURCE_ALREADY_EXISTS")
    return MlflowError(
        f"Tried to create a {new.lower()} with name {name!r}, but the name is already taken by a {old.lower()}. MLflow "
        "does not allow creating a model and a prompt with the same name.",
        "RESOURCE_ALREADY_EXISTS",
    )
