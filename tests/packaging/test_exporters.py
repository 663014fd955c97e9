from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import flyball as fb
from flyball.errors import InvalidInput, NotFound
from flyball.packaging.exporters.base import EXPORTERS, ExportPlan, Served, served
from flyball.packaging.exporting import check_export, export_deployment
from flyball.packaging.image import manifest_of
from flyball.serialization import from_json, to_json
from flyball.serving.follower import Follower
from flyball.serving.given_manifests import GivenManifests
from flyball.serving.manifest import Manifest, manifest_key
from flyball.storage.local_objects import LocalObjects
from flyball.workspace import Workspace
from tests.servers.absent import found
from tools import environments, provision

SCRIPTS = Path(__file__).parent / "scripts"
PLAN = ExportPlan(
    image="registry.example/team/shop:1", objects="s3://models/shop", secret="bucket", namespace="ml",
    repository="https://git.example/ops.git", path="shop", url="http://flyball:8080",
)  # fmt: skip
FORMATS = ["argocd", "helm", "kserve", "kubernetes", "kustomize", "systemd", "tekton"]


@pytest.fixture(scope="module")
def what(shop: Workspace) -> Served:
    return served(manifest_of(shop, "shop"), PLAN)


def documents(files: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(files[name]))


def written(files: Mapping[str, str], folder: Path) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def fits(folder: Path, *names: str) -> list[str]:
    """The kinds of the objects in files, if Kubernetes' own schemas take all of them."""
    command = [found(environments.SCHEDULERS), SCRIPTS / "kubernetes_fits.py", *(folder / name for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1500:]
    return done.stdout.split()


def test_every_language_is_there() -> None:
    assert EXPORTERS.names() == FORMATS


def test_kubernetes_takes_the_objects(what: Served, tmp_path: Path) -> None:
    files = EXPORTERS.get("kubernetes").write(what)
    kinds = fits(written(files, tmp_path), *files)
    assert set(kinds) == {
        "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount",
    }  # fmt: skip


def test_a_field_that_kubernetes_does_not_know_does_not_fit(what: Served, tmp_path: Path) -> None:
    files = EXPORTERS.get("kubernetes").write(what)
    (tmp_path / "service.yaml").write_text(files["service.yaml"].replace("selector:", "selectors:"))
    with pytest.raises(AssertionError, match="selectors"):
        fits(tmp_path, "service.yaml")


def test_pods_may_do_nothing_but_serve(what: Served) -> None:
    [servers] = documents(EXPORTERS.get("kubernetes").write(what), "servers.yaml")
    pod = servers["spec"]["template"]["spec"]
    security = pod["containers"][0]["securityContext"]
    assert (security["readOnlyRootFilesystem"], security["allowPrivilegeEscalation"]) == (True, False)
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
    assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "bucket"}}]


def test_they_are_scaled_by_requests_and_taken_away_one_by_one(what: Served) -> None:
    files = EXPORTERS.get("kubernetes").write(what)
    [scaled] = documents(files, "autoscaling.yaml")
    metric = scaled["spec"]["metrics"][0]["pods"]
    assert (metric["metric"]["name"], metric["target"]["averageValue"]) == (
        "flyball_serving_requests_per_second",
        "500",
    )
    [budget] = documents(files, "disruption.yaml")
    assert budget["spec"]["maxUnavailable"] == 1


def test_a_server_follows_the_manifest_that_was_committed(what: Served, tmp_path: Path) -> None:
    [held] = documents(EXPORTERS.get("kubernetes").write(what), "manifest.yaml")
    place = tmp_path / "given" / manifest_key("shop")
    place.parent.mkdir(parents=True)
    place.write_text(held["data"]["manifest.json"])
    store = GivenManifests(LocalObjects(tmp_path / "objects"), tmp_path / "given")
    assert from_json(store.get(manifest_key("shop")), Manifest) == what.manifest
    assert [item.key for item in store.list("deployments/")] == [manifest_key("shop")]


def test_shares_of_a_canary_are_in_the_manifest(shop: Workspace) -> None:
    shop.deployments.deploy("canary", "shop", 1)
    shop.deployments.start_rollout("canary", 2, fb.canary([10, 100], hold="1h"))
    [held] = documents(EXPORTERS.get("kubernetes").write(served(manifest_of(shop, "canary"), PLAN)), "manifest.yaml")
    arms = json.loads(held["data"]["manifest.json"])["arms"]
    assert {arm["version"]: arm["weight"] for arm in arms} == {1: 0.9, 2: 0.1}
    assert held["metadata"]["annotations"]["flyball.io/models"] == "shop/1 champion 90%, shop/2 challenger 10%"


