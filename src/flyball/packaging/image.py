"""Container images of model versions and deployments, made without Docker.

An image has four layers: the base (Python), the packages that the models need, Flyball itself, and the models. A new version
changes the last one alone. The same content gives the same digest, wherever and whenever it is built.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import platform as machine
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flyball.deployment.manifest import build_manifest, manifest_of_version
from flyball.errors import InvalidInput, NotFound
from flyball.models.environment import upgrades
from flyball.models.flavors.base import FLAVORS
from flyball.packaging import attachments, bases
from flyball.packaging.bases import USER, Base
from flyball.packaging.compiling import compile_files
from flyball.packaging.distributions import (
    SERVING,
    WITH_FEATURES,
    Installed,
    closure,
    fingerprint,
    normalised,
    own_files,
    own_metadata,
)  # fmt: skip
from flyball.packaging.layers import Entry, Layer, Packer
from flyball.packaging.oci import CONFIG, LAYER, MANIFEST, Descriptor, Layout, here, read_descriptor
from flyball.packaging.oci_registry import OciRegistry, Reference, login_of
from flyball.packaging.wheels import from_index
from flyball.registry.sbom import make_sbom
from flyball.serialization import to_json
from flyball.serving.manifest import Arm, Manifest, manifest_key
from flyball.storage.objects import Blobs
from flyball.version import __version__

PACKAGES = "opt/flyball/packages"
MODELS = "opt/flyball/models"
PORT = 8080
_EPOCH = "1970-01-01T00:00:00Z"

Shown = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that was built.

    Attributes:
        name: Of the deployment or model in it.
        digest: SHA-256 of its manifest; the same content has the same.
        folder: The OCI layout that holds it.
        layers: Base, packages, Flyball and models; a pulled base may have several.
        size: Bytes of all layers, compressed.
        python: Version of its Python.
        attached: What refers to it: its bill of materials, its signature.
        differs: Distributions that are of another version in it than where its models were made.
    """

    name: str
    tag: str
    digest: str
    folder: str
    platform: str
    layers: tuple[Layer, ...]
    size: int
    python: str
    models: tuple[str, ...]
    attached: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """How an image is to be built.

    Attributes:
        base: Reference of an image to pull; empty for one made of this machine's Python.
        platform: Such as linux/amd64; this machine's by default.
        tag: By default the version, or the deployment's generation.
        native: Take the models' own libraries in also where an ONNX twin answers for them.
        distributions: More of them to take in, by name.
        key: File of the private key that signs the image.
        bill: Whether a bill of materials is attached.
    """

    base: str = ""
    platform: str = ""
    tag: str = ""
    native: bool = False
    distributions: tuple[str, ...] = ()
    key: Path | None = None
    bill: bool = True


def build_image(
    services: Any, what: str, folder: Path, plan: ImagePlan | None = None, *, shown: Shown = lambda _: None
) -> Image:
    """Builds the image of a deployment or of a model version into an OCI layout.

    Args:
        services: A workspace, or what stands for one.
        what: Name of a deployment, or a version such as `late-flights@champion` or `late-flights/3`.
        folder: Made if it is not there; other images in it stay.
        shown: Told of what takes long.

    Raises:
        NotFound: there is no such deployment or version.
        MissingExtra: what the models need is not installed here.
        InvalidInput: the base cannot carry what this machine has.
    """
    plan = plan or ImagePlan()
    manifest = manifest_of(services, what)
    layout = Layout(folder)
    packer = Packer(Path(services.cache) / "images")
    packer.clear()
    platform = plan.platform or here()
    base, base_layers = _base(plan, platform, layout, packer, shown)
    names = needed(manifest, services.blobs, native=plan.native, more=plan.distributions)
    if _fits(base, platform):
        held = closure(names)
        packages = (_packages(held, packer, shown), *(() if base.config else _libraries(held, packer)))
    else:
        held = [replace(each, files={}) for each in closure(names)]
        packages = (from_index(held, base.python, platform, packer, PACKAGES, shown),)
    own = _own(packer, compiled=_fits(base, platform))
    models = packer.pack("model", _model_entries(manifest, services.blobs, carries_state=bool(plan.base)))
    layers = (*base_layers, *packages, own, models)
    for layer in (*packages, own, models):
        layout.adopt(packer.path(layer), layer.descriptor.digest)
    image = layout.put_json(_image_manifest(layout, manifest, layers, base), MANIFEST)
    attached = _attached(services, layout, image, manifest, held, base, plan)
    tag = plan.tag or str(manifest.generation if len(manifest.arms) > 1 else manifest.arms[0].version)
    layout.tag(image, tag, attached)
    return Image(
        name=manifest.deployment, tag=tag, digest=image.digest, folder=str(folder), platform=platform, layers=layers,
        size=sum(layer.descriptor.size for layer in layers), python=base.python, models=_models(manifest),
        attached=tuple(each.artifact_type for each in attached), differs=_differs(manifest, held),
    )  # fmt: skip


