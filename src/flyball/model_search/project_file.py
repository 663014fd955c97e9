"""The winner of a search as an ordinary project file: what a person would have written, and owns from then on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from flyball.data.dataset import Dataset
from flyball.model_search.folds import HELD
from flyball.model_search.parts import code_of, imports_of, names_of
from flyball.model_search.search import Candidate, Search
from flyball.model_search.setting_up import Setting
from flyball.model_search.trial import TrialTask, code_part, input_names
from flyball.version import __version__

_WIDTH = 116
_WORDS = {
    "hist_gradient_boosting": "gradient boosting of scikit-learn",
    "linear": "a linear model",
    "lightgbm": "gradient boosting of LightGBM",
    "xgboost": "gradient boosting of XGBoost",
    "catboost": "gradient boosting of CatBoost",
    "extra_trees": "extremely randomised trees",
    "baseline": "the baseline",
    "blend": "a blend of several models",
    "stack": "a stack of several models",
}
_KINDS = {
    "CATEGORIES": "of few values",
    "MANY": "of many values: each stands for what the label is worth there",
    "MOMENTS": "times and dates",
    "TEXTS": "what people wrote",
    "NUMBERS": "numbers",
}


def project_file(
    search: Search, setting: Setting, winner: Candidate, task: TrialTask, baseline: float | None, tried: int
) -> str:
    """The text of a project file whose pipeline learns the winner again, from the same rows in the same way.

    Args:
        task: The trial that learned the winner from all rows but those held out.
        baseline: The metric of the baseline on the rows held out.
        tried: How many candidates there were.
    """
    part = code_part(task)
    inputs = names_of(part)
    modules = imports_of(part)
    body, more = _dividing(setting, search)
    for module, names in more.items():
        modules.setdefault(module, set()).update(names)
    pieces = [
        _heading(search, setting, winner, baseline, tried),
        _imports(modules),
        _dataset(setting),
        _columns(inputs, setting, search),
        body,
        _train(code_of(part, 4, len("    model = ")), winner),
        _pipeline(search, setting),
    ]
    return "\n".join(piece for piece in pieces if piece).rstrip() + "\n"


def variable(name: str) -> str:
    """A name as Python takes it, such as `late_flights` for `late-flights`."""
    found = re.sub(r"\W+", "_", name).strip("_").lower() or "data"
    return f"data_{found}" if found[0].isdigit() else found


def pipeline_name(search: str) -> str:
    """The name of the pipeline in the file of a search."""
    return variable(search)


def _heading(search: Search, setting: Setting, winner: Candidate, baseline: float | None, tried: int) -> str:
    metric = setting.judge.metric
    told = f"{metric} is {winner.score:.4f} over the folds" if winner.score is not None else ""
    held = f", and {winner.holdout:.4f} on rows that the search never saw" if winner.holdout is not None else ""
    base = f"; the baseline comes to {baseline:.4f} there" if baseline is not None else ""
    notes = "".join(f"\n- {note}" for note in setting.notes)
    lines = [
        f'"""Predicts `{search.wanted.label}` of `{search.wanted.dataset}` by {_WORDS.get(winner.family, winner.family)}.',
        "",
        f"Written by flyball {__version__}: the best of {tried} candidates of the search '{search.name}'.",
        f"Its {told}{held}{base}.",
        "The file is yours: change what you like.",
        *([f"\nWhat was found in the table:\n{notes}"] if notes else []),
        '"""',
        "",
    ]
    return "\n".join(lines).replace("\\", "\\\\")


def _imports(modules: dict[str, set[str]]) -> str:
    plain = sorted(
        f"import {module} as {name}" for module, names in modules.items() for name in names if module == "numpy"
    )
    whole = sorted(module for module, names in modules.items() if names == {"*"})
    lines = plain + [f"import {module} as pc" for module in whole]
    own: list[str] = []
    for module, names in sorted(modules.items()):
        if module == "numpy" or names == {"*"}:
            continue
        line = f"from {module} import {', '.join(sorted(names))}"
        (own if module.startswith("flyball") else lines).append(line)
    shown = "\n".join(lines)
    return f"{shown}\n\nimport flyball as fb\n" + "".join(f"{line}\n" for line in own)


def _dataset(setting: Setting) -> str:
    dataset: Dataset = setting.dataset
    given = [f'"{dataset.name}"']
    if dataset.source:
        given.append(f'"{dataset.source}"')
    roles = {"query": dataset.query, "key": dataset.key, "label": dataset.label, "label_time": dataset.label_time}
    if setting.problem.task != "forecasting":
        roles["time"] = dataset.time
    given += [f"{role}={code_of(value)}" for role, value in roles.items() if value]
    return f"{variable(dataset.name)} = fb.dataset({', '.join(given)})\n"


