"""The bill of materials of a version with its model card: an ML-BOM, CycloneDX 1.6."""

from __future__ import annotations

from typing import Any

from flyball.governance.evidence.facts import EvidenceFacts
from flyball.refs import Ref
from flyball.registry.sbom import make_sbom


def make_ml_bom(facts: EvidenceFacts) -> dict[str, Any]:
    """The bill of materials, with what the model learned from, how good it is and where its limits are.

    Raises:
        MissingExtra: the library is not installed.
    """
    bom: dict[str, Any] = make_sbom(facts.version)
    bom["metadata"]["component"]["modelCard"] = _card(facts)
    return bom


def _card(facts: EvidenceFacts) -> dict[str, Any]:
    version, signature = facts.version, facts.version.package.signature
    datasets = [Ref.parse(text, kind="snapshots") for text in sorted(set(version.snapshots))]
    card: dict[str, Any] = {
        "modelParameters": {
            **({"task": signature.task} if signature.task else {}),
            "architectureFamily": version.package.flavor,
            "datasets": [
                {"type": "dataset", "name": ref.name, "classification": _class(facts, ref.name)} for ref in datasets
            ],
            "inputs": [{"format": f"{column.name}: {column.type}"} for column in signature.inputs.columns],
            "outputs": [{"format": f"{column.name}: {column.type}"} for column in signature.outputs.columns],
        }
    }
    metrics = _metrics(facts)
    if metrics:
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    purpose = [each.text for each in facts.written("Intended purpose")]
    limitations = [each.text for each in facts.section("Limits")]
    considerations = {"useCases": purpose, "technicalLimitations": limitations}
    if any(considerations.values()):
        card["considerations"] = {name: texts for name, texts in considerations.items() if texts}
    return card


def _class(facts: EvidenceFacts, dataset: str) -> str:
    return "personal" if facts.here.quality.pii_classes(dataset).declared else "not classified"


def _metrics(facts: EvidenceFacts) -> list[dict[str, Any]]:
    evaluation = facts.version.evaluation
    if evaluation is None:
        return []
    found = [(metric, "") for metric in evaluation.metrics]
    found += [(metric, f"{part.column} {part.value}") for part in evaluation.slices for metric in part.metrics]
    return [
        {
            "type": metric.name,
            "value": f"{metric.value:.6g}",
            **({"slice": where} if where else {}),
            **(
                {"confidenceInterval": {"lowerBound": f"{metric.low:.6g}", "upperBound": f"{metric.high:.6g}"}}
                if metric.low is not None and metric.high is not None
                else {}
            ),
        }
        for metric, where in found
        if metric.value is not None
    ]
