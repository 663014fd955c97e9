"""What a deployment is written down from, and the Kubernetes objects that several languages are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flyball.errors import InvalidInput, MissingExtra
from flyball.packaging.bases import STATE, USER
from flyball.packaging.oci_registry import Reference
from flyball.plugins import PluginGroup
from flyball.serialization import to_json
from flyball.serving.manifest import Manifest, manifest_key

PORT = 8080
MANIFESTS = "/etc/flyball"
_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,48}[a-z0-9])?")
_CPU = re.compile(r"[1-9][0-9]{0,5}m|[0-9]{1,4}(\.[0-9]{1,3})?")
_MEMORY = re.compile(r"[1-9][0-9]{0,8}(Ki|Mi|Gi|K|M|G)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlan:
    """How a deployment is to run elsewhere.

    Attributes:
        image: Container image with a model server; the models too, unless `objects` has them.
        name: Of the objects there; the deployment's own by default.
        namespace: Where they are to stand; empty for the present one.
        objects: `s3://bucket/prefix` with the packages, where predictions are logged too; empty: the image has all, and
            predictions stay with the pod.
        secret: Name of the secret whose keys become environment variables, such as those of the bucket; empty for none.
        replicas: The fewest and the most of them.
        cpu: Processors that each is given, such as 500m.
        memory: Bytes that each may use, such as 512Mi.
        requests: Requests a second and replica at which there are to be more of them.
        repository: Git repository that these files are committed to, for what follows it.
        path: Of the folder in that repository.
        revision: Branch or tag of the repository.
        url: Address of the team server, for what asks it.
    """

    image: str
    name: str = ""
    namespace: str = ""
    objects: str = ""
    secret: str = ""
    replicas: tuple[int, int] = (2, 10)
    cpu: str = "500m"
    memory: str = "512Mi"
    requests: int = 500
    repository: str = ""
    path: str = ""
    revision: str = "main"
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A deployment and how it is to run elsewhere, checked.

    Attributes:
        name: As Kubernetes takes it.
        manifest: What the servers are to answer with.
    """

    name: str
    manifest: Manifest
    plan: ExportPlan
    labels: dict[str, str] = field(default_factory=dict)


class DeploymentExporter(Protocol):
    """Writes a deployment down in one language."""

    def write(self, served: Served) -> dict[str, str]:
        """The text of each file, by its path in the folder.

        Raises:
            InvalidInput: the plan lacks what this language needs.
        """
        ...


EXPORTERS: PluginGroup[DeploymentExporter] = PluginGroup("deployment_exporter", "flyball.packaging.exporters")


def served(manifest: Manifest, plan: ExportPlan) -> Served:
    """The deployment with its plan, if all of it can be written down safely.

    Raises:
        InvalidInput: a name, an image or an amount cannot be used; nothing is quietly changed into another.
    """
    name = plan.name or manifest.deployment
    if not _LABEL.fullmatch(name):
        raise InvalidInput(
            f"'{name}' cannot be the name of a Kubernetes object.",
            hint="Give another with --name: small letters, digits and dashes, 50 at most, such as late-flights.",
        )
    if plan.namespace and not _LABEL.fullmatch(plan.namespace):
        raise InvalidInput(f"'{plan.namespace}' cannot be a namespace.", hint="Use small letters, digits and dashes.")
    if plan.secret and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", plan.secret):
        raise InvalidInput(f"'{plan.secret}' cannot be the name of a secret.")
    if not plan.image:
        raise InvalidInput(
            "Which image is to run?", hint="Build one with `flyball image build`, and name it with --image."
        )
    Reference.parse(plan.image)
    _check_amounts(plan)
    for text in (plan.objects, plan.repository, plan.path, plan.revision, plan.url):
        # Kubernetes, Tekton and shells each have a sign of their own that is replaced before it is read.
        if not text.isprintable() or any(mark in text for mark in ("$", "{{", "`", '"', "\\")):
            raise InvalidInput(
                f"{text[:80]!r} holds signs that others would replace.", hint="Leave out $, {{, ` and quotes."
            )
    if plan.objects and not plan.objects.startswith("s3://"):
        raise InvalidInput(f"'{plan.objects}' is reached from no other machine.", hint="Give s3://bucket/prefix.")
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "flyball"}
    return Served(name=name, manifest=manifest, plan=plan, labels=labels)


def _check_amounts(plan: ExportPlan) -> None:
    fewest, most = plan.replicas
    if not 1 <= fewest <= most <= 10_000:
        raise InvalidInput(f"{fewest} to {most} replicas cannot be.", hint="Give --replicas 2 10, the fewest first.")
    if not _CPU.fullmatch(plan.cpu) or not _MEMORY.fullmatch(plan.memory) or plan.requests < 1:
        raise InvalidInput(
            f"'{plan.cpu}' processors, '{plan.memory}' memory and {plan.requests} requests cannot be asked for.",
            hint="Write them as 500m or 2, 512Mi or 2Gi, and a number of requests a second.",
        )


def metadata(served: Served, name: str = "", **annotations: str) -> dict[str, Any]:
    """Name, place and labels of an object."""
    told: dict[str, Any] = {"name": name or served.name, "labels": dict(served.labels)}
    if served.plan.namespace:
        told["namespace"] = served.plan.namespace
    if annotations:
        told["annotations"] = {f"flyball.io/{key}": value for key, value in annotations.items()}
    return told


def models_of(served: Served) -> str:
    """The versions that answer and their shares, in words."""
    return ", ".join(f"{arm.model}/{arm.version} {arm.role} {arm.weight:.0%}" for arm in served.manifest.arms)


