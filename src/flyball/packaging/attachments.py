"""What is attached to an image: its bill of materials and its signature, as manifests that refer to it.

The signature is one that `cosign verify --key` understands: a "simple signing" document with an ECDSA signature over it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flyball.errors import Corrupt, InvalidInput, NotFound
from flyball.packaging.distributions import Installed
from flyball.packaging.oci import EMPTY, MANIFEST, Descriptor, Layout
from flyball.registry.keys import check_key_file, key_id, read_public_key
from flyball.serialization import canonical_json, from_json

CYCLONEDX = "application/vnd.cyclonedx+json"
SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"
_SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
_ANNOTATION = "dev.cosignproject.cosign/signature"


def attach(layout: Layout, image: Descriptor, content: Descriptor, artifact_type: str) -> Descriptor:
    """Writes a manifest that refers to an image."""
    empty = layout.put(b"{}", EMPTY)
    subject = Descriptor(media_type=image.media_type, digest=image.digest, size=image.size)
    told = {
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": artifact_type, "config": empty.plain(),
        "layers": [content.plain()], "subject": subject.plain(),
    }  # fmt: skip
    return layout.put_json(told, MANIFEST, artifact_type=artifact_type)


def bill_of_materials(models: Iterable[Mapping[str, Any]], held: Iterable[Installed], python: str, name: str) -> bytes:
    """What an image is made of, as CycloneDX: the bills of its models, with the distributions that the image holds.

    Args:
        models: The bill of materials of each model.
        held: What was put in; None of what the models were trained with need be among it.
        python: Version of the image's Python.
        name: Of the image.
    """
    bills = list(models)
    parts: dict[str, Any] = {}
    for bill in bills:
        root = bill["metadata"]["component"]
        parts[root["bom-ref"]] = root
        for part in bill.get("components", []):
            if not str(part.get("purl", "")).startswith("pkg:pypi/") and part.get("type") != "platform":
                parts[f"{root['bom-ref']}#{part['bom-ref']}"] = {
                    **part,
                    "bom-ref": f"{root['bom-ref']}#{part['bom-ref']}",
                }
    for each in held:
        purl = f"pkg:pypi/{each.name}@{each.version}"
        parts[purl] = {"type": "library", "name": each.name, "version": each.version, "bom-ref": purl, "purl": purl}
    if python:
        parts[f"python@{python}"] = {
            "type": "platform", "name": "python", "version": python, "bom-ref": f"python@{python}",
        }  # fmt: skip
    first = bills[0]
    told = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": first["serialNumber"],
        "version": 1,
        "metadata": {
            "timestamp": first["metadata"]["timestamp"],
            "component": {"type": "container", "name": name, "bom-ref": "image"},
        },
        "components": [parts[ref] for ref in sorted(parts)],
        "dependencies": [{"ref": "image", "dependsOn": sorted(parts)}],
    }
    return canonical_json(told)


def sign(layout: Layout, image: Descriptor, key: Path, *, name: str = "") -> Descriptor:
    """Signs the digest of an image and writes the manifest that holds the signature.

    Args:
        key: File of the private key.
        name: What the image is called; part of what is signed.

    Raises:
        InvalidInput: the key cannot be used.
        MissingExtra: the library is not installed.
    """
    check_key_file(key)
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    payload = canonical_json(
        {
            "critical": {
                "identity": {"docker-reference": name},
                "image": {"docker-manifest-digest": image.digest},
                "type": "cosign container image signature",
            },
            "optional": None,
        }
    )
    made = base64.b64encode(private.sign(payload, ec.ECDSA(hashes.SHA256()))).decode()
    content = layout.put(payload, _SIMPLE, annotations={_ANNOTATION: made})
    return attach(layout, image, content, SIGNATURE)


def verify(layout: Layout, image: Descriptor, key: Path) -> str:
    """The id of the key, if it has signed the image.

    Args:
        key: File of the public key that is trusted.

    Raises:
        NotFound: the image is not signed.
        Corrupt: no signature is of this key and this image.
    """
    public_key = read_public_key(key)
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    trusted = serialization.load_pem_public_key(public_key.encode())
    assert isinstance(trusted, ec.EllipticCurvePublicKey)
    found = [each for each in layout.referrers(image.digest) if each.artifact_type == SIGNATURE]
    if not found:
        raise NotFound("The image is not signed.", hint="Build it with --key.")
    for each in found:
        for told in layout.json(each)["layers"]:
            payload = layout.path(told["digest"]).read_bytes()
            made = base64.b64decode((told.get("annotations") or {}).get(_ANNOTATION, ""))
            try:
                trusted.verify(made, payload, ec.ECDSA(hashes.SHA256()))
                signed = from_json(payload, dict[str, Any])["critical"]["image"]["docker-manifest-digest"]
            except (InvalidSignature, InvalidInput, KeyError, TypeError):
                continue
            if signed == image.digest:
                return key_id(public_key)
    raise Corrupt("The image was not signed by this key.", hint="Was it changed, or is this another's key?")
