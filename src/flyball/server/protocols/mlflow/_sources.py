"""Where a version's files come from: which sources are taken, and the package that is made of one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote, unquote_plus, urlsplit

from flyball.errors import FlyballError, InvalidInput, NotFound
from flyball.models.mlmodel import MLMODEL
from flyball.models.model_folders import package_of
from flyball.refs import Ref
from flyball.server.protocols.mlflow._checks import STORES
from flyball.server.protocols.mlflow._places import files_below
from flyball.server.protocols.mlflow._registry import TREE, is_prompt, tree_uri
from flyball.server.protocols.mlflow.conversions import artifact_uri, below, experiment_by_id, experiment_of, model_uri
from flyball.server.protocols.mlflow.wire import MlflowError

if TYPE_CHECKING:
    from flyball.models.package import ModelPackage
    from flyball.registry.versions import ModelVersion
    from flyball.workspace import Workspace

_ROUTE = "api/2.0/mlflow-artifacts/artifacts/"
# Models come from places too where a client can fetch files but keep none.
_ELSEWHERE = STORES | {"ftp", "sftp", "hf", "uc"}
_PROMPT_SOURCES = ("dummy-source", "prompt-template")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source that may be registered.

    Attributes:
        uri: As it is kept.
        location: Where its files are fetched from: ours as `mlflow-artifacts:/...`, others as they were named.
        of: The version that it is a copy of.
    """

    uri: str
    location: str
    run: str = ""
    logged_model: str = ""
    of: ModelVersion | None = None


def prompt_source(given: str) -> Source:
    """The source of a prompt, which has no files.

    Raises:
        MlflowError: it names some.
    """
    if given not in _PROMPT_SOURCES:
        raise MlflowError(f"Invalid prompt source: '{given}'. Prompt sources must use an MLflow placeholder.")
    return Source(uri=given, location=given)


def model_source(workspace: Workspace, given: str, run: str | None, logged_model: str | None) -> Source:
    """The source of a model's version.

    Args:
        run: The run that it is said to come from; None if nothing is said.
        logged_model: The logged model that it is said to be; None if nothing is said.

    Raises:
        MlflowError: it cannot be used, or does not lie in that run or logged model.
    """
    scheme = _scheme(given)
    if scheme == "models":
        return _from_models(workspace, given, run, logged_model)
    if scheme == "runs":
        return _from_runs(workspace, given, run or "", logged_model or "")
    path = _ours(given)
    if path is not None:
        return _from_artifacts(workspace, given, path, run or "", logged_model or "")
    if not run and logged_model:
        run = _logged_model(workspace, logged_model, given)[1]
    return Source(uri=given, location=given, run=run or "", logged_model=logged_model or "")


def package_at(workspace: Workspace, source: Source) -> ModelPackage | None:
    """The package of what lies there; None if it is kept elsewhere, or is no model of MLflow's."""
    if source.of is not None:
        return None if source.of.is_external else source.of.package
    if _scheme(source.location) != "mlflow-artifacts":
        return None
    files = files_below(workspace, source.location)
    if not any(file.name == MLMODEL and file.digest for file in files):
        return None
    return package_of({file.name: (file.digest, file.size) for file in files if file.digest}, workspace.blobs)


def location_of(workspace: Workspace, version: ModelVersion) -> str:
    """Where a client fetches the files of a version.

    A version stays what it was: where its source is gone, or holds something else by now, its own files are shown.
    """
    if not version.source:
        return tree_uri(version)
    try:
        found = model_source(workspace, version.source, version.run or None, version.logged_model or None).location
        if version.is_external or _same(workspace, found, version):
            return found
    except (FlyballError, MlflowError):
        pass
    return version.source if version.is_external else tree_uri(version)


def _same(workspace: Workspace, location: str, version: ModelVersion) -> bool:
    if location.startswith(f"{TREE}/"):
        return True
    return {file.name: file.digest for file in files_below(workspace, location)} == version.package.files


def _scheme(given: str) -> str:
    """The scheme, of a source whose path is what it seems.

    Raises:
        MlflowError: it is a place on this machine, or climbs.
    """
    plain = given
    for _ in range(10):
        again = unquote_plus(plain)
        if again == plain:
            break
        plain = again
    try:
        parts = urlsplit(plain)
    except ValueError as error:
        raise _refused(given) from error
    scheme = parts.scheme.lower()
    if len(scheme) < 2 or scheme == "file":
        raise MlflowError(
            f"Invalid model version source: '{given[:500]}'. A place on the server's own disk cannot be a source; log the "
            "model to a run first."
        )
    climbs = any(part in ("..", ".") for part in re.split(r"[/\\]", plain))
    if climbs or not plain.isprintable() or "\\" in plain or unquote_plus(plain) != plain:
        raise _refused(given)
    if scheme not in _ELSEWHERE and scheme not in ("models", "runs", "mlflow-artifacts"):
        raise MlflowError(f"Invalid model version source: '{given[:500]}'. The scheme '{scheme[:40]}' is not known.")
    return scheme


