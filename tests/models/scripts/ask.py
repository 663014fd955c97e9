"""Reads a package and asks it. Arguments: a folder with `package.json` and `rows`, the folder of the objects."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa

from flyball.models.package import ModelPackage, load_model
from flyball.serialization import from_json
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

folder = Path(sys.argv[1])
blobs = Blobs(LocalObjects(Path(sys.argv[2]), durable=False))
model = load_model(from_json((folder / "package.json").read_bytes(), ModelPackage), blobs)
with pa.ipc.open_stream((folder / "rows").read_bytes()) as reader:
    print(json.dumps(model.predict(reader.read_all()).to_pydict()))
