"""`flyball labels`: label rows, texts, images and sounds, and say who agrees with whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, workspace_options
from flyball.clock import parse_duration, parse_time
from flyball.errors import InvalidInput, NotFound
from flyball.principals import machine_user

_TASKS = ("classify", "tags", "accept", "span", "text", "boxes")
_ITEMS = ("row", "text", "image", "audio")
_RULES = ("last", "majority", "consensus")
_FORMATS = ("label-studio", "coco", "csv")


@click.group()
def labels() -> None:
    """Label rows, texts, images and sounds; a queue, agreement, import and export."""


@labels.command("list")
@workspace_options
def list_sets(workspace: Any, as_json: bool) -> None:
    """List the label sets."""
    found = workspace.labels.list(limit=1000)
    if as_json:
        print_json(found)
        return
    rows = []
    for each in found:
        done = workspace.labels.progress(each.name)
        rows.append([each.name, each.task, each.items, done.items, done.done, each.description])
    print_table(["set", "task", "of", "things", "done", "description"], rows)


@labels.command()
@click.argument("name")
@click.option("--task", type=click.Choice(_TASKS), required=True, help="What is asked.")
@click.option("--items", type=click.Choice(_ITEMS), default="row", show_default=True, help="What is labelled.")
@click.option("--class", "classes", multiple=True, help="A class that may be chosen; may be repeated.")
@click.option("--overlap", default=1, show_default=True, help="How many people label each thing.")
@click.option("--rule", type=click.Choice(_RULES), default="majority", show_default=True, help="What counts.")
@click.option("--lease", default="15m", show_default=True, help="How long a thing is kept for the one who got it.")
@click.option("--text", "description", default="", help="What the set is for.")
@click.option("--instructions", default="", help="What those who label should know.")
@workspace_options
def create(workspace: Any, name: str, classes: tuple[str, ...], lease: str, as_json: bool, **given: Any) -> None:
    """Make the label set NAME, or change what is said of it."""
    from flyball.labels.task import LabelSet

    seconds = parse_duration(lease).total_seconds()
    made = workspace.labels.declare(LabelSet(name=name, classes=classes, lease_seconds=seconds, **given))
    print_json(made) if as_json else click.echo(f"Set '{made.name}': {made.task} of {made.items}.")


@labels.command()
@click.argument("name")
@click.argument("dataset")
@click.option("--version", default="latest", show_default=True, help="Snapshot id, or a prefix of it.")
@click.option("--key", default="", help="Column that names a row; by default the dataset's key, else its number.")
@click.option("--column", "columns", multiple=True, help="Show only this column of a row; may be repeated.")
@workspace_options
def add(
    workspace: Any, name: str, dataset: str, version: str, key: str, columns: tuple[str, ...], as_json: bool
) -> None:
    """Add the rows, or the files, of a snapshot of DATASET to the set NAME."""
    from flyball.labels.snapshots import add_all, items_of_snapshot

    label_set = workspace.labels.get(name)
    snapshot = workspace.data.get_snapshot(dataset, version)
    items = items_of_snapshot(workspace.data, workspace.blobs, snapshot, key=key, columns=columns, kind=label_set.items)
    added = add_all(workspace.labels, name, items)
    print_json({"added": added}) if as_json else click.echo(f"{added:,} things are new in '{name}'.")


@labels.command()
@click.argument("name")
@click.option("--by", "orders", multiple=True, metavar="ORDER[=WEIGHT]", help="May be repeated to mix.", required=True)
@click.option("--measure", default="margin", show_default=True, help="Of doubt: margin, entropy or confidence.")
@click.option("--model", default="", help="Model version whose probabilities count, such as late/3 or late@champion.")
@click.option("--seed", default=0, show_default=True, help="For orders that need chance.")
@workspace_options
def order(
    workspace: Any, name: str, orders: tuple[str, ...], measure: Any, model: str, seed: int, as_json: bool
) -> None:
    """Put the queue of the set NAME in order: by uncertainty, disagreement, diversity, random, or a mix."""
    from flyball.labels.queue import order_queue

    weights: Any = {}
    for given in orders:
        kind, _, weight = given.partition("=")
        try:
            weights[kind] = float(weight or 1)
        except ValueError as error:
            raise InvalidInput(f"'{given}' is no weight.", hint="Write it as uncertainty=2.") from error
    known = _probabilities(workspace, name, model) if model else None
    count = order_queue(workspace.labels, name, by=weights, measure=measure, seed=seed, probabilities=known)
    print_json({"ordered": count}) if as_json else click.echo(f"{count:,} things are in order.")


@labels.command("next")
@click.argument("name")
@click.option("--as", "annotator", default="", help="Your name; by default your account's.")
@click.option("--count", default=1, show_default=True, help="How many.")
@workspace_options
def take_next(workspace: Any, name: str, annotator: str, count: int, as_json: bool) -> None:
    """Take what you shall label next of the set NAME; nobody else gets it meanwhile."""
    found = workspace.labels.next(name, annotator or _me(), count)
    if as_json:
        print_json(found)
        return
    rows = [[item.key, _seen(item), item.prediction] for item in found]
    print_table(["thing", "what", "a model says"], rows, empty="Nothing is left for you.")


@labels.command("set")
@click.argument("name")
@click.argument("item")
@click.argument("value")
@click.option("--as", "annotator", default="", help="Your name; by default your account's.")
@click.option("--confidence", type=float, help="How sure you are, from 0 to 1.")
@workspace_options
def set_label(
    workspace: Any, name: str, item: str, value: str, annotator: str, confidence: float | None, as_json: bool
) -> None:
    """Label ITEM of the set NAME: VALUE is a class, yes or no, a text, classes with commas, or JSON of spans or boxes."""
    from flyball.cli.labelling import read_answer

    label_set = workspace.labels.get(name)
    made = workspace.labels.label(name, item, read_answer(label_set, value), annotator or _me(), confidence=confidence)
    print_json(made) if as_json else click.echo(f"Label {made.number}.")


@labels.command()
@click.argument("name")
@click.option("--as", "annotator", default="", help="Your name; by default your account's.")
@workspace_options
def undo(workspace: Any, name: str, annotator: str, as_json: bool) -> None:
    """Take your last label in the set NAME back."""
    item = workspace.labels.undo(name, annotator or _me())
    if as_json:
        print_json(item)
    else:
        click.echo(f"'{item.key}' is to be labelled again." if item else "There is nothing to take back.")


@labels.command()
@click.argument("name")
@click.option("--as", "annotator", default="", help="Your name; by default your account's.")
@workspace_options
def work(workspace: Any, name: str, annotator: str, as_json: bool) -> None:
    """Label the set NAME at the terminal, one thing after the other, by keys."""
    from flyball.cli.labelling import label_at_terminal

    done = label_at_terminal(workspace, name, annotator or _me())
    if as_json:
        print_json({"labels": done})


@labels.command()
@click.argument("name")
@workspace_options
def progress(workspace: Any, name: str, as_json: bool) -> None:
    """Show how far the set NAME is, and who did how much."""
    found = workspace.labels.progress(name)
    if as_json:
        print_json(found)
        return
    print_facts({
        "things": found.items, "done": found.done, "with a label": found.started, "with somebody now": found.leased,
        "skipped": found.skipped, "labels": found.labels,
    })  # fmt: skip
    if found.annotators:
        click.echo()
        print_table(["annotator", "things labelled"], [[who, count] for who, count in found.annotators.items()])


@labels.command()
@click.argument("name")
@click.option("--rule", type=click.Choice(_RULES), help="What counts; by default the set's own rule.")
@click.option("--limit", default=20, show_default=True, help="How many to show.")
@workspace_options
def show(workspace: Any, name: str, rule: Any, limit: int, as_json: bool) -> None:
    """Show what counts as the label of each thing of the set NAME now."""
    found = workspace.labels.current(name, rule, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [[each.item, each.value, each.confidence, each.labels, each.at] for each in found]
    print_table(["thing", "label", "confidence", "labels", "at"], rows, empty="Nothing is labelled yet.")


@labels.command()
@click.argument("name")
@click.option("--item", default="", help="Only of this thing.")
@click.option("--by", "annotator", default="", help="Only by this annotator.")
@click.option("--limit", default=50, show_default=True, help="How many to show.")
@workspace_options
def history(workspace: Any, name: str, item: str, annotator: str, limit: int, as_json: bool) -> None:
    """Show the book of labels of the set NAME: nothing in it is ever overwritten."""
    found = workspace.labels.list_labels(name, item=item, annotator=annotator, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [
        [e.number, e.item, "taken back" if e.value is None else e.value, e.annotator, e.at, e.source] for e in found
    ]
    print_table(["label", "thing", "value", "annotator", "at", "source"], rows)


@labels.command()
@click.argument("name")
@workspace_options
def agreement(workspace: Any, name: str, as_json: bool) -> None:
    """Show how far those who label the set NAME agree, and how often each is probably right."""
    found = workspace.labels.agreement(name)
    if as_json:
        print_json(found)
        return
    print_facts({
        "things with two labels or more": found.items, "annotators": found.annotators, "labels": found.labels,
        "pairs that agree": found.agree, "Fleiss' kappa": found.fleiss, "Krippendorff's alpha": found.alpha,
    })  # fmt: skip
    if found.pairs:
        click.echo()
        rows = [
            [p.first, p.second, p.items, p.agree, p.kappa, "; ".join(f"{a} / {b} ({n})" for a, b, n in p.confusion[:3])]
            for p in found.pairs[:20]
        ]
        print_table(["one", "other", "things", "agree", "Cohen's kappa", "differ most on"], rows)
    if found.items and workspace.labels.get(name).task in ("classify", "accept"):
        click.echo()
        quality = workspace.labels.annotator_quality(name)
        print_table(["annotator", "probably right"], [[who, share] for who, share in quality.items()])


@labels.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format", "kind", type=click.Choice(_FORMATS), help="By default by the file: .csv, COCO or Label Studio."
)
@click.option("--as", "annotator", default="", help="Who labelled, where the file does not say.")
@workspace_options
def import_labels(workspace: Any, name: str, file: Path, kind: str | None, annotator: str, as_json: bool) -> None:
    """Take things and labels of FILE into the set NAME."""
    label_set = workspace.labels.get(name)
    found = _read(file, kind, annotator, label_set)
    pages = range(0, max(len(found.items), len(found.labels)), 5_000)
    items = sum(workspace.labels.add_items(name, list(found.items[p : p + 5_000])) for p in pages)
    added = sum(workspace.labels.add_labels(name, list(found.labels[p : p + 5_000])) for p in pages)
    if as_json:
        print_json({"items": items, "labels": added, "warnings": found.warnings})
        return
    click.echo(f"{items:,} things and {added:,} labels are new.")
    for warning in found.warnings[:20]:
        click.echo(f"  {warning}")


@labels.command("export")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--format", "kind", type=click.Choice(_FORMATS), help="By default csv for a .csv, else label-studio.")
@workspace_options
def export_labels(workspace: Any, name: str, file: Path, kind: str | None, as_json: bool) -> None:
    """Write things and labels of the set NAME to FILE."""
    from flyball.labels.queue import items_of
    from flyball.serialization import to_json

    label_set, items = workspace.labels.get(name), items_of(workspace.labels, name)
    kind = kind or ("csv" if file.suffix == ".csv" else "label-studio")
    if kind == "coco":
        from flyball.labels.formats.coco import write_coco

        current = workspace.labels.current(name, limit=1_000_000)
        written = to_json(write_coco(label_set, items, current, workspace.time.now()))
    else:
        said = _last_labels(workspace, name)
        if kind == "csv":
            from flyball.labels.formats.csv_file import write_csv

            written = write_csv(label_set, items, said).encode()
        else:
            from flyball.labels.formats.label_studio import write_tasks

            written = to_json(write_tasks(label_set, items, said))
    file.write_bytes(written)
    print_json({"file": str(file), "things": len(items)}) if as_json else click.echo(
        f"{len(items):,} things in {file}."
    )


@labels.command()
@click.argument("name")
@workspace_options
def snapshot(workspace: Any, name: str, as_json: bool) -> None:
    """Take a snapshot of the book of labels of the set NAME, as the dataset labels-NAME."""
    from flyball.labels.snapshots import snapshot_labels

    taken = snapshot_labels(workspace.labels, workspace.data, workspace.blobs, name, root=workspace.root)
    print_json(taken) if as_json else click.echo(f"{taken.dataset}/{taken.id[:12]}: {taken.summary}")


@labels.command("from-predictions")
@click.argument("deployment")
@click.option("--set", "name", default="", help="The label set; by default the deployment's name, made if need be.")
@click.option("--below", default=0.8, show_default=True, help="Take predictions less sure than this.")
@click.option("--limit", default=1000, show_default=True, help="At most so many, the least sure.")
@click.option("--since", default="", metavar="TIME", help="Only predictions from then on, or such as 7d.")
@click.option("--class", "classes", multiple=True, help="The classes of a set that is made; may be repeated.")
@workspace_options
def from_predictions(
    workspace: Any, deployment: str, name: str, below: float, limit: int, since: str, classes: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Put predictions of DEPLOYMENT that the model was unsure of into the queue."""
    from flyball.labels.task import LabelSet
    from flyball.monitoring.label_queue import queue_predictions

    workspace.deployments.get(deployment)
    name = name or deployment
    try:
        workspace.labels.get(name)
    except NotFound:
        if not classes:
            raise
        workspace.labels.declare(LabelSet(name=name, task="classify", classes=classes))
    start = _moment(workspace, since) if since else None
    done = queue_predictions(
        workspace.labels, workspace.monitoring, workspace.store, deployment, name, below=below, limit=limit, start=start
    )
    if as_json:
        print_json(done)
    else:
        click.echo(
            f"{done.unsure:,} of {done.looked_at:,} predictions are below {below:g}; {done.added:,} are new in '{name}'."
        )