def push_image(
    folder: Path,
    to: str,
    *,
    tag: str = "",
    mount: str = "",
    login: tuple[str, str] | None = None,
    shown: Shown = lambda _: None,
) -> Any:
    """Sends an image of a layout to a registry: only what it lacks.

    Args:
        to: Such as `registry.example:5000/team/late-flights:3`; without a tag the image keeps its own.
        tag: Which of the folder's images; the last one built by default.
        mount: Repository of the registry whose layers may be used; by default the one beside it that has the same base.
        login: Name and password; by default what `podman login` or `docker login` has kept.

    Raises:
        NotFound: the folder holds no such image.
        PermissionDenied: the registry does not let us.
        ServerUnreachable: there is no registry.
    """
    layout = Layout(folder)
    image = layout.image(tag)
    reference = Reference.parse(to)
    if not reference.tag:
        named = image.annotations.get("org.opencontainers.image.ref.name", "")
        reference = replace(reference, tag=named)
    registry = OciRegistry(reference.host, login=login or login_of(reference.host))
    return registry.push(layout, image, reference, mount=mount, shown=shown)


def manifest_of(services: Any, what: str) -> Manifest:
    """What is to be served: a deployment as it is now, or one version alone.

    Raises:
        NotFound: there is neither of that name.
    """
    if not any(mark in what for mark in "@/:"):
        try:
            return build_manifest(services.deployments.get(what), services.registry, services.features)
        except NotFound as error:
            raise NotFound(error.message, hint=error.hint or f"For a model's version, write {what}@champion.") from None
    return manifest_of_version(services.registry.get_version(what), services.features)


def needed(manifest: Manifest, blobs: Blobs, *, native: bool = False, more: Sequence[str] = ()) -> list[str]:
    """Names of the distributions that serving these models needs, without what those require.

    Args:
        native: Also those that a model needs where its ONNX twin does not answer for it.
    """
    names = {*SERVING, *more}
    for arm in manifest.arms:
        if arm.features is not None:
            names.update(WITH_FEATURES)
        if arm.package.twin is not None and not native and importlib.util.find_spec("onnxruntime"):
            names.add("onnxruntime")
            continue
        names.update(FLAVORS.get(arm.package.flavor).distributions)
        names.update(_imported(arm, blobs))
    return sorted(normalised(name) for name in names if normalised(name) != "flyball")


def _imported(arm: Arm, blobs: Blobs) -> Iterator[str]:
    """Distributions that a model's own Python files import."""
    modules: set[str] = set()
    for name, digest in arm.package.files.items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(blobs.get(digest))):
            if isinstance(node, ast.Import):
                modules.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add((node.module or "").partition(".")[0])
    modules -= {*sys.stdlib_module_names, "flyball", *SERVING}
    if modules:  # to ask which distribution has a module takes half a second
        owners = importlib.metadata.packages_distributions()
        for module in sorted(modules):
            yield from owners.get(module, ())


