"""`flyball plugins`: what can be added, and what there is."""

from __future__ import annotations

import importlib

import click

from flyball.cli.output import print_json, print_table
from flyball.errors import NotFound, did_you_mean

KINDS = {
    "alert channel": "flyball.alerts.delivery:CHANNELS",
    "check": "flyball.data.checks.base:CHECKS",
    "drift metric": "flyball.monitoring.drift.base:DRIFT_METRICS",
    "executor": "flyball.executors.base:EXECUTORS",
    "explainer": "flyball.evaluation.explain.base:EXPLAINERS",
    "flavor": "flyball.models.flavors.base:FLAVORS",
    "gate": "flyball.registry.gates.base:GATES",
    "metric": "flyball.evaluation.scores:METRICS",
    "monitor": "flyball.monitoring.monitors.base:MONITORS",
    "policy": "flyball.loops.policies.base:POLICIES",
    "trigger": "flyball.loops.keeper:TRIGGERS",
}


@click.command()
@click.argument("kind", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def plugins(kind: str | None, as_json: bool) -> None:
    """List the plug-ins of each kind, or of KIND."""
    if kind is not None and kind not in KINDS:
        raise NotFound(f"There is no kind of plug-in '{kind}'.", hint=did_you_mean(kind, KINDS))
    found = {}
    for name in [kind] if kind else KINDS:
        module, _, attribute = KINDS[name].partition(":")
        found[name] = getattr(importlib.import_module(module), attribute).names()
    if as_json:
        print_json(found)
    else:
        print_table(["kind", "plug-ins"], [[name, names] for name, names in found.items()])
