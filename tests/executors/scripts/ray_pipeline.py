"""A pipeline whose steps run on a Ray cluster; started by an environment that has Ray, in the folder of a project.

Prints a JSON object: what came of it, and on which nodes the steps ran.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from flyball.pipelines.code_snapshot import load_project, snapshot_code
from flyball.pipelines.engine import run_pipeline
from flyball.run_services import RunServices
from flyball.settings import load_settings
from flyball.workspace import Workspace

with Workspace(load_settings({"executor": "ray"})) as workspace:
    root = Path.cwd()
    code = snapshot_code(root, workspace.blobs)
    services = RunServices(workspace=workspace, project_root=root, source_root=root, code=code.digest)
    pipeline = load_project(root, "project.py").pipelines["main"]
    result = run_pipeline(pipeline, {"count": int(sys.argv[1])}, services=services)
    steps = {step.name: step.state for step in result.steps}
    sys.stdout.write(json.dumps({"value": result.value(), "steps": steps}) + "\n")