def test_kserves_own_models_know_every_field(what: Served, tmp_path: Path) -> None:
    files = EXPORTERS.get("kserve").write(what)
    written(files, tmp_path)
    command = [found(environments.INFERENCE), SCRIPTS / "kserve_fits.py", tmp_path / "inference.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1500:]


def test_kustomize_builds_objects_that_fit(what: Served, tmp_path: Path) -> None:
    kubectl = found(provision.KUBECTL)
    folder = written(EXPORTERS.get("kustomize").write(what), tmp_path)
    done = subprocess.run(
        [kubectl, "kustomize", folder / "overlays/production"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "built.yaml").write_text(done.stdout)
    assert "ConfigMap" in fits(tmp_path, "built.yaml")
    [held] = [each for each in yaml.safe_load_all(done.stdout) if each["kind"] == "ConfigMap"]
    assert (held["metadata"]["name"], held["metadata"]["namespace"]) == ("shop-manifest", "ml")


def render(template: str, values: dict[str, Any], files: Mapping[str, str]) -> str:
    """The few words of Helm's language that the chart uses."""
    release = {"Namespace": "ml", "Service": "Helm"}

    def value(name: str) -> Any:
        root, *parts = name.lstrip(".").split(".")
        found: Any = {"Values": values, "Release": release}[root]
        for part in parts:
            found = found[part]
        return found

    def one(match: re.Match[str]) -> str:
        words = match[1].strip()
        if words.startswith("toYaml"):
            name, depth = re.fullmatch(r"toYaml (\S+) \| indent (\d+)", words).groups()  # type: ignore[union-attr]  # else it fails
            lines = yaml.safe_dump(value(name)).rstrip().splitlines()
            return "\n".join(" " * int(depth) + line for line in lines)
        if words.startswith("printf"):
            return json.dumps(f"{values['name']}-manifest")
        if words.startswith(".Files.Get"):
            return json.dumps(files["manifest.json"])
        name, _, filtered = words.partition(" | ")
        assert filtered in ("quote", "int"), words
        return json.dumps(str(value(name))) if filtered == "quote" else str(int(value(name)))

    return re.sub(r"\{\{(.*?)\}\}", one, template)


def test_the_chart_gives_the_objects_that_kubernetes_gets(what: Served, tmp_path: Path) -> None:
    files = EXPORTERS.get("helm").write(what)
    values = yaml.safe_load(files["values.yaml"])
    rendered = {name: render(text, values, files) for name, text in files.items() if name.startswith("templates/")}
    folder = written(rendered, tmp_path)
    fits(folder, *rendered)
    plain = EXPORTERS.get("kubernetes").write(what)
    for name in ("servers.yaml", "autoscaling.yaml", "network.yaml"):
        [ours], [theirs] = documents(rendered, f"templates/{name}"), documents(plain, name)
        assert ours["spec"] == theirs["spec"]
    assert yaml.safe_load(files["Chart.yaml"])["name"] == "shop"


def test_argo_cd_follows_the_folder_of_the_objects(what: Served, tmp_path: Path) -> None:
    files = EXPORTERS.get("argocd").write(what)
    [application] = documents(files, "application.yaml")
    assert application["spec"]["source"] == {
        "repoURL": "https://git.example/ops.git", "targetRevision": "main", "path": "shop/objects",
    }  # fmt: skip
    assert application["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    fits(written(files, tmp_path), *(name for name in files if name.startswith("objects/")))


def test_argo_cd_needs_a_repository(shop: Workspace) -> None:
    with pytest.raises(InvalidInput, match="--repository"):
        EXPORTERS.get("argocd").write(served(manifest_of(shop, "shop"), ExportPlan(image="a.io/b:1")))


def test_tektons_steps_are_containers_that_kubernetes_takes(what: Served, tmp_path: Path) -> None:
    [task] = documents(EXPORTERS.get("tekton").write(what), "task.yaml")
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "steps"}, "spec": {"containers": task["spec"]["steps"]},
    }  # fmt: skip
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(pod))
    assert fits(tmp_path, "pod.yaml") == ["Pod"]
    [pipeline] = documents(EXPORTERS.get("tekton").write(what), "pipeline.yaml")
    declared = {each["name"] for each in task["spec"]["params"]}
    assert {each["name"] for each in pipeline["spec"]["tasks"][0]["params"]} == declared