def _base(
    plan: ImagePlan, platform: str, layout: Layout, packer: Packer, shown: Shown
) -> tuple[Base, tuple[Layer, ...]]:
    if plan.base:
        reference = Reference.parse(plan.base)
        found = OciRegistry(reference.host, login=login_of(reference.host)).pull(
            reference, layout, platform, shown=shown
        )
        return _pulled(layout, found, platform)
    if platform != here():
        raise InvalidInput(
            f"A base for {platform} cannot be made on {here()}.", hint="Name one with --base, to be pulled."
        )
    files = list(bases.own_python())
    key = fingerprint(files, "base", __version__)
    layer = packer.known(key)
    if layer is None:
        shown("packing this machine's Python")
        with tempfile.TemporaryDirectory(prefix="flyball-image-") as temporary:
            compiled = list(compile_files(files, Path(temporary)))
            layer = packer.pack("base", bases.base_entries(files, compiled), key)
    layout.adopt(packer.path(layer), layer.descriptor.digest)
    return Base(python=machine.python_version(), platform=platform), (layer,)


def _pulled(layout: Layout, found: Descriptor, platform: str) -> tuple[Base, tuple[Layer, ...]]:
    told = layout.json(found)
    config = layout.json(read_descriptor(told["config"]))
    variables = dict(each.partition("=")[::2] for each in (config.get("config") or {}).get("Env") or [])
    kept = [read_descriptor(each) for each in told["layers"]]
    diffs = config["rootfs"]["diff_ids"]
    # Docker's own kind of layer is the same bytes under another name.
    layers = tuple(
        Layer(kind="base", descriptor=replace(each, media_type=_open_kind(each.media_type)), diff_id=diff)
        for each, diff in zip(kept, diffs, strict=True)
    )
    return Base(python=variables.get("PYTHON_VERSION", ""), platform=platform, config=config), layers


def _open_kind(media_type: str) -> str:
    return LAYER if media_type == "application/vnd.docker.image.rootfs.diff.tar.gzip" else media_type


def _fits(base: Base, platform: str) -> bool:
    """Whether compiled packages of this machine run there."""
    mine = machine.python_version_tuple()[:2]
    return platform == here() and (not base.python or tuple(base.python.split(".")[:2]) == mine)


def _packages(held: Sequence[Installed], packer: Packer, shown: Shown) -> Layer:
    files = [(f"{PACKAGES}/{name}", path) for each in held for name, path in sorted(each.files.items())]
    key = fingerprint(files, "packages", *(f"{each.name}=={each.version}" for each in held))
    layer = packer.known(key)
    if layer is None:
        shown(f"packing {len(held)} distributions")
        layer = _with_compiled("packages", files, [], packer, key)
    return layer


def _libraries(held: Sequence[Installed], packer: Packer) -> tuple[Layer, ...]:
    """What packages open of this machine and a base that was made here has not got; a layer of its own where there is any."""
    files = [(name, path) for each in held for name, path in sorted(each.files.items()) if ".so" in path.name]
    key = fingerprint(files, "libraries")
    layer = packer.known(key)
    if layer is None:
        opened = bases.libraries(path for _, path in files)
        lacking = {place: path for place, path in opened.items() if place not in bases.own_libraries()}
        entries = [
            Entry(path=bases.unlinked(place), content=path, mode=0o755) for place, path in sorted(lacking.items())
        ]
        layer = packer.pack("libraries" if lacking else "nothing", entries, key)
    return (layer,) if layer.kind == "libraries" else ()


def _own(packer: Packer, *, compiled: bool) -> Layer:
    """Flyball itself, by itself: it changes at other times than the packages, which are far larger."""
    files = [(f"{PACKAGES}/{name}", path) for name, path in own_files()]
    key = fingerprint(files, "flyball", __version__, str(compiled))
    name, text = own_metadata()
    entries = [Entry(path=f"{PACKAGES}/{name}", content=text)]
    if compiled:
        return packer.known(key) or _with_compiled("flyball", files, entries, packer, key)
    entries += [Entry(path=place, content=path) for place, path in files]
    return packer.known(key) or packer.pack("flyball", entries, key)


def _with_compiled(
    kind: str, files: Sequence[tuple[str, Path]], entries: Sequence[Entry], packer: Packer, key: str
) -> Layer:
    with tempfile.TemporaryDirectory(prefix="flyball-image-") as temporary:
        compiled = compile_files(files, Path(temporary))
        both = [Entry(path=place, content=path) for place, path in (*files, *compiled)]
        return packer.pack(kind, [*both, *entries], key)


