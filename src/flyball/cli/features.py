"""`flyball features`: feature views, what is served of them, and joins."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from flyball.cli.output import print_facts, print_json, print_table, split_pair, workspace_options
from flyball.errors import InvalidInput


@click.group()
def features() -> None:
    """Feature views: in the catalog, for training, for serving."""


@features.command("list")
@workspace_options
def list_views(workspace: Any, as_json: bool) -> None:
    """List the feature views."""
    found = workspace.features.list(limit=1000)
    if as_json:
        print_json(found)
        return
    rows = [
        [v.name, v.version, _origin(v), v.entity, v.time, v.ttl_seconds, _values(v), v.owner, v.description]
        for v in found
    ]
    print_table(["view", "version", "source", "entity", "time", "ttl (s)", "features", "owner", "description"], rows)


@features.command()
@click.argument("view")
@workspace_options
def show(workspace: Any, view: str, as_json: bool) -> None:
    """Show a view, or one of its versions: weather@2."""
    found = workspace.features.describe(view)
    done = workspace.features.materialization(found.view.label)
    if as_json:
        print_json({"view": found.view, "declared": found.declared, "schema": found.schema, "materialization": done})
        return
    declared = found.view
    columns = [f"{c.name} ({c.storage or c.type})" for c in found.schema.columns] if found.schema else []
    print_facts(
        {
            "view": declared.label + (" (latest)" if found.is_latest else ""), "source": _origin(declared),
            "entity": declared.entity, "time": declared.time, "created": declared.created,
            "ttl (s)": declared.ttl_seconds, "features": _values(declared), "columns": columns, "owner": declared.owner,
            "tags": declared.tags, "tests": [test.check for test in declared.tests],
            "description": declared.description, "declared": found.declared,
            "materialized": done.at if done else None, "newest row": done.newest if done else None,
            "things served": done.keys if done else None,
        }
    )  # fmt: skip


@features.command()
@click.argument("view")
@workspace_options
def history(workspace: Any, view: str, as_json: bool) -> None:
    """List the versions of a view, newest first."""
    found = workspace.features.history(view)
    if as_json:
        print_json(found)
        return
    rows = [
        [one.view.version, one.declared, _origin(one.view), one.view.ttl_seconds, _values(one.view)] for one in found
    ]
    print_table(["version", "declared", "source", "ttl (s)", "features"], rows)


@features.command()
@click.argument("rows", type=click.Path(exists=True, path_type=Path))
@click.argument("views", nargs=-1, required=True)
@click.option(
    "--time", "time_column", required=True, metavar="COLUMN", help="The moment at which features must be known."
)
@click.option("--output", type=click.Path(path_type=Path), help="Parquet or CSV file for the joined rows.")
@workspace_options
def join(
    workspace: Any, rows: Path, views: tuple[str, ...], time_column: str, output: Path | None, as_json: bool
) -> None:
    """Put the features of VIEWS beside the rows of a file, as known at each row's time; says what was found."""
    from flyball.data.snapshot import read_files
    from flyball.data.table import Table
    from flyball.features.join import join_features, join_report

    table = read_files(Path.cwd(), str(rows))
    reader = reader_of(workspace)
    given = [(view, reader.rows(view)) for view in (workspace.features.get(name) for name in views)]
    joined = join_features(table, given, time=time_column)
    report = join_report(table, given, time=time_column)
    if output is not None:
        _write(joined, output)
    if as_json:
        print_json({"report": report, "columns": joined.column_names, "output": str(output or "")})
        return
    click.echo(str(report))
    if output is None:
        shown = Table(joined).arrow.slice(0, 10).to_pylist()
        print_table(joined.column_names, [list(row.values()) for row in shown])
    else:
        click.echo(f"{joined.num_rows:,} rows written to {output}.")