@labels.command("to-truth")
@click.argument("deployment")
@click.option("--set", "name", default="", help="The label set; by default the deployment's name.")
@workspace_options
def to_truth(workspace: Any, deployment: str, name: str, as_json: bool) -> None:
    """Tell monitoring the labels of predictions of DEPLOYMENT as what turned out to be true."""
    from flyball.monitoring.label_queue import labels_to_truth

    told = labels_to_truth(workspace.labels, workspace.monitoring, deployment, name or deployment)
    print_json({"truths": told}) if as_json else click.echo(f"{told:,} truths are new or changed.")


@labels.command()
@click.argument("name")
@click.option("--off", is_flag=True, help="Let nobody send labels any more.")
@workspace_options
def secret(workspace: Any, name: str, off: bool, as_json: bool) -> None:
    """Make the secret that Label Studio's webhook must send to the set NAME; a former one is of no use any more."""
    import secrets

    made = "" if off else secrets.token_urlsafe(24)
    workspace.labels.set_secret(name, made)
    if as_json:
        print_json({"secret": made, "path": f"/api/labels/{name}/label-studio"})
    elif off:
        click.echo("Nobody may send labels.")
    else:
        print_facts({"address": f"/api/labels/{name}/label-studio", "header": f"X-Flyball-Secret: {made}"})


