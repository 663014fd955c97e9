"""`flyball up`: everything on this machine."""

from __future__ import annotations

import os
import signal
import sys
import threading

import click

from flyball.access.local import local_token
from flyball.cli.output import print_json
from flyball.settings import load_settings


@click.command()
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option(
    "--port", type=int, help="Port of the server; the model server takes the next one (default 8080; 0 for free ones)."
)
@click.option("--workspace", "workspace_folder", metavar="DIR", help="Folder of the workspace (default .flyball).")
@click.option("--with-parent", is_flag=True, help="Stop when standard input closes: for programs that start it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def up(host: str | None, port: int | None, workspace_folder: str | None, with_parent: bool, as_json: bool) -> None:
    """Run server, controller, workers and model server on this machine, until Ctrl-C.

    A part that ends is started again; after a kill -9 the next `flyball up` goes on where the last one was.
    """
    from flyball.server.up import Up

    settings = load_settings({"host": host, "port": port, "workspace": workspace_folder})
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if with_parent:
        threading.Thread(target=_follow_parent, args=(stop,), name="parent", daemon=True).start()
    with Up(settings, say=lambda words: click.echo(words, err=True)) as running:
        if as_json:
            facts = {"url": running.url, "model_url": running.model_url, "workspace": str(settings.workspace)}
            print_json({**facts, "page": running.link})
        else:
            click.echo(f"Flyball is up at {running.url}")
            once = " (good once, for an hour; `flyball open` gives another)" if settings.auth == "local" else ""
            click.echo(f"  page {running.link}{once}", err=True)
            if settings.auth == "local" and not sys.platform.startswith("linux"):
                token = local_token(settings.workspace)
                click.echo(f"  other programs show the token, MLflow's as MLFLOW_TRACKING_TOKEN={token}", err=True)
            click.echo(
                f"  workspace {settings.workspace}, models answer at {running.model_url}, Ctrl-C stops it.", err=True
            )
        running.watch(stop.is_set)
    click.echo("Stopped.", err=True)


def _follow_parent(stop: threading.Event) -> None:
    # The parent holds the other end; when it dies, however it dies, the end closes.
    while os.read(0, 1):
        pass
    stop.set()
