"""Which role an address takes: one table for every mount, apart from the routers. What is not in it is refused.

An address is looked at without the project's prefix, so the same rule holds in every project.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from flyball.principals import Role
from flyball.verbs import verbs_of
from flyball.workspace import SERVICES, service_class

Need = Role | Literal["open"]
"""The least role in the project; `none` for everybody who is known, `open` for everybody."""

_READ: Final = ("GET", "HEAD")
_WRITE: Final = ("POST",)
_RULE: Final = "maintainer"
_Rules = tuple[tuple[tuple[str, ...], str, Need], ...]
_VERB = re.compile(r"/api/([a-z_]+)/([a-z_]+)")

# Own addresses beside the verbs.
_OWN: _Rules = (
    (_READ, "/health", "open"),
    (_READ, "/", "open"),  # the page itself says nothing of the workspace; what it asks for goes through this door
    (_READ, r"/page/.+", "open"),
    (_READ, "/api/docs", "open"),
    (_READ, "/login/(?:methods|link|sso|sso/callback|sso/done)", "open"),
    (_WRITE, "/login/(?:password|out|device|device/token|sso/logout)", "open"),
    (_WRITE, "/login/device/approve", "none"),
    (_READ, r"/api/openapi\.json", "none"),
    (_READ, "/api/events/stream", "viewer"),
    (_READ, "/blobs/[^/]+", "viewer"),
    (_WRITE, "/blobs", "viewer"),  # many at once, by their digests
    (("PUT",), "/blobs(?:/[^/]+)?", "contributor"),
    (_READ, "/objects(?:/.+)?", "viewer"),
    (_READ, "/view/[^/]+/.+", "viewer"),
    (_READ, "/serving/(?:metrics|url)", "viewer"),
    (_READ, "/serving/predict/[^/]+", "viewer"),
    (_WRITE, "/serving/(?:predict|explain)/[^/]+", "viewer"),
    (_WRITE, "/api/labels/[^/]+/label-studio", "open"),  # a set has a secret of its own, and without one takes nothing
    (_WRITE, "/api/v1/lineage(?:/batch)?", "contributor"),
    (_READ, "/metrics", "viewer"),
)  # fmt: skip

# MLflow's, without `/api/2.0/`, `/ajax-api/3.0/` and the like in front.
_MLFLOW: _Rules = (
    (("GET", "POST", "PATCH", "DELETE"), "mlflow/webhooks(?:/.*)?", _RULE),  # they tell others, and hold addresses
    (_READ, "mlflow/.+", "viewer"),
    (_READ, r"mlflow-artifacts/.+", "viewer"),
    (_WRITE, "mlflow/(?:experiments|runs|logged-models|datasets|traces)/search", "viewer"),
    (_WRITE, "mlflow/experiments/search-datasets", "viewer"),
    (_WRITE, "mlflow/registered-models/get-latest-versions", "viewer"),
    (_WRITE, "mlflow/artifacts/presigned-download-url", "viewer"),
    (_WRITE, "mlflow/traces/(?:batchGet|batchGetInfos|calculate-filter-correlation)", "viewer"),
    (("DELETE",), "mlflow/(?:registered-models|model-versions)/delete", _RULE),
    (_WRITE, "mlflow/registered-models/rename", _RULE),
    (_WRITE, "mlflow/model-versions/transition-stage", _RULE),
    (("POST", "DELETE"), "mlflow/registered-models/(?:alias|set-tag|delete-tag|create)", "contributor"),
    (("PATCH",), "mlflow/(?:registered-models|model-versions)/update", "contributor"),
    (("POST", "DELETE"), "mlflow/model-versions/(?:create|set-tag|delete-tag)", "contributor"),
    (_WRITE, "mlflow/experiments/(?:create|delete|restore|update|set-experiment-tag|delete-experiment-tag)", "contributor"),
    (_WRITE, "mlflow/runs/(?:create|delete|restore|update|delete-tag|set-tag|outputs|log-[a-z]+)", "contributor"),
    (_WRITE, "mlflow/(?:upload-artifact|artifacts/presigned-upload-url)", "contributor"),
    (("POST", "PATCH", "DELETE"), "mlflow/logged-models(?:/.*)?", "contributor"),
    (("POST", "PATCH", "DELETE"), "mlflow/traces(?:/.*)?", "contributor"),
    (("POST", "PATCH", "DELETE"), "mlflow/datasets/.+", "contributor"),
    (("POST", "PUT", "DELETE"), "mlflow/scorers/.+", "contributor"),
    (("POST", "PUT", "DELETE"), "mlflow-artifacts/.+", "contributor"),
)  # fmt: skip
_MLFLOW_API = re.compile(r"/(?:ajax-)?api/[23]\.0/?(mlflow.*)", re.DOTALL)
_MLFLOW_OWN: _Rules = (
    (_READ, "/version", "none"),
    (_READ, "/(?:get-artifact|model-versions/get-artifact)", "viewer"),
    (_WRITE, "/v1/traces", "contributor"),
)


@lru_cache(maxsize=4096)
def need_of(method: str, path: str) -> Need | None:
    """What an address takes; None where there is no such address.

    A room is imported when its verbs are first asked for; `is_known` says whether that is still to be done.
    """
    own = _found(_OWN, method, path) or _found(_MLFLOW_OWN, method, path)
    if own is not None:
        return own
    verb = _VERB.fullmatch(path)
    if verb is not None and verb[1] in SERVICES:
        return _verb_needs(method, verb[1], verb[2])
    mlflow = _MLFLOW_API.fullmatch(path)
    return None if mlflow is None else _found(_MLFLOW, method, mlflow[1].rstrip("/"))


def is_mlflow(path: str) -> bool:
    """Whether an address is of MLflow's protocol, whose clients know errors by other names."""
    return _MLFLOW_API.fullmatch(path) is not None or any(re.fullmatch(rule[1], path) for rule in _MLFLOW_OWN)


def is_import_needed(path: str) -> bool:
    """Whether a room has to be imported to say what an address takes: not on the event loop."""
    verb = _VERB.fullmatch(path)
    return verb is not None and verb[1] in SERVICES and verb[1] not in _imported


_imported: set[str] = set()


def _verb_needs(method: str, room: str, name: str) -> Need | None:
    verb = verbs_of(service_class(room)).get(name)
    _imported.add(room)
    if method not in ("GET", "HEAD", "POST"):
        return None
    return None if verb is None else verb.role


def _found(rules: _Rules, method: str, path: str) -> Need | None:
    for methods, pattern, need in rules:
        if method in methods and re.fullmatch(pattern, path):
            return need
    return None