@features.command()
@click.argument("views", nargs=-1)
@click.option("--since", default="", metavar="TIME", help="Only rows that became known at or after this moment.")
@click.option("--rebuild", is_flag=True, help="Look at all rows; remove what is served of things they do not know.")
@workspace_options
def materialize(workspace: Any, views: tuple[str, ...], since: str, rebuild: bool, as_json: bool) -> None:
    """Bring what is served of VIEWS up to date; without a name, of all that the project declares.

    May be stopped anywhere and run again: what is written twice changes nothing.
    """
    from flyball.features.materializing import materialize as bring

    declared = _declare(workspace)
    names = views or tuple(declared) or tuple(view.name for view in workspace.features.list(limit=1000))
    if not names:
        raise InvalidInput("There is no feature view.", hint="Declare one with fb.feature_view(...).")
    reader = reader_of(workspace)
    done = []
    for name in names:
        with _Progress(name, quiet=as_json) as tell:
            done.append(
                bring(
                    name, reader=reader, features=workspace.features, online=workspace.features_online,
                    clock=workspace.time, since=since, rebuild=rebuild, tell=tell,
                )
            )  # fmt: skip
    if as_json:
        print_json(done)
        return
    rows = [
        ["unchanged" if one.unchanged else "served", one.view, one.rows, one.written, one.older, one.later]
        for one in done
    ]
    print_table(["state", "view", "rows read", "written", "older", "still to come"], rows)


@features.command()
@click.argument("names", nargs=-1, required=True, metavar="VIEW_OR_SET... KEY=VALUE...")
@click.option("--at", default="", metavar="TIME", help="As if it were then.")
@workspace_options
def get(workspace: Any, names: tuple[str, ...], at: str, as_json: bool) -> None:
    """Read the features that are served of one thing: flyball features get weather origin=JFK."""
    wanted = [name for name in names if "=" not in name]
    entity = dict(split_pair(text) for text in names if "=" in text)
    if not wanted:
        raise InvalidInput("No view is named.", hint="Write it as: flyball features get weather origin=JFK.")
    answer = workspace.features_online.get(wanted, [_typed(workspace, wanted, entity)], at)
    if as_json:
        print_json({"features": answer.rows[0], "missing": answer.missing[0]})
        return
    print_facts(answer.rows[0])
    for view, why in answer.missing[0].items():
        click.echo(f"{view}: missing, {why}", err=True)


@features.command()
@click.argument("view")
@click.argument("source", default="-")
@workspace_options
def push(workspace: Any, view: str, source: str, as_json: bool) -> None:
    """Push rows to VIEW: a Parquet, CSV or JSON file, or JSON lines from standard input (-).

    They are served at once and train from now on; late rows and corrections count where a join would let them count.
    """
    if source == "-":
        lines = [line for line in sys.stdin if line.strip()]
        report = workspace.features_online.push(view, [_row(number, line) for number, line in enumerate(lines, 1)])
    else:
        from flyball.data.snapshot import read_files
        from flyball.serialization import to_plain

        table = read_files(Path.cwd(), source)
        online = workspace.features_online
        report = (
            online.push(view, to_plain(table.to_pylist())) if workspace.settings.url else online.push_table(view, table)
        )
    if as_json:
        print_json(report)
        return
    click.echo(f"{report.rows:,} rows pushed to {report.view}, {report.written:,} of them are served.")
    for count, why in (
        (report.older, "stand behind what is served"),
        (report.later, "are of a time to come"),
        (report.unusable, "lack a key or a time"),
        (report.waiting, "wait until the store is up: run `flyball features materialize` then"),
    ):
        if count:
            click.echo(f"  {count:,} {why}.")


@features.command()
@click.argument("views", nargs=-1)
@workspace_options
def freshness(workspace: Any, views: tuple[str, ...], as_json: bool) -> None:
    """Say how fresh the served values of VIEWS are; of all by default."""
    names = views or tuple(view.name for view in workspace.features.list(limit=1000))
    found = [workspace.features_online.freshness(name) for name in names]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            f"{one.view}@{one.version}",
            "stale" if one.is_stale else "fresh",
            one.newest,
            one.written,
            one.age_seconds,
            one.ttl_seconds,
        ]
        for one in found
    ]
    print_table(["view", "state", "newest row", "written", "age (s)", "ttl (s)"], rows)


