"""The table of commands: name, where it stands, what it does. `flyball --help` reads it and imports nothing else."""

from __future__ import annotations

COMMANDS = {
    "init": ("flyball.cli.init:init", "Start a project in a folder."),
    "run": ("flyball.cli.run:run", "Run a pipeline of the project."),
    "backfill": ("flyball.cli.backfill:backfill", "Run a pipeline over a stretch of time, window by window."),
    "errands": ("flyball.cli.errands:errands", "Work for the workers: run again, back-fill, pause, resume, cancel."),
    "run-step": ("flyball.cli.run:run_step", "Run one step of a run that another system drives."),
    "tune": ("flyball.cli.tune:tune", "Search the params with which a pipeline does best."),
    "studies": ("flyball.cli.tune:studies", "Searches for the best params, and their trials."),
    "automl": ("flyball.cli.automl:automl", "Search the model that predicts a column best."),
    "searches": ("flyball.cli.automl:searches", "Searches for the best model, their leaderboards and files."),
    "test": ("flyball.cli.test:test", "Run the project's tests of code, data, features, pipelines and models."),
    "apply": ("flyball.cli.apply:apply", "Hand the project's loops to the workspace."),
    "up": ("flyball.cli.up:up", "Run server, controller, workers and model server on this machine."),
    "open": ("flyball.cli.login:open_page", "Print a link that opens the page of the workspace's server."),
    "login": ("flyball.cli.login:login", "Log in to a server, and keep the token."),
    "logout": ("flyball.cli.login:logout", "Log out of a server: revoke its token and forget it."),
    "whoami": ("flyball.cli.login:whoami", "Who you are to the workspace, and what you may do."),
    "users": ("flyball.cli.accounts:users", "People: add, list, change, remove; passwords."),
    "service-accounts": ("flyball.cli.accounts:service_accounts", "Programs with an account of their own."),
    "tokens": ("flyball.cli.accounts:tokens", "Tokens: create, list, revoke."),
    "groups": ("flyball.cli.accounts:groups", "Groups of accounts."),
    "members": ("flyball.cli.accounts:members", "Members of a project and their roles."),
    "predict": ("flyball.cli.predict:predict", "Score a file with a model version or a deployment."),
    "replay": ("flyball.cli.replay:replay", "Send history through a deployment as live traffic, in virtual time."),
    "clock": ("flyball.cli.clock:clock", "The workspace's time; moves it on where it is virtual."),
    "reproduce": (
        "flyball.cli.reproduce:reproduce",
        "Train a version again and prove that the same model comes of it.",
    ),
    "trace": ("flyball.cli.trace:trace", "Follow a prediction back to model, run, code and data."),
    "data": ("flyball.cli.data:data", "Datasets and snapshots."),
    "catalog": ("flyball.cli.catalog:catalog", "Find and describe data and what is made of it; lineage; access."),
    "labels": ("flyball.cli.labels:labels", "Label rows, texts, images; queue, agreement, import and export."),
    "features": ("flyball.cli.features:features", "Feature views."),
    "runs": ("flyball.cli.runs:runs", "Runs, their metrics, artifacts and logs."),
    "experiments": ("flyball.cli.experiments:experiments", "Experiments: list, show, create, rename, delete."),
    "traces": ("flyball.cli.traces:traces", "Traces of applications: list, show as a tree of spans, delete."),
    "sync": ("flyball.cli.sync:sync", "Send what runs logged and could not send."),
    "models": ("flyball.cli.models:models", "Models, versions, aliases, gates."),
    "deployments": ("flyball.cli.deployments:deployments", "What is served: revisions, rollouts, rollback."),
    "image": ("flyball.cli.image:image", "Container images, built without Docker: build, push, verify."),
    "loops": ("flyball.cli.loops:loops", "Loops: state, history, why, pause, trigger."),
    "evidence": (
        "flyball.cli.evidence:evidence",
        "Documents that auditors ask for, filled from facts; signed bundles.",
    ),
    "privacy": ("flyball.cli.privacy:privacy", "Personal data along the lineage; retention."),
    "policies": ("flyball.cli.policies:policies", "Policies as code: list them, ask them."),
    "secrets": ("flyball.cli.secrets:secrets", "Secrets: set, list names, delete; never shown again."),
    "cost": ("flyball.cli.cost:cost", "What work took and what that costs; prices; budgets."),
    "maturity": ("flyball.cli.maturity:maturity", "How ready loops are: level, ML Test Score, next step."),
    "monitor": ("flyball.cli.monitor:monitor", "Windows of predictions: drift, quality, performance; ground truth."),
    "alerts": ("flyball.cli.alerts:alerts", "Alerts: list, acknowledge, resolve."),
    "audit": ("flyball.cli.audit:audit", "The audit log: who did what; proof; export."),
    "events": ("flyball.cli.events:events", "The event log."),
    "openlineage": ("flyball.cli.openlineage:openlineage", "Lineage events: tell other tools, and learn from them."),
    "import": ("flyball.cli.import_:import_", "Copy what another system holds into the workspace."),
    "export": ("flyball.cli.import_:export", "Copy what the workspace holds to another system."),
    "projects": ("flyball.cli.projects:projects", "Projects of a workspace: make, list, archive, delete."),
    "search": ("flyball.cli.projects:search", "Find what has a name, in all projects that you may enter."),
    "plugins": ("flyball.cli.plugins:plugins", "The plug-ins of each kind."),
    "backup": ("flyball.cli.backup:backup", "Copies of the workspace: create, list, verify, restore, prune."),
    "doctor": ("flyball.cli.doctor:doctor", "What may be wrong with settings, disk, database, store; and the mend."),
    "db": ("flyball.cli.db:db", "The metadata database: state and upgrade."),
    "demo": ("flyball.cli.demo:demo", "A year of flights round the whole loop, on real data."),
}


def help_text() -> str:
    """What `flyball --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(
        [
            "Usage: flyball [--version] [--help] [--project NAME] COMMAND [ARGS]...",
            "",
            "  Takes a model round the whole loop, and keeps taking it round.",
            "",
            "Commands:",
            *lines,
            "",
            "`flyball COMMAND --help` tells more. Every command takes --json for programs.",
            "",
        ]
    )
