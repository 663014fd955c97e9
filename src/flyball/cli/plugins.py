"""`flyball plugins`: what can be added, and what there is."""

from __future__ import annotations

import importlib

import click

from flyball.cli.output import print_json, print_table
from flyball.errors import NotFound, did_you_mean

KINDS = {
    "alert channel": "flyball.alerts.delivery:CHANNELS",
    "check": "flyball.data.checks.base:CHECKS",
    "cleaner": "flyball.data.cleaning.base:CLEANERS",
    "deployment exporter": "flyball.packaging.exporters.base:EXPORTERS",
    "drift metric": "flyball.monitoring.drift.base:DRIFT_METRICS",
    "evidence": "flyball.governance.evidence.base:FORMATS",
    "executor": "flyball.executors.base:EXECUTORS",
    "explainer": "flyball.evaluation.explain.base:EXPLAINERS",
    "exporter": "flyball.pipelines.exporters.base:EXPORTERS",
    "fairness": "flyball.evaluation.fairness.base:FAIRNESS",
    "flavor": "flyball.models.flavors.base:FLAVORS",
    "gate": "flyball.registry.gates.base:GATES",
    "key wrapper": "flyball.governance.key_wrappers.base:WRAPPERS",
    "metric": "flyball.evaluation.scores:METRICS",
    "monitor": "flyball.monitoring.monitors.base:MONITORS",
    "multivariate": "flyball.monitoring.multivariate.base:MULTIVARIATE",
    "online store": "flyball.features.online.base:ONLINE",
    "policy": "flyball.loops.policies.base:POLICIES",
    "representation": "flyball.monitoring.representations.base:REPRESENTATIONS",
    "rule": "flyball.governance.rules.base:RULES",
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