@features.command()
@click.argument("view")
@click.argument("key", nargs=-1, metavar="[KEY=VALUE...]")
@click.option("--served", is_flag=True, help="Only what is served of it; the view stays.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_options
def delete(workspace: Any, view: str, key: tuple[str, ...], served: bool, yes: bool, as_json: bool) -> None:
    """Delete VIEW from the catalog with all that is served of it; with a key, only what is served of that thing."""
    if key:
        entity = _typed(workspace, [view], dict(split_pair(text, "KEY=VALUE") for text in key))
        removed = workspace.features_online.delete(view, [entity])
        words = f"{removed} value{'' if removed == 1 else 's'} removed."
    else:
        label = workspace.features.get(view).label
        if not yes and not as_json:
            click.confirm(f"Nothing of '{label}' will be served any more. Go on?", abort=True)
        workspace.features_online.forget(view)
        if not served:
            workspace.features.delete(label.partition("@")[0])
        removed, words = (
            1,
            f"'{label}' is {'no longer served' if served else 'deleted; its versions stay in the history'}.",
        )
    if as_json:
        print_json({"view": view, "removed": removed})
    else:
        click.echo(words)


@features.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8090, show_default=True, help="Port; 0 for a free one.")
@workspace_options
def serve(workspace: Any, host: str, port: int, as_json: bool) -> None:
    """Serve features over HTTP until Ctrl-C: POST /features, POST /push/VIEW."""
    import socket

    import uvicorn

    from flyball.serving.feature_server import FeatureApp

    if workspace.settings.url:
        raise InvalidInput(
            "A feature server stands beside its store.", hint="Run it without --url, with FLYBALL_ONLINE."
        )
    online = workspace.features_online
    local = workspace.settings.online.startswith(("sqlite:", "lmdb:"))
    app = FeatureApp(online.reader, push=online.push, clock=workspace.time, local=local)
    try:
        listening = socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise InvalidInput(f"{host}:{port} cannot be bound: {error.strerror}.", hint="Choose another port.") from error
    address = f"http://{host}:{listening.getsockname()[1]}"
    if as_json:
        print_json({"url": address})
        sys.stdout.flush()
    else:
        click.echo(f"Features are served at {address}/features, Ctrl-C stops it.")
    with listening:
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listening])


