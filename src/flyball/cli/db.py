"""`flyball db`: the metadata database."""

from __future__ import annotations

import click

from flyball.cli.output import print_facts, print_json
from flyball.settings import load_settings


@click.group()
def db() -> None:
    """The metadata database: state, upgrade, downgrade."""


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def show(as_json: bool) -> None:
    """Show where the database stands, and what this release needs."""
    from flyball.storage.database import Database
    from flyball.storage.upgrades import HEAD, revision

    database = Database(load_settings().database)
    facts = {
        "database": database.url.render_as_string(hide_password=True),
        "revision": revision(database),
        "needed": HEAD,
    }
    database.close()
    print_json(facts) if as_json else print_facts(facts)


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def upgrade(as_json: bool) -> None:
    """Bring the database to the tables of this release. Back it up first."""
    from flyball.storage.database import Database
    from flyball.storage.upgrades import HEAD
    from flyball.storage.upgrades import upgrade as bring_up

    database = Database(load_settings().database)
    before = bring_up(database)
    database.close()
    if as_json:
        print_json({"before": before, "now": HEAD})
    else:
        click.echo(f"The database was at {before or 'nothing'} and is at {HEAD}.")


@db.command()
@click.argument("revision")
@click.confirmation_option(prompt="What only later tables could hold will be lost. Go on?")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def downgrade(revision: str, as_json: bool) -> None:
    """Take the database back to REVISION, for an earlier release. Back it up first."""
    from flyball.storage.database import Database
    from flyball.storage.upgrades import downgrade as take_back

    database = Database(load_settings().database)
    before = take_back(database, revision)
    database.close()
    if as_json:
        print_json({"before": before, "now": revision})
    else:
        click.echo(f"The database was at {before} and is at {revision}.")
