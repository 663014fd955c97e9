"""Which version of a library a name comes from."""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path

from flyball.serialization import canonical_json, digest
from flyball.storage.objects import digest_file

# Asking for all packages of all distributions costs up to half a second; the common ones are known.
_KNOWN = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "google": "protobuf",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}


def is_standard(package: str) -> bool:
    """Whether the top-level package comes with Python."""
    return package in sys.stdlib_module_names or package == "__main__"


@lru_cache(maxsize=512)
def version_of(package: str) -> str:
    """The version of the distribution that a top-level package comes from.

    A package that is no distribution, or is installed in place for editing, is told by the content of its files.
    """
    for name in filter(None, (_KNOWN.get(package), package)):
        try:
            found = metadata.distribution(name)
        except (metadata.PackageNotFoundError, ValueError):
            continue
        return _content(package) if _is_editable(found) else str(found.version)
    names = metadata.packages_distributions().get(package)
    if not names:
        return _content(package)
    editable = any(_is_editable(metadata.distribution(name)) for name in set(names))
    return (
        _content(package) if editable else ", ".join(f"{name} {metadata.version(name)}" for name in sorted(set(names)))
    )


def _is_editable(distribution: metadata.Distribution) -> bool:
    text = distribution.read_text("direct_url.json")
    return bool(text and json.loads(text).get("dir_info", {}).get("editable"))


def _content(package: str) -> str:
    try:
        spec = util.find_spec(package)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None:
        return "missing"
    if spec.submodule_search_locations:
        roots = [Path(place) for place in spec.submodule_search_locations]
        files = {str(path.relative_to(root)): path for root in roots for path in root.rglob("*.py")}
    else:
        files = {"": Path(spec.origin)} if spec.origin and Path(spec.origin).is_file() else {}
    return digest(canonical_json({name: digest_file(path) for name, path in files.items()}))[:16]
