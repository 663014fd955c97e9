"""Whether an exported pipeline fits the published form of its language. Arguments: the language, the file."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

language, place = sys.argv[1], Path(sys.argv[2])
documents = list(yaml.safe_load_all(place.read_text()))
if language == "kubeflow":
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    spec, platform = documents
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
else:
    from hera.workflows import models

    for document in documents:
        form = getattr(models, document["kind"])
        made = form.model_validate(document) if hasattr(form, "model_validate") else form.parse_obj(document)
        # What the form does not know it would let pass.
        text = made.json(by_alias=True, exclude_none=True) if not hasattr(made, "model_dump_json") else ""
        back = yaml.safe_load(text) if text else made.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert back["spec"].keys() == document["spec"].keys(), (back["spec"].keys(), document["spec"].keys())