def manifest_text(served: Served) -> str:
    """The manifest that the servers follow, as indented JSON: what a commit changes is seen line by line."""
    import json

    return json.dumps(json.loads(to_json(served.manifest)), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def arguments(served: Served) -> list[str]:
    """The arguments of the model server."""
    return [
        "--objects", served.plan.objects or f"/{STATE}", "--manifests", MANIFESTS,
        "--deployment", served.manifest.deployment, "--host", "0.0.0.0", "--port", str(PORT),  # noqa: S104  # of a container
        "--spool", f"/{STATE}/spool",
    ]  # fmt: skip


def container(served: Served) -> dict[str, Any]:
    """The container of a model server."""
    plan = served.plan
    ready = {"httpGet": {"path": "/v2/health/ready", "port": "http"}}
    alive = {"httpGet": {"path": "/v2/health/live", "port": "http"}}
    told: dict[str, Any] = {
        "name": "server",
        "image": plan.image,
        "args": arguments(served),
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "resources": {
            "requests": {"cpu": plan.cpu, "memory": plan.memory},
            # No limit of the processor: it slows answers down and saves nothing.
            "limits": {"memory": plan.memory},
        },
        "startupProbe": {**ready, "periodSeconds": 2, "failureThreshold": 150},
        "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**alive, "periodSeconds": 10, "failureThreshold": 6},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "manifest", "mountPath": MANIFESTS, "readOnly": True},
            {"name": "state", "mountPath": f"/{STATE}"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # a volume of the pod's own
        ],
    }
    told["args"] += ["--replica", "$(POD_NAME)"]
    if plan.secret:
        told["envFrom"] = [{"secretRef": {"name": plan.secret}}]
    return told


def pod(served: Served) -> dict[str, Any]:
    """The pod of a model server."""
    key = manifest_key(served.manifest.deployment)
    return {
        "serviceAccountName": served.name,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # It ends its answers and writes its log before it goes.
        "terminationGracePeriodSeconds": 45,
        "containers": [container(served)],
        "volumes": [
            {
                "name": "manifest",
                "configMap": {"name": f"{served.name}-manifest", "items": [{"key": "manifest.json", "path": key}]},
            },
            {"name": "state", "emptyDir": {"sizeLimit": "2Gi"}},
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
        ],
    }  # fmt: skip


def config_map(served: Served) -> dict[str, Any]:
    """The manifest as an object of its own, which running servers read anew: a change of it restarts nothing."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(served, f"{served.name}-manifest", models=models_of(served)),
        "data": {"manifest.json": manifest_text(served)},
    }


def service_account(served: Served) -> dict[str, Any]:
    """An identity that may do nothing."""
    return {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(served), "automountServiceAccountToken": False,
    }  # fmt: skip


def workload(served: Served) -> dict[str, Any]:
    """The model servers."""
    match = {"app.kubernetes.io/name": served.name}
    spread = {
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": match},
    }  # fmt: skip
    scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT), "prometheus.io/path": "/metrics"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(served),
        "spec": {
            "selector": {"matchLabels": match},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": dict(served.labels), "annotations": scraped},
                "spec": {**pod(served), "topologySpreadConstraints": [spread]},
            },
        },
    }


def service(served: Served) -> dict[str, Any]:
    """One address for all of them."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(served),
        "spec": {
            "selector": {"app.kubernetes.io/name": served.name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def autoscaler(served: Served) -> dict[str, Any]:
    """As many of them as the requests need: by Prometheus' count, and by the processor where there is no such metric."""
    fewest, most = served.plan.replicas
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(served),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": served.name},
            "minReplicas": fewest,
            "maxReplicas": most,
            "metrics": [
                {
                    "type": "Pods",
                    "pods": {
                        "metric": {"name": "flyball_serving_requests_per_second"},
                        "target": {"type": "AverageValue", "averageValue": str(served.plan.requests)},
                    },
                },
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                },
            ],
            # What has gone quiet for five minutes will hardly come back the next second.
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    }


def disruption_budget(served: Served) -> dict[str, Any]:
    """At most one of them is taken away at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(served),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app.kubernetes.io/name": served.name}}},
    }


def network_policy(served: Served) -> dict[str, Any]:
    """Who may reach them, and what they may reach: names, and the store where there is one."""
    names = {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}
    egress: list[dict[str, Any]] = [names]
    if served.plan.objects:
        egress.append({"ports": [{"protocol": "TCP", "port": 443}]})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(served),
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": served.name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": PORT}]}],
            "egress": egress,
        },
    }


def objects(served: Served) -> dict[str, dict[str, Any]]:
    """All objects of a cluster, by the file that holds them."""
    return {
        "account.yaml": service_account(served),
        "manifest.yaml": config_map(served),
        "servers.yaml": workload(served),
        "service.yaml": service(served),
        "autoscaling.yaml": autoscaler(served),
        "disruption.yaml": disruption_budget(served),
        "network.yaml": network_policy(served),
    }


def yaml(*documents: Mapping[str, Any] | Sequence[Any]) -> str:
    """Documents as YAML; what could be read as something else than text is quoted."""
    try:
        import yaml as library
    except ImportError as error:
        raise MissingExtra("Writing YAML needs PyYAML.", hint="pip install 'flyball[data]'") from error

    class Plain(library.SafeDumper):  # type: ignore[misc]  # a class of a library without types
        def ignore_aliases(self, data: object) -> bool:
            return True

    Plain.add_representer(str, _text)
    text: str = library.dump_all(documents, Dumper=Plain, sort_keys=False, width=120, allow_unicode=True)
    return text


def _text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
