"""Says whether Kubernetes would take the objects of YAML files: by its own published schemas, strictly. Runs where they are."""

import sys
from pathlib import Path

import kubernetes_validate
import yaml

for name in sys.argv[1:]:
    for document in yaml.safe_load_all(Path(name).read_text(encoding="utf-8")):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
        print(document["kind"])