@labels.command()
@click.argument("name")
@workspace_options
def config(workspace: Any, name: str, as_json: bool) -> None:
    """Print the labelling configuration with which Label Studio asks what the set NAME asks."""
    from flyball.labels.formats.label_studio import config_of

    written = config_of(workspace.labels.get(name))
    print_json({"config": written}) if as_json else click.echo(written)


@labels.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_options
def remove(workspace: Any, name: str, yes: bool, as_json: bool) -> None:
    """Remove the set NAME with all its labels; snapshots of them stay."""
    count = workspace.labels.progress(name).labels
    if not yes:
        click.confirm(f"Remove '{name}' with {count:,} labels?", abort=True)
    workspace.labels.remove(name)
    print_json({"removed": name}) if as_json else click.echo("Removed.")


def _read(file: Path, kind: str | None, annotator: str, label_set: Any) -> Any:
    from flyball.labels.formats.coco import read_coco
    from flyball.labels.formats.csv_file import read_csv
    from flyball.labels.formats.label_studio import read_tasks

    body = file.read_bytes()
    guessed = "csv" if file.suffix == ".csv" else "coco" if body.lstrip()[:1] == b"{" else "label-studio"
    kind = kind or guessed
    if kind == "csv":
        return read_csv(body, label_set, annotator=annotator or "csv")
    return read_coco(body, annotator=annotator or "coco") if kind == "coco" else read_tasks(body, label_set)


