"""What is known of a version, looked up when it is first asked for, as statements with their sources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from flyball.data.personal_origin import datasets_behind, full_ref, personal_columns
from flyball.errors import FlyballError
from flyball.governance.evidence.base import Said
from flyball.principals import acting
from flyball.storage.audit_chain import audit

if TYPE_CHECKING:
    from flyball.registry.card import ModelCard
    from flyball.registry.versions import ModelVersion
    from flyball.workspace import Workspace

_MOST_ROWS = 30


class EvidenceFacts:
    """A version, and all around it.

    Raises:
        NotFound: there is no such version.
    """

    def __init__(self, here: Workspace, ref: str) -> None:
        self.here = here
        self.version: ModelVersion = here.registry.get_version(ref)
        self.short = f"{self.version.model}/{self.version.version}"
        self.ref = f"models:/{self.short}"

    @cached_property
    def card(self) -> ModelCard:
        """Its card: what the registry knows."""
        return self.here.model_cards.get(self.ref)

    def section(self, heading: str) -> list[Said]:
        """What a section of the card says, tables among it row by row."""
        found = [section for section in self.card.sections if section.heading == heading]
        said = [Said(text=each.text, source=each.source) for section in found for each in section.statements]
        for table in (table for section in found for table in section.tables):
            rows = [
                "; ".join(f"{c} {v}" for c, v in zip(table.columns, row, strict=True) if v)
                for row in table.rows[:_MOST_ROWS]
            ]
            more = f"; and {len(table.rows) - _MOST_ROWS} more" if len(table.rows) > _MOST_ROWS else ""
            said.append(Said(text=" | ".join(rows) + more, source=table.source))
        return said

    def written(self, heading: str) -> list[Said]:
        """What people have written under a heading of the card."""
        found = [each for each in self.card.own if each.heading.casefold() == heading.casefold()]
        return [
            Said(
                text=each.text.strip(),
                source=f"{self.ref} card section '{each.heading}' by {each.by}, {each.updated:%Y-%m-%d}",
            )
            for each in found
        ]

    @cached_property
    def datasets(self) -> list[str]:
        """The datasets behind it, near or far."""
        refs = [full_ref(text) for text in self.version.snapshots]
        return datasets_behind(self.here.lineage, [*refs, self.ref])

    @cached_property
    def loop(self) -> Any:
        """The loop that keeps it; None where none does."""
        try:
            return self.here.loops.get(self.version.model)
        except FlyballError:
            return None

    @cached_property
    def deployments(self) -> list[Any]:
        """The deployments that serve its model."""
        return [each for each in self.here.deployments.list(limit=1000) if each.model == self.version.model]

    @cached_property
    def windows(self) -> list[Any]:
        """The latest windows of their predictions."""
        return [
            window for each in self.deployments for window in self.here.monitoring.list_windows(each.name, limit=20)
        ]

    def audited(self, *actions: str) -> list[Said]:
        """What the audit log holds of the version, for those who may read it: who did what, when, in which row."""
        who = acting()
        if not (who.auditor or who.may("owner")):
            return []
        query = sa.select(audit).where(
            sa.or_(audit.c.subject == self.ref, audit.c.subject == f"models:/{self.version.model}")
        )
        if actions:
            query = query.where(audit.c.action.in_(actions))
        rows = self.here.database.rows(query.order_by(audit.c.id).limit(200))
        return [
            Said(
                text=f"{row.who} ({row.kind}): {row.action} of {row.subject} on {_day(row.at)}.",
                source=f"audit row {row.id}",
            )
            for row in rows
        ]


def what(facts: EvidenceFacts) -> Sequence[Said]:
    """What it is."""
    return facts.section("What it is")


def inputs(facts: EvidenceFacts) -> Sequence[Said]:
    """What it takes and gives."""
    return facts.section("Inputs and outputs")


def data(facts: EvidenceFacts) -> Sequence[Said]:
    """What it learned from."""
    return facts.section("Data")


def making(facts: EvidenceFacts) -> Sequence[Said]:
    """How it was made."""
    return facts.section("How it was made")


def scores(facts: EvidenceFacts) -> Sequence[Said]:
    """How good it is."""
    return facts.section("How good it is")


def limits(facts: EvidenceFacts) -> Sequence[Said]:
    """Its limits."""
    return facts.section("Limits")


def gates(facts: EvidenceFacts) -> Sequence[Said]:
    """What gates said; nothing where none was asked."""
    return facts.section("Gates") if facts.version.verdict else []


def people(facts: EvidenceFacts) -> Sequence[Said]:
    """Who approved and signed it; nothing where nobody did."""
    return [
        said
        for said in facts.section("Approvals and signatures")
        if " approval " in said.source or " signature " in said.source
    ]


def environment(facts: EvidenceFacts) -> Sequence[Said]:
    """What it stands on."""
    return facts.section("Environment")


def lineage(facts: EvidenceFacts) -> Sequence[Said]:
    """What it was made from and what was made from it."""
    return facts.section("Lineage")


def metrics(facts: EvidenceFacts) -> Sequence[Said]:
    """By which metrics it is judged, and which one counts."""
    found = facts.version.evaluation
    if found is None:
        return []
    names = ", ".join(metric.name for metric in found.metrics)
    return [
        Said(text=f"It is judged by {names}; {found.primary} stands for the whole.", source=f"{facts.ref} evaluation")
    ]


def groups(facts: EvidenceFacts) -> Sequence[Said]:
    """How it does for groups."""
    found, source = facts.version.evaluation, f"{facts.ref} evaluation"
    if found is None:
        return []
    said = [
        Said(
            text=f"{each.measure} by {each.column}: {each.value:.4g}."
            if each.value is not None
            else f"{each.measure} by {each.column} is not defined.",
            source=f"{source} fairness",
        )
        for each in found.fairness
    ]
    columns = sorted({part.column for part in found.slices})
    if columns:
        said.append(
            Said(text=f"It was scored subgroup by subgroup of {', '.join(columns)}.", source=f"{source} slices")
        )
    return said


def personal(facts: EvidenceFacts) -> Sequence[Said]:
    """Which personal data it learned from."""
    taken = facts.version.package.signature.inputs.names
    return [
        Said(
            text=f"The column {each.column} of {each.dataset}, which it was made from, holds personal data ({each.kind}); "
            f"it is {'an' if each.is_input else 'no'} input of the model.",
            source=f"datasets:/{each.dataset} personal data",
        )
        for each in personal_columns(facts.here.quality, facts.datasets, taken)
    ]


def checks(facts: EvidenceFacts) -> Sequence[Said]:
    """What checks of its data found."""
    said = []
    for name in facts.datasets:
        for report in facts.here.quality.list_reports(name, limit=1):
            word = "passed" if report.report.passed else "did not pass"
            text = f"Version {report.snapshot[:12]} of {name} {word} {len(report.report.results)} checks on {report.at:%Y-%m-%d}."
            said.append(Said(text=text, source=f"datasets:/{name} report {report.number}"))
    return said


def catalog(facts: EvidenceFacts) -> Sequence[Said]:
    """What the catalog says of its datasets."""
    said = []
    for name in facts.datasets:
        try:
            entry = facts.here.catalog.get(f"datasets:/{name}")
        except FlyballError:
            continue
        words = [
            ("", entry.description),
            ("Owner: ", entry.owner),
            ("Licence: ", entry.licence),
            ("Class: ", entry.pii),
        ]
        text = " ".join(f"{before}{value}." for before, value in words if value).replace("..", ".")
        if text:
            said.append(Said(text=f"{name}: {text}", source=f"datasets:/{name} catalog"))
    return said


def labels(facts: EvidenceFacts) -> Sequence[Said]:
    """How the truth came about."""
    if not facts.version.label:
        return []
    return [Said(text=f"The truth is the column {facts.version.label}.", source=f"{facts.ref} holdout")]


def resources(facts: EvidenceFacts) -> Sequence[Said]:
    """What its making took."""
    if not facts.version.run:
        return []
    total = facts.here.cost.report("run", run=facts.version.run, since=facts.version.created.replace(year=2000)).total
    if not total.runs:
        return []
    text = f"Its run took {total.core_seconds:,.1f} core-seconds, {total.memory_byte_seconds / 2**30:,.1f} GiB-seconds of memory"
    text += f" and {total.accelerator_seconds:,.1f} accelerator-seconds." if total.accelerator_seconds else "."
    return [Said(text=text, source=f"runs:/{facts.version.run} usage")]


def loop(facts: EvidenceFacts) -> Sequence[Said]:
    """How it is trained anew, judged and rolled out."""
    if facts.loop is None:
        return []
    found, source = facts.loop.loop, f"loops:/{facts.version.model}"
    triggers, gates_ = ", ".join(t.trigger for t in found.retrain), ", ".join(str(g) for g in found.gates)
    return [
        Said(
            text=f"It is trained anew by {triggers}." if triggers else "It is trained anew by hand only.", source=source
        ),
        Said(text=f"A new version must pass {gates_}." if gates_ else "A new version passes no gates.", source=source),
        Said(text=f"A new version takes over as {found.rollout.strategy}.", source=source),
    ]


def monitors(facts: EvidenceFacts) -> Sequence[Said]:
    """How it is watched in use."""
    said = []
    if facts.loop is not None and facts.loop.loop.monitors:
        names = ", ".join(each.monitor for each in facts.loop.loop.monitors)
        said.append(Said(text=f"Its predictions are watched for {names}.", source=f"loops:/{facts.version.model}"))
    for window in facts.windows[:5]:
        found = "; ".join(window.findings) or "nothing was found"
        counted = f"{window.predictions:,} predictions, {window.labelled:,} with a known truth"
        source = f"deployments:/{window.deployment} window {window.start:%Y-%m-%dT%H:%M}"
        said.append(Said(text=f"From {window.start:%Y-%m-%d %H:%M} {counted}: {found}.", source=source))
    return said


def performance(facts: EvidenceFacts) -> Sequence[Said]:
    """How good it is in use."""
    said = []
    for window in [each for each in facts.windows if each.performance][:5]:
        values = ", ".join(f"{m.name} {m.value:.4g}" for m in window.performance if m.value is not None)
        if values:
            source = f"deployments:/{window.deployment} window {window.start:%Y-%m-%dT%H:%M}"
            said.append(
                Said(text=f"From {window.start:%Y-%m-%d}: {values} on {window.labelled:,} predictions.", source=source)
            )
    return said


def alerts(facts: EvidenceFacts) -> Sequence[Said]:
    """What alarms there were, and what became of them."""
    found = facts.here.alerts.list(subject=f"loops:/{facts.version.model}", limit=20)
    return [
        Said(
            text=f"{each.severity} on {each.opened:%Y-%m-%d}: {each.title} It is {each.state}.",
            source=f"alert {each.id}",
        )
        for each in found
    ]


def serving(facts: EvidenceFacts) -> Sequence[Said]:
    """Where it is served."""
    return [
        Said(text=f"It is served as {each.name}; version {each.champion} answers.", source=f"deployments:/{each.name}")
        for each in facts.deployments
    ]


def versions(facts: EvidenceFacts) -> Sequence[Said]:
    """The versions before it, and what became champion when."""
    before = facts.here.registry.list_versions(facts.version.model, limit=20, before=facts.version.version)
    said = [
        Said(
            text=f"Version {each.version} was registered on {each.created:%Y-%m-%d} and stands as {each.stage}.",
            source=f"models:/{each.model}/{each.version}",
        )
        for each in before
    ]
    history = facts.here.registry.alias_history(facts.version.model, limit=20)
    return [
        *said,
        *(
            Said(
                text=f"{each.alias} became version {each.version} on {each.at:%Y-%m-%d}. {each.reason}".strip(),
                source=f"models:/{each.model} alias {each.alias}",
            )
            for each in history
        ),
    ]


def policies(facts: EvidenceFacts) -> Sequence[Said]:
    """Which policies hold for it, and what they say."""
    broken = {each.policy: f"says no: {each.why}" for each in facts.here.policies.check_version(facts.ref)}
    risk = facts.here.registered_models.get(facts.version.model).tags.get("risk", "")
    held = [each for each in facts.here.policies.list() if each.kind != "retention"]
    return [
        Said(
            text=f"The policy {each.name} ({each.kind}) {broken.get(each.name, 'lets it be served.')}",
            source=f"policies:/{each.name}",
        )
        for each in held
        if each.holds_for(facts.version.model, risk)
    ]


def risk(facts: EvidenceFacts) -> Sequence[Said]:
    """Its class of risk."""
    found = facts.here.registered_models.get(facts.version.model).tags.get("risk", "")
    return (
        [Said(text=f"Its class of risk is {found}.", source=f"models:/{facts.version.model} tag risk")] if found else []
    )


def retention(facts: EvidenceFacts) -> Sequence[Said]:
    """How long things are kept."""
    return [
        Said(
            text=f"{each.params['of'].replace('_', ' ')} are kept for {each.params['keep']}.",
            source=f"policies:/{each.name}",
        )
        for each in facts.here.policies.list()
        if each.kind == "retention"
    ]


def oversight(facts: EvidenceFacts) -> Sequence[Said]:
    """Which people look at it: approvals, and who is told of alerts."""
    said = [*people(facts)]
    if facts.loop is not None and facts.loop.loop.channels:
        names = ", ".join(sorted({each.channel for each in facts.loop.loop.channels}))
        said.append(Said(text=f"People are told of alerts by {names}.", source=f"loops:/{facts.version.model}"))
    return said


def security(facts: EvidenceFacts) -> Sequence[Said]:
    """How its files and its history are kept from being changed unseen."""
    said = [each for each in facts.section("Approvals and signatures") if " signature " in each.source]
    package = facts.version.package
    said.append(
        Said(text=f"Its {len(package.files)} files are named by their content (BLAKE3).", source=f"{facts.ref} package")
    )
    if package.flavor_settings.get("trusted_only"):
        said.append(Said(text="Reading it runs code that came with it.", source=f"{facts.ref} package"))
    return said


def maturity(facts: EvidenceFacts) -> Sequence[Said]:
    """How ready its loop is."""
    if facts.loop is None:
        return []
    report = facts.here.maturity.get(facts.version.model)
    text = (
        f"Its loop stands at level {report.level} of 2; its ML Test Score is {report.score:g} of 7: {report.meaning}."
    )
    return [Said(text=text, source=f"loops:/{facts.version.model} maturity")]


def history(facts: EvidenceFacts) -> Sequence[Said]:
    """What the audit log holds of it."""
    return facts.audited()


def _day(micros: int) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros):%Y-%m-%d %H:%M}"