def _columns(inputs: dict[str, Any], setting: Setting, search: Search) -> str:
    lines = []
    for name, why in _KINDS.items():
        if name in inputs:
            lines += [f"# {why[0].upper()}{why[1:]}.", f"{name} = {_listed(inputs[name], len(name) + 3)}"]
    names = [name for name in _KINDS if name in inputs]
    if setting.problem.task == "forecasting":
        first = code_of(list(dict.fromkeys([search.wanted.time, *search.wanted.groups])))
        lines.append(f"INPUTS = [*{first}{''.join(f', *{name}' for name in names)}]" if names else f"INPUTS = {first}")
    elif not names:  # the baseline looks at nothing; it is given the columns all the same
        lines.append(f"INPUTS = {_listed(input_names(setting.problem), 9)}")
    else:
        lines.append(f"INPUTS = [{', '.join(f'*{name}' for name in names)}]")
    return "\n".join(lines) + "\n"


def _listed(values: Iterable[str], before: int) -> str:
    flat = code_of(list(values), 0, before)
    if "\n" not in flat:
        return flat
    lines, line = [], "   "
    for value in values:
        item = f" {code_of(value)},"
        if len(line) + len(item) > _WIDTH:
            lines.append(line)
            line = "   "
        line += item
    return "[\n" + "\n".join([*lines, line]) + "\n]"


def _dividing(setting: Setting, search: Search) -> tuple[str, dict[str, set[str]]]:
    """The step that divides the rows as the search did, and what it imports."""
    plan, label = setting.plan, search.wanted.label
    if plan.task == "forecasting":
        body = f'''    """All but the last {plan.horizon} moments to learn from, and these to be judged on.

    A forecaster reads the time itself, so the time is no role here but a column like the others.
    """
    moments = rows.column("{plan.time}")
    last = moments.unique().sort()[-{plan.horizon}]
    past, recent = rows.filter(pc.less(moments, last)), rows.filter(pc.greater_equal(moments, last))
    return fb.Table(past, label="{label}"), fb.Table(recent, label="{label}")'''
        needs = {"pyarrow.compute": {"*"}}
    elif plan.time and setting.dataset.time == plan.time:
        return "", {}  # fb.split does it
    elif plan.groups:
        shown = ", ".join(f'rows.column("{name}").cast("string").fill_null("")' for name in plan.groups)
        joined = shown if len(plan.groups) == 1 else f'pc.binary_join_element_wise({shown}, " ")'
        body = f'''    """Four fifths of the groups to learn from, and the others, which it has never seen, to be judged on."""
    names, places = np.unique({joined}.to_pylist(), return_inverse=True)
    held = (np.random.default_rng({plan.seed}).random(len(names)) < {HELD})[places]
    return rows.filter(~held), rows.filter(held)'''
        needs = {"numpy": {"np"}} | ({"pyarrow.compute": {"*"}} if len(plan.groups) > 1 else {})
    else:
        body = f'''    """Four rows of five to learn from, and the fifth to be judged on."""
    held = np.random.default_rng({plan.seed}).random(len(rows)) < {HELD}
    return rows.filter(~held), rows.filter(held)'''
        needs = {"numpy": {"np"}}
    return f"\n@fb.step\ndef divide(rows: fb.Table) -> tuple[fb.Table, fb.Table]:\n{body}\n", needs


def _train(code: str, winner: Candidate) -> str:
    words = _WORDS.get(winner.family, winner.family)
    return f'''
@fb.step
def train(rows: fb.Table) -> fb.Model:
    """{words[0].upper()}{words[1:]}."""
    x, y = rows.to_pandas()[INPUTS], rows.xy()[1]
    model = {code}
    return model.fit(x, y)
'''


def _pipeline(search: Search, setting: Setting) -> str:
    name, dataset = pipeline_name(search.name), variable(setting.dataset.name)
    by_time = setting.plan.time and setting.plan.task != "forecasting"
    divided = 'fb.split(rows, holdout="20%")' if by_time else "divide(rows)"
    metrics = list(dict.fromkeys([setting.judge.metric, *_usual(setting)]))
    return f'''
@fb.pipeline
def {name if name != dataset else f"{name}_model"}():
    """Learns from all rows but those held out, which judge the result."""
    rows = fb.training_set({dataset})
    past, recent = {divided}
    model = train(past)
    scored = fb.evaluate(model, recent, metrics={code_of(metrics)})
    return fb.register("{search.name}", model, scored, reference=past)
'''


def _usual(setting: Setting) -> list[str]:
    if setting.problem.task != "classification":
        return ["rmse", "mae", "r2"]
    return ["roc_auc", "log_loss", "accuracy"] if setting.problem.classes == 2 else ["log_loss", "accuracy"]
