"""What the facts of a version say, statement by statement, each with its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flyball.data.manifest import Snapshot, format_size
from flyball.data.personal_origin import PersonalColumn
from flyball.errors import FlyballError
from flyball.evaluation.importance import ColumnImportance
from flyball.evaluation.scores import Evaluation, MetricValue, SliceScore, find_metric
from flyball.lineage import Edge
from flyball.registry.approvals import Approval
from flyball.registry.lifecycle import Standing
from flyball.registry.signing import VersionSignature
from flyball.registry.versions import ModelVersion
from flyball.tracking.runs import Run

_MOST_ROWS = 200
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#~"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing that is known.

    Attributes:
        text: A sentence, in plain text.
        source: Where it comes from: a reference, and which part of it.
    """

    text: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardTable:
    """Things that are known, row by row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSection:
    """A part of a card that is made from facts."""

    heading: str
    statements: tuple[Statement, ...] = ()
    tables: tuple[CardTable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that the card of a version is made from.

    Attributes:
        run: None if there was none, or it is no longer kept.
        snapshots: By reference; None where it is no longer known.
        personal: Columns with personal data that it was made from, near or far.
    """

    version: ModelVersion
    standing: Standing
    approvals: tuple[Approval, ...]
    signatures: tuple[VersionSignature, ...]
    run: Run | None
    snapshots: Mapping[str, Snapshot | None]
    upstream: tuple[Edge, ...]
    downstream: tuple[Edge, ...]
    personal: tuple[PersonalColumn, ...] = ()

    @property
    def ref(self) -> str:
        """The version's reference."""
        return f"models:/{self.version.model}/{self.version.version}"


def sections(known: Known) -> tuple[CardSection, ...]:
    """What the facts say; the first section says what the version is."""
    made = (
        CardSection(heading="What it is", statements=tuple(_what(known))),
        CardSection(heading="Inputs and outputs", statements=tuple(_outputs(known)), tables=_inputs(known)),
        CardSection(heading="Data", statements=tuple(_data(known))),
        CardSection(heading="How it was made", statements=tuple(_making(known)), tables=_params(known)),
        CardSection(heading="How good it is", statements=tuple(_goodness(known)), tables=_scores(known)),
        CardSection(heading="Limits", statements=tuple(_limits(known))),
        CardSection(heading="Gates", statements=tuple(_gates(known))),
        CardSection(heading="Approvals and signatures", statements=tuple(_people(known))),
        CardSection(heading="Environment", statements=tuple(_environment(known)), tables=_packages(known)),
        CardSection(heading="Lineage", tables=_lineage(known)),
    )
    return tuple(section for section in made if section.statements or section.tables)


def to_lines(section: CardSection) -> list[str]:
    """A section as lines of Markdown."""
    lines = [f"## {section.heading}", ""]
    lines += [f"- {plain(said.text)} ({_code(said.source)})" for said in section.statements]
    lines += [""] if section.statements else []
    for table in section.tables:
        lines += [_row(table.columns), "|" + "---|" * len(table.columns)]
        lines += [_row(row) for row in table.rows[:_MOST_ROWS]]
        more = len(table.rows) - _MOST_ROWS
        lines += ["", f"{f'And {more} more. ' if more > 0 else ''}Source: {_code(table.source)}", ""]
    return lines


def plain(text: str) -> str:
    """Text as Markdown that shows it as it is: names come from anywhere, and none may pose as the card's own words."""
    return " ".join(text.split()).translate(_SPECIAL)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(plain(cell) or "-" for cell in cells) + " |"


