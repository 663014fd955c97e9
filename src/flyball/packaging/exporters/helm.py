"""Helm: a chart whose values hold all that differs from cluster to cluster, and the manifest beside them."""

from __future__ import annotations

import re
from typing import Any

from flyball.packaging.exporters.base import DeploymentExporter, Served, manifest_text, objects, yaml

# What a user may want to set, by its place in the objects: where it stands, and the name of the value.
_VALUES = (
    ("servers.yaml", ("spec", "template", "spec", "containers", 0, "image"), "image"),
    ("servers.yaml", ("spec", "template", "spec", "containers", 0, "resources"), "resources"),
    ("servers.yaml", ("spec", "template", "spec", "containers", 0, "args"), "args"),
    ("autoscaling.yaml", ("spec", "minReplicas"), "replicas.min"),
    ("autoscaling.yaml", ("spec", "maxReplicas"), "replicas.max"),
    ("autoscaling.yaml", ("spec", "metrics"), "metrics"),
    ("network.yaml", ("spec", "ingress"), "ingress"),
    ("network.yaml", ("spec", "egress"), "egress"),
)
_MARK = re.compile(r"@value:([a-z.]+)@")


class Helm:
    """A chart. Nothing that a user named gets into a template: it stands in the values, which Helm does not run."""

    def write(self, served: Served) -> dict[str, str]:
        """The files."""
        documents = objects(served)
        del documents["manifest.yaml"]
        values: dict[str, Any] = {}
        for file, place, name in _VALUES:
            _set(values, name, _swap(documents[file], place, f"@value:{name}@"))
        files = {f"templates/{name}": _template(served, document) for name, document in documents.items()}
        files["templates/manifest.yaml"] = _CONFIG_MAP
        files["manifest.json"] = manifest_text(served)
        files["values.yaml"] = yaml({"name": served.name, **values})
        files["Chart.yaml"] = yaml(
            {
                "apiVersion": "v2", "name": served.name, "type": "application", "version": f"0.{served.manifest.generation}.0",
                "description": "A model server and what it answers with.", "appVersion": str(served.manifest.generation),
            }
        )  # fmt: skip
        return files


# `.Files.Get` reads the manifest as it is: what stands in it is never taken for a template.
_CONFIG_MAP = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ printf "%s-manifest" .Values.name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    app.kubernetes.io/name: {{ .Values.name | quote }}
    app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
data:
  manifest.json: {{ .Files.Get "manifest.json" | quote }}
"""


def _template(served: Served, document: dict[str, Any]) -> str:
    document["metadata"].pop("namespace", None)
    text = yaml(document)
    # Names are ours and were checked, so they can be found in the text; with or without what stands behind them.
    name = re.escape(served.name)
    text = re.sub(
        rf"(?<=: ){name}-manifest$", '{{ printf "%s-manifest" .Values.name | quote }}', text, flags=re.MULTILINE
    )
    text = re.sub(rf"(?<=: ){name}$", "{{ .Values.name | quote }}", text, flags=re.MULTILINE)
    lines = []
    for line in text.splitlines():
        match = _MARK.search(line)
        if match is None:
            lines.append(line)
            continue
        key = line[: match.start()].rstrip("'\" ")
        if match[1] in ("image", "replicas.min", "replicas.max"):
            filtered = "quote" if match[1] == "image" else "int"
            lines.append(f"{key} {{{{ .Values.{match[1]} | {filtered} }}}}")
        else:
            depth = len(line) - len(line.lstrip()) + 2
            lines.append(f"{key}\n{{{{ toYaml .Values.{match[1]} | indent {depth} }}}}")
    return "\n".join(lines) + "\n"


def _swap(document: Any, place: tuple[str | int, ...], new: str) -> Any:
    """Puts something in a place of a document and gives what stood there."""
    for step in place[:-1]:
        document = document[step]
    found, document[place[-1]] = document[place[-1]], new
    return found


def _set(values: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[last] = value


plugin: DeploymentExporter = Helm()
