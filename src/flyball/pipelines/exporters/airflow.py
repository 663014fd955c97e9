"""Airflow: a file with a DAG of `BashOperator`s, for workers that have Flyball and the project."""

from __future__ import annotations

import shlex

from flyball.pipelines.exporters.base import Exporter, ExportSettings, label, longest, task_name, words
from flyball.pipelines.plan import Plan, PlannedStep

_HEAD = '''"""Pipeline {pipeline}, written by `flyball export pipeline {pipeline} --to airflow`."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2
    from airflow.operators.bash import BashOperator

with DAG(
    {name!r},
    schedule={schedule!r},
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={params!r},
    # By the environment, so that no shell reads what somebody gives for a parameter.
    default_args={{"env": {environment!r}, "append_env": True}},
    tags=["flyball"],
) as dag:
'''


class Airflow:
    """A task a step, and one that ends the run whatever became of the others."""

    needs_image = False

    def write(self, plan: Plan, settings: ExportSettings) -> str:
        """The file with the DAG."""
        text = _HEAD.format(
            pipeline=plan.pipeline, name=label(plan.pipeline), schedule=settings.schedule or None, params=dict(plan.params),
            environment={
                "FLYBALL_URL": settings.url,
                # What Airflow calls a run holds characters that no id of ours has.
                "FLYBALL_RUN": "{{ dag_run.run_id | replace('+', '-') | replace(':', '-') | replace('.', '-') }}",
                **{f"FLYBALL_PARAM_{name}": f"{{{{ params[{name!r}] }}}}" for name in plan.params},
            },
        )  # fmt: skip
        names = {step.name: f"step_{place}" for place, step in enumerate(plan.steps, 1)}
        lines = [f"    {names[step.name]} = {_operator(plan, step)}" for step in plan.steps]
        last = task_name(plan, None)
        lines.append(f"    {last} = {_operator(plan, None)}")
        for step in plan.steps:
            lines += [f"    {names[each]} >> {names[step.name]}" for each in step.after]
            lines.append(f"    {names[step.name]} >> {last}")
        return text + "\n".join(lines) + "\n"


def _operator(plan: Plan, step: PlannedStep | None) -> str:
    asked = words(plan, step, run="$FLYBALL_RUN", param="$FLYBALL_PARAM_{}")
    # What begins with a dollar is put in by the shell, as one word.
    command = " ".join(f'"{word}"' if "$FLYBALL_" in word else shlex.quote(word) for word in asked)
    parts = [f"task_id={task_name(plan, step)!r}", f"bash_command={command!r}"]
    if longest(step):
        parts.append(f"execution_timeout=timedelta(seconds={longest(step)})")
    if step is None and plan.steps:
        parts.append('trigger_rule="all_done"')
    return f"BashOperator({', '.join(parts)})"


plugin: Exporter = Airflow()