def _model_entries(manifest: Manifest, blobs: Blobs, *, carries_state: bool) -> Iterator[Entry]:
    yield Entry(path=f"{MODELS}/{manifest_key(manifest.deployment)}", content=to_json(manifest))
    wanted: set[str] = set()
    for arm in manifest.arms:
        package = arm.package
        wanted.update(package.files.values())
        wanted.update(each for each in (package.input_example, package.twin.file if package.twin else "") if each)
    for digest in sorted(wanted):
        yield Entry(path=f"{MODELS}/blobs/{digest[:2]}/{digest}", content=blobs.get(digest))
    if carries_state:
        yield from bases.state_entries()


def _image_manifest(layout: Layout, manifest: Manifest, layers: Sequence[Layer], base: Base) -> dict[str, Any]:
    config = layout.put_json(_config(manifest, layers, base), CONFIG)
    return {
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config.plain(),
        "layers": [layer.descriptor.plain() for layer in layers], "annotations": _labels(manifest),
    }  # fmt: skip


def _config(manifest: Manifest, layers: Sequence[Layer], base: Base) -> dict[str, Any]:
    system, _, processor = base.platform.partition("/")
    theirs = (base.config.get("config") or {}).get("Env") or []
    own = {
        "PYTHONPATH": f"/{PACKAGES}", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "OMP_WAIT_POLICY": "PASSIVE",
    }  # fmt: skip
    if not base.config:
        own["PATH"] = f"/{bases.PYTHON_HOME}/bin:/usr/bin:/bin"
        own["SSL_CERT_FILE"] = "/etc/ssl/certs/ca-certificates.crt"
    kept = [each for each in theirs if each.partition("=")[0] not in own]
    return {
        "created": _EPOCH,
        "architecture": processor.partition("/")[0],
        "os": system,
        "config": {
            "User": f"{USER}:{USER}",
            "ExposedPorts": {f"{PORT}/tcp": {}},
            "Env": [*kept, *(f"{name}={value}" for name, value in own.items())],
            "Entrypoint": ["python3", "-m", "flyball.serving.model_server", "--models", f"/{MODELS}"],
            "Cmd": ["--objects", f"/{bases.STATE}", "--host", "0.0.0.0", "--port", str(PORT)],  # noqa: S104  # inside of a container
            "WorkingDir": "/",
            "Volumes": {f"/{bases.STATE}": {}},
            "Labels": _labels(manifest),
            "StopSignal": "SIGTERM",
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": _EPOCH, "created_by": f"flyball: {layer.kind}"} for layer in layers],
    }


def _labels(manifest: Manifest) -> dict[str, str]:
    return {
        "org.opencontainers.image.title": manifest.deployment,
        "org.opencontainers.image.version": ", ".join(_models(manifest)),
        "io.flyball.packages": " ".join(arm.package.id for arm in manifest.arms),
        "io.flyball.generation": str(manifest.generation),
    }


def _models(manifest: Manifest) -> tuple[str, ...]:
    return tuple(f"models:/{arm.model}/{arm.version}" for arm in manifest.arms)


def _attached(
    services: Any,
    layout: Layout,
    image: Descriptor,
    manifest: Manifest,
    held: Sequence[Installed],
    base: Base,
    plan: ImagePlan,
) -> list[Descriptor]:
    found = []
    if plan.bill:
        versions = [services.registry.get_version(ref) for ref in _models(manifest)]
        bill = attachments.bill_of_materials(map(make_sbom, versions), held, base.python, manifest.deployment)
        content = layout.put(bill, attachments.CYCLONEDX)
        found.append(attachments.attach(layout, image, content, attachments.CYCLONEDX))
    if plan.key is not None:
        found.append(attachments.sign(layout, image, plan.key, name=manifest.deployment))
    return found


def _differs(manifest: Manifest, held: Sequence[Installed]) -> tuple[str, ...]:
    names = {each.name for each in held} | {"python"}
    told = [words for arm in manifest.arms for words in upgrades(arm.package.environment)]
    return tuple(dict.fromkeys(words for words in told if words.partition(" ")[0] in names))