def _code(text: str) -> str:
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def _what(known: Known) -> Iterator[Statement]:
    version, package = known.version, known.version.package
    if version.description:
        yield Statement(text=version.description, source=f"{known.ref} description")
    classes = f" of the classes {_listed(map(str, package.signature.classes))}" if package.signature.classes else ""
    kind = {"classification": "a classifier", "regression": "a regression"}.get(package.signature.task, "a model")
    yield Statement(
        text=f"It is {kind}{classes}, kept in the flavor {package.flavor}.", source=f"{known.ref} signature"
    )
    yield Statement(
        text=f"It was registered on {_day(version.created)} and stands as {version.stage}"
        + (f", under the aliases {_listed(version.aliases)}." if version.aliases else "."),
        source=f"{known.ref} stage",
    )
    yield Statement(
        text=f"It has {_files(len(package.files))} of {format_size(package.size)}; their content is named {package.id}.",
        source=f"{known.ref} package",
    )
    yield from _standing(known)


def _standing(known: Known) -> Iterator[Statement]:
    deprecation, retirement = known.standing.deprecation, known.standing.retirement
    if deprecation is not None:
        yield Statement(
            text=f"It is deprecated since {_day(deprecation.at)}{_whose(deprecation.by)}: {deprecation.reason}"
            + (f" It is to be retired on {_day(deprecation.until)}." if deprecation.until else "")
            + (f" Use {deprecation.instead} instead." if deprecation.instead else ""),
            source=f"{known.ref} deprecation",
        )
    if retirement is not None:
        why = f": {retirement.reason}" if retirement.reason else "."
        yield Statement(
            text=f"It is retired since {_day(retirement.at)}{_whose(retirement.by)}{why}",
            source=f"{known.ref} retirement",
        )
    if known.standing.held_by:
        yield Statement(text=f"It is used by {_listed(known.standing.held_by)}.", source=f"{known.ref} holds")


def _inputs(known: Known) -> tuple[CardTable, ...]:
    columns = known.version.package.signature.inputs.columns
    rows = tuple((column.name, column.type, "yes" if column.nullable else "no") for column in columns)
    return _table(("input", "type", "may be missing"), rows, f"{known.ref} signature")


def _outputs(known: Known) -> Iterator[Statement]:
    columns = known.version.package.signature.outputs.columns
    if columns:
        said = _listed(f"{column.name} ({column.type})" for column in columns)
        yield Statement(text=f"It answers with {said}.", source=f"{known.ref} signature")


def _data(known: Known) -> Iterator[Statement]:
    for ref, snapshot in known.snapshots.items():
        if snapshot is None:
            yield Statement(text="It was trained on a snapshot that is no longer known.", source=ref)
            continue
        parts = [] if snapshot.rows is None else [f"{snapshot.rows:,} rows"]
        parts += [] if snapshot.schema is None else [f"{len(snapshot.schema.columns)} columns"]
        parts += [_files(snapshot.file_count), format_size(snapshot.size)]
        yield Statement(
            text=f"It was trained on the dataset {snapshot.dataset} as of {_day(snapshot.created)}: {', '.join(parts)}.",
            source=ref,
        )
    for each in known.personal:
        word = "an input" if each.is_input else "no input"
        yield Statement(
            text=f"It was made from personal data ({each.kind}): the column {each.column} of {each.dataset}, {word} of the model.",
            source=f"datasets:/{each.dataset} personal data",
        )
    if known.version.holdout:
        yield Statement(
            text=f"The rows that it is judged on are kept; the truth in them is the column {known.version.label}."
            if known.version.label
            else "The rows that it is judged on are kept.",
            source=f"{known.ref} holdout",
        )


def _making(known: Known) -> Iterator[Statement]:
    version, run = known.version, known.run
    if run is not None:
        until = f" to {_moment(run.ended)}" if run.ended else ""
        yield Statement(
            text=f"It was made by the run {run.name or run.id} of the experiment {run.experiment}, "
            f"from {_moment(run.started)}{until}; that is {run.state}.",
            source=f"runs:/{run.id}",
        )
    elif version.run:
        yield Statement(text="It was made by a run that is no longer kept.", source=f"runs:/{version.run}")
    if version.code:
        yield Statement(text=f"Its code is {version.code}.", source=f"{known.ref} code")


def _params(known: Known) -> tuple[CardTable, ...]:
    rows = tuple((name, str(value)) for name, value in sorted(known.version.params.items()))
    return _table(("parameter", "value"), rows, f"{known.ref} params")