class _Progress:
    """A bar on a terminal for one view."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        self._name = name
        self._shown = not quiet and sys.stderr.isatty()

    def __enter__(self) -> Callable[[int, int], None]:
        return self._tell

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\033[K")

    def _tell(self, done: int, whole: int) -> None:
        if self._shown:
            filled = 30 * done // max(1, whole)
            sys.stderr.write(f"\r{self._name} [{'#' * filled}{'.' * (30 - filled)}] {done:,} of {whole:,}")
            sys.stderr.flush()


def with_features(workspace: Any, rows: Any, names: Sequence[str], time: str) -> Any:
    """Rows with the features of views beside them, as known at each row's time, and of on-demand features of the project.

    Args:
        names: Of views, `weather` or `weather@2`, and of on-demand features. A view that was never applied is taken from the
            project.
    """
    from flyball.features.training import join_for_training

    own = {item.name: item for item in declarations_of(workspace) if hasattr(item, "name")}
    members = [_member(workspace, name, own) for name in names]
    reader = reader_of(workspace)
    return join_for_training(rows, members, time=time, reader=reader, catalog=workspace.features)[0]


def _member(workspace: Any, name: str, own: Mapping[str, object]) -> Any:
    from flyball.errors import NotFound
    from flyball.features.definition import FeatureView, PythonView
    from flyball.features.functions import OnDemand

    declared = own.get(name)
    if isinstance(declared, OnDemand):
        return declared
    try:
        workspace.features.get(name)
    except NotFound:
        if isinstance(declared, FeatureView | PythonView):
            return declared
        raise
    return name


def reader_of(workspace: Any) -> Any:
    """What reads the rows of any view here."""
    from flyball.features.definition import PythonView
    from flyball.features.material import Reader

    found = [item for item in declarations_of(workspace) if isinstance(item, PythonView)]
    return Reader(
        data=workspace.data, features=workspace.features, blobs=workspace.blobs, root=workspace.settings.root,
        cache=workspace.cache, functions={item.name: item for item in found},
    )  # fmt: skip


def _declare(workspace: Any) -> list[str]:
    """The names of the views of the project, each declared as it stands there now."""
    from flyball.features.views import views_among

    return [workspace.features.declare(view).name for view in views_among(declarations_of(workspace))]


def declarations_of(workspace: Any) -> list[object]:
    """What the project declares; nothing where there is no project."""
    from flyball.pipelines.code_snapshot import load_project

    settings = workspace.settings
    if not (settings.root / settings.module).is_file():
        return []
    return list(load_project(settings.root, settings.module).declarations)


def _typed(workspace: Any, names: list[str], entity: dict[str, str]) -> dict[str, Any]:
    """Keys given as text, in the types of the views."""
    types = {}
    for planned in workspace.features.plan_of(names).views:
        types.update({column.name: column.type for column in planned.schema.columns})
    return {name: _value(name, text, types.get(name, "")) for name, text in entity.items()}


def _value(name: str, text: str, kind: str) -> Any:
    if kind in ("string", "date", "timestamp", "binary"):
        return text
    if kind == "bool":
        return text.lower() in ("true", "yes", "1")
    try:
        return json.loads(text)
    except ValueError as error:
        if kind:
            raise InvalidInput(f"'{text}' is not {kind}, as '{name}' is.") from error
        return text  # an input of an on-demand feature, of which no view knows the type


def _row(number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidInput(f"Line {number} is no JSON: {error}.") from error
    if not isinstance(row, dict):
        raise InvalidInput(f"Line {number} is no JSON object.", hint='Write it as {"origin": "JFK", ...}.')
    return row


def _write(table: Any, output: Path) -> None:
    if output.suffix.lower() == ".csv":
        import pyarrow.csv as pcsv

        pcsv.write_csv(table, output)
    else:
        import pyarrow.parquet as pq

        pq.write_table(table, output)


def _origin(view: Any) -> str:
    if view.function:
        return str(view.function)
    if view.query:
        return f"SQL on {view.source}" if view.source else "SQL"
    return view.source or "pushed"


def _values(view: Any) -> object:
    return [made.name for made in view.windows] or view.columns or "all"


@features.command()
@click.argument("view")
@click.option("--limit", default=20, show_default=True, help="How many things to show.")
@click.option("--column", default="", help="Only rows that have --contains in this column.")
@click.option("--contains", default="", help="A text, whatever its case.")
@click.option("--statistics", is_flag=True, help="How the values are spread, instead of the values.")
@workspace_options
def values(
    workspace: Any, view: str, limit: int, column: str, contains: str, statistics: bool, as_json: bool
) -> None:  # fmt: skip
    """Show what is served of VIEW now, personal data masked."""
    if statistics:
        profile = workspace.features_online.statistics(view)
        if as_json:
            print_json(profile)
            return
        rows = [[c.column, c.type, c.missing, c.distinct, c.minimum, c.mean, c.maximum] for c in profile.columns]
        print_table(["column", "type", "missing", "distinct", "least", "mean", "most"], rows)
        return
    found = workspace.features_online.values(view, limit, column, contains)
    if as_json:
        print_json(found)
        return
    print_table([each.name for each in found.columns], found.rows, empty="Nothing is served.")
    click.echo(f"{found.total:,} rows", err=True)
