"""The registry's nouns as MLflow's JSON, and its words in errors that clients read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, NotFound
from flyball.refs import check_model_name
from flyball.server.protocols.mlflow._checks import check_key, invalid, too_long
from flyball.server.protocols.mlflow.conversions import milliseconds, pairs
from flyball.server.protocols.mlflow.wire import MlflowError

if TYPE_CHECKING:
    from flyball.registry.versions import ModelVersion, RegisteredModel
    from flyball.server.protocols.mlflow.experiments import Tag
    from flyball.workspace import Workspace

PROMPT_TAG = "mlflow.prompt.is_prompt"
TREE = "mlflow-artifacts:/flyball/models"
"""Where the files of versions are shown."""

_STATUS = {"ready": "READY", "pending": "PENDING_REGISTRATION", "failed": "FAILED_REGISTRATION"}
_LONGEST_KEY = 250
_LONGEST_VALUE = 100_000
_LONGEST_ALIAS = 255
_GREATEST_VERSION = 2**31 - 1


def model_json(model: RegisteredModel, latest: Iterable[ModelVersion] = ()) -> dict[str, Any]:
    """A registered model as MLflow writes it."""
    told: dict[str, Any] = {
        "name": model.name,
        "creation_timestamp": milliseconds(model.created),
        "last_updated_timestamp": milliseconds(model.updated),
        "description": model.description,
        "latest_versions": [version_json(version) for version in latest],
        "tags": pairs(model.tags),
        "aliases": [{"alias": alias, "version": str(version)} for alias, version in sorted(model.aliases.items())],
    }
    return {name: value for name, value in told.items() if value not in ("", [])}


def version_json(version: ModelVersion) -> dict[str, Any]:
    """A version as MLflow writes it. One that was registered here lies in our own tree of files."""
    told: dict[str, Any] = {
        "name": version.model,
        "version": str(version.version),
        "creation_timestamp": milliseconds(version.created),
        "last_updated_timestamp": milliseconds(version.updated or version.created),
        "current_stage": version.mlflow_stage,
        "description": version.description,
        "user_id": version.user,
        "source": version.source or tree_uri(version),
        "run_id": version.run,
        "status": _STATUS[version.status],
        "run_link": version.run_link,
        "tags": pairs(version.tags),
        "aliases": list(version.aliases),
    }
    return {name: value for name, value in told.items() if value != [] and (name != "user_id" or value)}


def tree_uri(version: ModelVersion) -> str:
    """Where MLflow's clients find the files of a version that was registered here."""
    return f"{TREE}/{_part(version.model)}/{version.version}/artifacts"


def model_of_part(part: str) -> str:
    """The name of a model as it stands in an address.

    Raises:
        MlflowError: it is none.
    """
    if not part.startswith("~"):
        return part
    try:
        return bytes.fromhex(part[1:]).decode()
    except ValueError as error:
        raise MlflowError(f"There is no model at '{part[:100]}'.", "RESOURCE_DOES_NOT_EXIST") from error


def _part(name: str) -> str:
    # An address is unquoted several times by those it passes, so what they would change is written in hexadecimal.
    return name if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) else f"~{name.encode().hex()}"


def find_model(workspace: Workspace, name: str) -> RegisteredModel:
    """The model of that name.

    Raises:
        MlflowError: there is none, or the name is none.
    """
    check_name(name)
    try:
        return workspace.registered_models.get(name)
    except NotFound:
        raise MlflowError(f"Registered Model with name={name} not found", "RESOURCE_DOES_NOT_EXIST") from None


def find_version(workspace: Workspace, name: str, version: str) -> ModelVersion:
    """The version of that number.

    Raises:
        MlflowError: there is none, or the name or number is none.
    """
    check_name(name)
    number = version_number(version)
    try:
        return workspace.model_versions.get(name, number)
    except NotFound:
        message = f"Model Version (name={name}, version={number}) not found"
        raise MlflowError(message, "RESOURCE_DOES_NOT_EXIST") from None


def version_number(given: str) -> int:
    """The number of a version.

    Raises:
        MlflowError: it is none.
    """
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", given):
        raise MlflowError(f"Parameter 'version' must be an integer, got '{given[:100]}'.")
    number = int(given)
    return number if 0 < number <= _GREATEST_VERSION else -1


def check_name(name: str, path: str = "name") -> str:
    """Gives the name of a model back.

    Raises:
        MlflowError: it is none.
    """
    if not name.strip():
        raise MlflowError(f"Missing value for required parameter '{path}'.")
    if "/" in name or ":" in name:
        raise MlflowError(f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
    if name == "." or name.startswith(".."):
        said = (
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such."
        )
        raise invalid("name", name, f"{said} This name would resolve to {name!r}")
    try:
        return check_model_name(name)
    except InvalidInput as error:
        raise invalid("name", name, f"{error.hint or error}") from error


def tags_of(given: Sequence[Tag]) -> dict[str, str]:
    """Tags as they are kept; of two with one key the later counts.

    Raises:
        MlflowError: one cannot be kept.
    """
    return {tag.key: tag.value for tag in given if check_tag(tag.key, tag.value)}


def check_tag(key: str, value: str) -> bool:
    """Makes sure that a tag can be kept.

    Raises:
        MlflowError: it cannot.
    """
    check_key(key, "key", "key")
    if len(key) > _LONGEST_KEY:
        raise too_long("key", _LONGEST_KEY)
    if len(value) > _LONGEST_VALUE:
        raise too_long("value", _LONGEST_VALUE)
    return True


def check_alias(alias: str, *, is_set: bool = False) -> str:
    """Gives an alias back.

    Raises:
        MlflowError: it is none, or one that cannot be set.
    """
    if not re.fullmatch(r"[\w\-]*", alias):
        raise MlflowError(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    if len(alias) > _LONGEST_ALIAS:
        raise too_long("Registered model alias name", _LONGEST_ALIAS)
    if is_set and alias.lower() == "latest":
        raise MlflowError("'latest' alias name (case insensitive) is reserved.")
    if is_set and re.fullmatch(r"[vV]\d+", alias):
        raise MlflowError(f"Version alias name '{alias}' is reserved.")
    return alias


def is_prompt(tags: dict[str, str]) -> bool:
    """Whether the tags are those of a prompt."""
    return tags.get(PROMPT_TAG, "").lower() == "true"


def page_size(given: int, most: int) -> int:
    """Gives the size of a page back.

    Raises:
        MlflowError: it is none, or too large.
    """
    if given < 1:
        raise MlflowError(f"Invalid value for max_results. It must be a positive integer, but got {given}")
    if given > most:
        raise invalid("max_results", given)
    return given