def _from_models(workspace: Workspace, given: str, run: str | None, logged_model: str | None) -> Source:
    found = re.fullmatch(r"models:/(m-[^/@]+)(/.*)?", given)
    if found is not None and ":/" in given:
        model = found[1]
        if logged_model != model:
            _not_its_own(given, "model_id")
        location, made_by = _logged_model(workspace, model, given)
        return Source(
            uri=given,
            location=below(location, found[2][1:]) if found[2] else location,
            run=run or made_by,
            logged_model=model,
        )
    if not given.startswith("models:/") or given.startswith("models://"):
        raise MlflowError(
            f"Invalid model version source: '{given[:500]}'. Registered model sources must use the active model registry."
        )
    try:
        version = workspace.registry.get_version(given)
    except (NotFound, InvalidInput) as error:
        raise MlflowError(
            f"Invalid model version source: '{given[:500]}'. {error}", "RESOURCE_DOES_NOT_EXIST"
        ) from error
    if is_prompt(version.tags):
        raise MlflowError(
            f"Invalid model version source: '{given[:500]}'. Prompt versions cannot be used as model version sources."
        )
    if (run is not None and run != version.run) or (logged_model is not None and logged_model != version.logged_model):
        raise MlflowError(
            f"Invalid model version source: '{given[:500]}'. The run_id and model_id request parameters must match the "
            "referenced model version."
        )
    exact = str(Ref(kind="models", name=version.model, version=str(version.version)))
    location = location_of(workspace, version)
    return Source(uri=exact, location=location, run=version.run, logged_model=version.logged_model, of=version)


def _from_runs(workspace: Workspace, given: str, run: str, logged_model: str) -> Source:
    found = re.fullmatch(r"runs:/([^/]+)(?:/(.*))?", given)
    if found is None or found[1] != run or logged_model:
        _not_its_own(given, "model_id" if logged_model else "run_id")
    try:
        workspace.tracking.get_run(run)
    except (NotFound, InvalidInput):  # it may be kept by another server
        return Source(uri=given, location=given, run=run)
    location = _root_of_run(workspace, run, given)
    path = found[2] or ""
    model = _of_run(workspace, run, path)
    source = Source(uri=given, location=below(location, path) if path else location, run=run)
    if model and not files_below(workspace, source.location):
        # What the newer client logs in a run lies beside it.
        return replace(source, location=_logged_model(workspace, model, given)[0])
    return source


def _from_artifacts(workspace: Workspace, given: str, path: str, run: str, logged_model: str) -> Source:
    if logged_model:
        root, made_by = _logged_model(workspace, logged_model, given)
    elif run:
        root, made_by = _root_of_run(workspace, run, given), run
    else:
        _not_its_own(given, "run_id")
    inner = urlsplit(root).path.strip("/")
    if not (path == inner or path.startswith(f"{inner}/")):
        _not_its_own(given, "model_id" if logged_model else "run_id")
    return Source(uri=given, location=f"mlflow-artifacts:/{path}", run=run or made_by, logged_model=logged_model)


def _ours(given: str) -> str | None:
    """The path of an address that this server may keep; None of others."""
    parts = urlsplit(given)
    path = "/".join(unquote(part) for part in parts.path.split("/") if part)
    if parts.scheme.lower() == "mlflow-artifacts":
        return path
    _, route, inner = path.partition(_ROUTE)
    return inner if parts.scheme.lower() in ("http", "https") and route else None


def _root_of_run(workspace: Workspace, run: str, given: str) -> str:
    try:
        found = workspace.tracking.get_run(run)
    except (NotFound, InvalidInput):
        _not_its_own(given, "run_id")
    return artifact_uri(experiment_of(workspace, found), run)


def _logged_model(workspace: Workspace, model: str, given: str) -> tuple[str, str]:
    """Where the files of a logged model lie, and the run that made it."""
    try:
        found = workspace.logged_models.get(model)
    except (NotFound, InvalidInput):
        _not_its_own(given, "model_id")
    return model_uri(experiment_by_id(workspace, found.experiment), model), found.run


def _of_run(workspace: Workspace, run: str, name: str) -> str:
    """The logged model of that name which a run made last; empty if there is none."""
    if not name or "/" in name:
        return ""
    quoted = name.replace("'", "''")
    page = workspace.logged_models.search(f"source_run_id = '{run}' AND name = '{quoted}'", limit=1)
    return page.models[0].id if page.models else ""


def _not_its_own(given: str, parameter: str) -> NoReturn:
    raise MlflowError(
        f"Invalid model version source: '{given}'. The {parameter} request parameter must identify the resource that "
        "contains the source."
    )


def _refused(given: str) -> MlflowError:
    return MlflowError(
        f"Invalid model version source: '{given[:500]}'. If supplying a source as an http, https, local file path, ftp, "
        "objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. "
        "Please provide an absolute path."
    )