def _last_labels(workspace: Any, name: str) -> Sequence[Any]:
    found: list[Any] = []
    while page := workspace.labels.list_labels(
        name, limit=10_000, after=found[-1].number if found else 0, only_last=True
    ):
        found += page
    return found


def _probabilities(workspace: Any, name: str, model: str) -> dict[str, Any]:
    """What a model version says of the things of a set, from what is shown of them."""
    import pyarrow as pa

    from flyball.labels.queue import items_of
    from flyball.models.package import load_model

    items = items_of(workspace.labels, name)
    version = workspace.registry.get_version(model)
    loaded = load_model(version.package, workspace.blobs)
    answer = loaded.predict(pa.Table.from_pylist([item.data for item in items]))
    names = [column for column in ("probabilities", "probability") if column in answer.column_names]
    if not names:
        raise InvalidInput(f"'{model}' gives no probabilities.", hint="Only classifiers do.")
    values = answer[names[0]].to_pylist()
    rows = [value if isinstance(value, list) else [1.0 - value, value] for value in values]
    return {item.key: row for item, row in zip(items, rows, strict=True)}


def _moment(workspace: Any, text: str) -> Any:
    try:
        return workspace.time.now() - parse_duration(text)
    except InvalidInput:
        return parse_time(text)


def _seen(item: Any) -> str:
    text = item.data.get("text")
    return str(text)[:80] if text is not None else ", ".join(f"{k}={v}" for k, v in list(item.data.items())[:6])


def _me() -> str:
    name = machine_user()
    if not name:
        raise InvalidInput("Nobody knows who you are.", hint="Say so with --as.")
    return name