def _goodness(known: Known) -> Iterator[Statement]:
    evaluation = known.version.evaluation
    if evaluation is None:
        return
    share = evaluation.positive_rate
    of_which = "" if share is None else f", of which {share:.1%} are of the positive class"
    yield Statement(
        text=f"It was scored on {evaluation.n:,} rows that it had not learned from{of_which}.",
        source=f"{known.ref} evaluation",
    )
    if evaluation.importance is not None:
        loss = {"log_loss": "log loss", "mae": "mean absolute error"}[evaluation.importance.metric]
        yield Statement(
            text=f"What a column is worth is how much the {loss} of {_number(evaluation.importance.loss)} grows when the column's "
            f"values change places, on {evaluation.importance.n:,} of these rows.",
            source=f"{known.ref} evaluation importance",
        )


def _scores(known: Known) -> tuple[CardTable, ...]:
    evaluation, source = known.version.evaluation, f"{known.ref} evaluation"
    if evaluation is None:
        return ()
    overall = tuple((m.name, _number(m.value), _interval(m), f"{m.n:,}") for m in evaluation.metrics)
    columns = evaluation.importance.columns if evaluation.importance is not None else ()
    worth = tuple((c.column, _number(c.value), _interval(c)) for c in columns)
    by_slice = tuple(_slice_row(part, evaluation) for part in evaluation.slices)
    return (
        *_table(("metric", "value", "interval", "rows"), overall, source),
        *_table(("column", "worth", "interval"), worth, f"{source} importance"),
        *_table(("slice", "value", "rows", evaluation.primary, "interval"), by_slice, f"{source} slices"),
    )


def _slice_row(part: SliceScore, evaluation: Evaluation) -> tuple[str, ...]:
    found = _primary(part.metrics, evaluation.primary)
    scored = ("too few rows", "") if found is None else (_number(found.value), _interval(found))
    return (part.column, part.value, f"{part.n:,}", *scored)


def _limits(known: Known) -> Iterator[Statement]:
    version, evaluation = known.version, known.version.evaluation
    if evaluation is None:
        yield Statement(text="How good it is is not known: it was registered without a score.", source=known.ref)
    else:
        yield from _limits_of_scores(known, evaluation)
    newest = [found.created for found in known.snapshots.values() if found is not None]
    if newest:
        yield Statement(
            text=f"It knows nothing of what came after {_day(max(newest))}.", source=_listed(sorted(known.snapshots))
        )
    required = [column.name for column in version.package.signature.inputs.columns if not column.nullable]
    if required:
        yield Statement(text=f"The inputs {_listed(required)} may not be missing.", source=f"{known.ref} signature")
    if version.package.flavor_settings.get("trusted_only"):
        yield Statement(text="Reading it runs code that came with it.", source=f"{known.ref} package")
    if known.standing.missing:
        verb = "was" if len(known.standing.missing) == 1 else "were"
        yield Statement(
            text=f"It cannot be read any more: {_listed(known.standing.missing)} {verb} removed.",
            source=f"{known.ref} package",
        )


def _limits_of_scores(known: Known, evaluation: Evaluation) -> Iterator[Statement]:
    source = f"{known.ref} evaluation"
    undefined = [metric.name for metric in evaluation.metrics if metric.value is None]
    if undefined:
        yield Statement(text=f"On these rows {_listed(undefined)} is not defined.", source=source)
    if not evaluation.slices:
        yield Statement(text="It was not scored subgroup by subgroup.", source=source)
    unscored = [f"{part.column} {part.value}" for part in evaluation.slices if not part.metrics]
    if unscored:
        yield Statement(text=f"Too few rows to say how good it is for {_listed(unscored)}.", source=f"{source} slices")
    weakest = _weakest(evaluation)
    if weakest is not None:
        part, found, overall = weakest
        yield Statement(
            text=f"It is weakest where {part.column} is {part.value}: {found.name} {_number(found.value)} "
            f"({_interval(found) or 'no interval'}) on {part.n:,} rows, against {_number(overall.value)} over all.",
            source=f"{source} slices",
        )


