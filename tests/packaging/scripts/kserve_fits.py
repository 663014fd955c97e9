"""Says whether KServe's own Python models know every field of an InferenceService, and its kind of value. Runs where they are."""

import re
import sys
from pathlib import Path

import kserve.models
import yaml
from kubernetes import client


def check(value: object, kind: str, place: str) -> None:
    """Goes down a document beside the types that the models declare."""
    many = re.fullmatch(r"list\[(.+)\]", kind)
    named = re.fullmatch(r"dict\(str, (.+)\)", kind)
    model = getattr(kserve.models, kind, None) or getattr(client, kind, None)
    if many:
        assert isinstance(value, list), place
        for number, each in enumerate(value):
            check(each, many[1], f"{place}[{number}]")
    elif named:
        assert isinstance(value, dict), place
        for key, each in value.items():
            check(each, named[1], f"{place}.{key}")
    elif model is not None and kind not in ("object", "str"):
        assert isinstance(value, dict), place
        fields = {model.attribute_map[name]: its for name, its in model.openapi_types.items()}
        for key, each in value.items():
            assert key in fields, f"{place}.{key} is not known"
            check(each, fields[key], f"{place}.{key}")
    else:
        expected = {"str": str, "int": int, "bool": bool, "float": (int, float)}.get(kind)
        assert expected is None or isinstance(value, expected), f"{place} is no {kind}"


check(yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8")), "V1beta1InferenceService", "InferenceService")
print("fits")