def test_the_unit_is_one_that_systemd_takes(what: Served, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NOT RUN: systemd-analyze is not on this machine")
    files = EXPORTERS.get("systemd").write(what)
    text = files["flyball-shop.service"].replace("/opt/flyball/bin/python", "/bin/true")
    (tmp_path / "flyball-shop.service").write_text(text)
    unit = tmp_path / "flyball-shop.service"
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "flyball-shop" in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.parametrize("name", ["Shop", "a_b", "a.b", "-a", "a" * 51, "a\nb: c", "{{x}}", "1a"])
def test_a_name_that_kubernetes_does_not_take_is_refused(shop: Workspace, name: str) -> None:
    with pytest.raises(InvalidInput, match="--name"):
        served(manifest_of(shop, "shop"), ExportPlan(image="a.io/b:1", name=name))


@pytest.mark.parametrize(
    "bad",
    [
        {"image": "a b"}, {"image": ""}, {"image": "a.io/b:1\nx: y"}, {"namespace": "a b"}, {"secret": "a/b"},
        {"objects": "/folder"}, {"objects": "s3://a/$(x)"}, {"objects": "s3://a\n- --host"}, {"cpu": "lots"}, {"memory": "1 GB"},
        {"replicas": (3, 2)}, {"replicas": (0, 2)}, {"requests": 0}, {"repository": "{{ x }}"}, {"path": "a`b`"}, {"url": "$(x)"},
    ],
    ids=lambda bad: "-".join(bad),
)  # fmt: skip
def test_what_cannot_be_written_down_safely_is_refused(shop: Workspace, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        served(manifest_of(shop, "shop"), ExportPlan(**{"image": "a.io/b:1", **bad}))


@pytest.mark.parametrize("format", FORMATS)
def test_odd_names_of_models_stay_text(shop: Workspace, format: str) -> None:
    package = shop.registry.get_version("shop/1").package
    name = "late #1 {{ .Values.x }} $(POD_NAME) \"'` %n \u00e9"
    shop.registry.register(name, package)
    manifest = manifest_of(shop, f"{name}/1")
    files = EXPORTERS.get(format).write(served(manifest, ExportPlan(**{**_fields(PLAN), "name": "odd"})))
    told = "".join(files.values())
    if format == "helm":
        assert not [file for file, text in files.items() if file.startswith("templates/") and "{{ .Values.x" in text]
    for file, text in files.items():
        if file.endswith(".yaml") and not file.startswith("templates/"):
            list(yaml.safe_load_all(text))
    assert format == "tekton" or "late" in told


def _fields(plan: ExportPlan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in plan.__dataclass_fields__}


def test_a_folder_that_was_written_is_what_is_deployed_until_one_of_them_changes(
    shop: Workspace, tmp_path: Path
) -> None:
    shop.deployments.deploy("drifting", "shop", 1)
    made = export_deployment(shop, "drifting", "kubernetes", PLAN, tmp_path / "k8s")
    assert "servers.yaml" in made.files
    assert check_export(shop, tmp_path / "k8s").is_none
    shop.deployments.deploy("drifting", "shop", 2)
    drift = check_export(shop, tmp_path / "k8s")
    assert drift.changed == ("manifest.yaml",)
    assert re.search(r'^\+ +"version": 2', drift.difference, re.MULTILINE)
    (tmp_path / "k8s" / "service.yaml").unlink()
    assert check_export(shop, tmp_path / "k8s").missing == ("service.yaml",)


def test_a_folder_that_nobody_wrote_is_refused(shop: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="not written by an export"):
        check_export(shop, tmp_path)


def test_a_server_takes_a_mounted_manifest_that_changes_as_kubernetes_changes_it(
    shop: Workspace, tmp_path: Path
) -> None:
    mount, key = tmp_path / "mount", manifest_key("shop")

    def swap(number: int, version: int) -> None:
        held = mount / f"..{number}"
        (held / key).parent.mkdir(parents=True)
        (held / key).write_bytes(to_json(manifest_of(shop, f"shop/{version}")))
        fresh = mount / f"..data{number}"
        fresh.symlink_to(held.name)
        fresh.rename(mount / "..data")

    mount.mkdir()
    swap(1, 1)
    (mount / "deployments").symlink_to("..data/deployments")
    follower = Follower(GivenManifests(shop.store, mount), replica="r1", deployments=["shop"])
    try:
        follower.look()
        runtime = follower.endpoint("shop").runtime
        assert runtime is not None
        assert runtime.champion.version == 1
        time.sleep(0.01)
        swap(2, 2)
        follower.look()
        runtime = follower.endpoint("shop").runtime
        assert runtime is not None
        assert runtime.champion.version == 2
    finally:
        follower.stop()