def _weakest(evaluation: Evaluation) -> tuple[SliceScore, MetricValue, MetricValue] | None:
    """The subgroup with the worst value of the primary metric, if it is worse than all rows together."""
    overall = _primary(evaluation.metrics, evaluation.primary)
    if overall is None or overall.value is None:
        return None
    try:
        sign = 1.0 if find_metric(evaluation.primary).greater_is_better else -1.0
    except FlyballError:  # a plug-in that is not installed here
        return None
    scored = [(part, _primary(part.metrics, evaluation.primary)) for part in evaluation.slices]
    defined = [(part, found, found.value) for part, found in scored if found is not None and found.value is not None]
    if not defined:
        return None
    part, found, value = min(defined, key=lambda one: sign * one[2])
    return (part, found, overall) if sign * value < sign * overall.value else None


def _gates(known: Known) -> Iterator[Statement]:
    verdict = known.version.verdict
    if verdict is None:
        yield Statement(text="No gate was asked.", source=known.ref)
        return
    said = "It passed its gates" if verdict.passed else "Its gates held it back"
    yield Statement(text=f"{said} on {_day(verdict.at)}.", source=f"{known.ref} verdict")
    for decision in verdict.decisions:
        word = "passes it" if decision.passed else "holds it back"
        yield Statement(
            text=f"{decision.gate} {word}: {decision.reason}", source=f"{known.ref} verdict {decision.gate}"
        )


def _people(known: Known) -> Iterator[Statement]:
    for approval in known.approvals:
        source = f"{known.ref} approval {approval.id}"
        asked = f"{approval.requested_by} asked for its approval on {_day(approval.requested)}"
        yield Statement(text=f"{asked}; it is {approval.state}.", source=source)
        for word in approval.words:
            verb = "approved" if word.word == "approve" else "rejected"
            why = f": {word.reason}" if word.reason else "."
            yield Statement(text=f"{word.by} {verb} it on {_day(word.at)}{why}", source=source)
    if not known.approvals:
        yield Statement(text="Nobody has been asked to approve it.", source=known.ref)
    for signature in known.signatures:
        yield Statement(
            text=f"It was signed on {_day(signature.at)}{_whose(signature.by)} with the key {signature.key[:16]}; "
            "this card does not say whether the signature is good.",
            source=f"{known.ref} signature {signature.key[:16]}",
        )
    if not known.signatures:
        yield Statement(text="Nobody has signed it.", source=known.ref)


def _environment(known: Known) -> Iterator[Statement]:
    environment = known.version.package.environment
    if environment.python:
        yield Statement(
            text=f"It was made with Python {environment.python} on {environment.platform}.",
            source=f"{known.ref} environment",
        )


def _packages(known: Known) -> tuple[CardTable, ...]:
    rows = tuple(sorted(known.version.package.environment.packages.items()))
    return _table(("distribution", "version"), rows, f"{known.ref} environment")


def _lineage(known: Known) -> tuple[CardTable, ...]:
    edges = [*known.upstream, *known.downstream]
    rows = tuple((edge.source, edge.relation.replace("_", " "), edge.target, _day(edge.at)) for edge in edges)
    return _table(("from", "relation", "to", "since"), rows, f"{known.ref} lineage")


def _table(columns: tuple[str, ...], rows: tuple[Any, ...], source: str) -> tuple[CardTable, ...]:
    return (CardTable(columns=columns, rows=rows, source=source),) if rows else ()


def _primary(metrics: Iterable[MetricValue], name: str) -> MetricValue | None:
    return next((metric for metric in metrics if metric.name == name), None)


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def _listed(words: Iterable[str]) -> str:
    found = list(words)
    shown = found if len(found) <= 12 else [*found[:11], f"{len(found) - 11} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _whose(by: str) -> str:
    return f" by {by}" if by else ""


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _interval(metric: MetricValue | ColumnImportance) -> str:
    if metric.low is None or metric.high is None:
        return ""
    return f"{_number(metric.low)} to {_number(metric.high)}"


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
