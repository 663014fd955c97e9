"""Label Studio's JSON: tasks with their annotations and predictions, and what its webhooks send.

Taken are the results `choices`, `labels` (spans of text), `rectanglelabels` and `textarea`. Rectangles there are in percent of
the image; here in pixels, so an image's width and height are kept beside it (`width` and `height`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flyball.clock import parse_time
from flyball.errors import InvalidInput
from flyball.labels.formats.exchange import Exchange
from flyball.labels.task import Item, Label, LabelSet, NewItem, NewLabel
from flyball.serialization import from_json

SOURCE = "label-studio"
_NAMES = {"classify": "choices", "tags": "choices", "accept": "choices", "span": "labels", "text": "textarea"}
_TAGS = {"row": "text", "text": "text", "image": "image", "audio": "audio"}
_YES, _NO = "accept", "reject"
Json = dict[str, Any]


def read_tasks(text: bytes | str, label_set: LabelSet) -> Exchange:
    """The things and labels of an export (`JSON`), or of tasks that are written for an import.

    Raises:
        InvalidInput: it is no list of tasks, or a result does not fit the set's task.
    """
    tasks = from_json(text, object)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise InvalidInput("This is no export of Label Studio.", hint="It is a JSON list of tasks.")
    items, labels = [], []
    for place, task in enumerate(tasks):
        item = read_task(task, place)
        sized = _sized(item, task)
        items.append(sized)
        labels += [
            label
            for annotation in _dicts(task.get("annotations"))
            if (label := read_annotation(annotation, sized, label_set)) is not None
        ]
    found = (each for label in labels for each in _classes_in(label.value))
    return Exchange(items=tuple(items), labels=tuple(labels), classes=tuple(dict.fromkeys(found)))


def read_task(task: Mapping[str, Any], place: int = 0) -> NewItem:
    """One task as a thing to be labelled. Its key is what we called it when we sent it, else its id."""
    data = task.get("data")
    if not isinstance(data, dict):
        raise InvalidInput(f"Task {place + 1} has no 'data'.", hint="See Label Studio's format of tasks.")
    key = data.get("flyball_key") or task.get("id") or place + 1
    shown = {name: value for name, value in data.items() if name != "flyball_key"}
    predictions = _dicts(task.get("predictions"))
    prediction: Json = {}
    if predictions:
        score, results = predictions[-1].get("score"), _dicts(predictions[-1].get("result"))
        choices = [choice for result in results for choice in _value(result).get("choices", ())]
        prediction = {"value": choices[0]} if len(choices) == 1 else {}
        prediction |= {"confidence": float(score)} if isinstance(score, int | float) else {}
    return NewItem(key=str(key), data=shown, prediction=prediction, source=SOURCE)


def read_annotation(annotation: Mapping[str, Any], item: NewItem, label_set: LabelSet) -> NewLabel | None:
    """One annotation as a label; None for one that was cancelled (skipped).

    Raises:
        InvalidInput: its result does not fit the set's task.
    """
    if annotation.get("was_cancelled"):
        return None
    value = _read_result(_dicts(annotation.get("result")), item, label_set)
    id_ = annotation.get("id")
    at = annotation.get("updated_at") or annotation.get("created_at")
    return NewLabel(
        item=item.key,
        value=value,
        annotator=_who(annotation.get("completed_by")),
        source=SOURCE,
        origin=f"{SOURCE}:{id_}" if id_ is not None else "",
        at=parse_time(at) if isinstance(at, str | datetime) else None,
    )


def write_tasks(label_set: LabelSet, items: Iterable[Item], labels: Iterable[Label]) -> list[Json]:
    """The tasks with annotations and predictions, as Label Studio exports and imports them."""
    by_item: dict[str, list[Label]] = {}
    for label in labels:
        by_item.setdefault(label.item, []).append(label)
    return [
        {
            "id": item.order,
            "data": {**item.data, "flyball_key": item.key},
            "annotations": [
                {
                    "id": label.number,
                    "completed_by": {"email": label.annotator},
                    "created_at": label.at.isoformat(),
                    "was_cancelled": False,
                    "result": _write_result(label.value, item, label_set),
                }
                for label in by_item.get(item.key, ())
            ],
            "predictions": _write_prediction(item, label_set),
        }
        for item in items
    ]


def config_of(label_set: LabelSet) -> str:
    """The labelling configuration (XML) with which a project of Label Studio asks what the set asks."""
    from xml.sax.saxutils import quoteattr

    tag = {"row": "Text", "text": "Text", "image": "Image", "audio": "Audio"}[label_set.items]
    source = _TAGS[label_set.items]
    shown = f'<{tag} name="{source}" value="${source}"/>'
    names = (_YES, _NO) if label_set.task == "accept" else label_set.classes
    kind, part = {
        "classify": ('Choices choice="single"', "Choice"), "accept": ('Choices choice="single"', "Choice"),
        "tags": ('Choices choice="multiple"', "Choice"), "span": ("Labels", "Label"),
        "boxes": ("RectangleLabels", "Label"), "text": ("TextArea", ""),
    }[label_set.task]  # fmt: skip
    parts = "".join(f"<{part} value={quoteattr(name)}/>" for name in names) if part else ""
    return f'<View>{shown}<{kind} name="label" toName="{source}">{parts}</{kind.split()[0]}></View>'


def _read_result(results: Sequence[Json], item: NewItem, label_set: LabelSet) -> Any:
    task = label_set.task
    if task in ("classify", "tags", "accept"):
        choices = [str(choice) for result in results for choice in _value(result).get("choices", ())]
        if task == "tags":
            return choices
        if len(choices) != 1:
            raise InvalidInput(f"'{item.key}' has {len(choices)} choices; the task '{task}' takes one.")
        return choices[0] == _YES if task == "accept" and choices[0] in (_YES, _NO) else choices[0]
    if task == "text":
        return "\n".join(str(text) for result in results for text in _texts(_value(result).get("text")))
    return [part for result in results if (part := _part(result, item, task)) is not None]


def _part(result: Json, item: NewItem, task: str) -> Json | None:
    value = _value(result)
    if task == "span":
        names = value.get("labels")
        if not names or "start" not in value:
            return None
        span = {"start": value["start"], "end": value.get("end"), "label": names[0]}
        return span | ({"text": value["text"]} if isinstance(value.get("text"), str) else {})
    names = value.get("rectanglelabels")
    if not names:
        return None
    width, height = _size_of(result, item)
    try:
        sides = {"x": width, "y": height, "width": width, "height": height}
        return {side: float(value[side]) * whole / 100.0 for side, whole in sides.items()} | {"label": names[0]}
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"A rectangle of '{item.key}' has no usable sides.") from error


def _write_result(value: Any, item: Item, label_set: LabelSet) -> list[Json]:
    task = label_set.task
    base = {"from_name": "label", "to_name": _TAGS[label_set.items]}
    if task == "span":
        return [
            {**base, "type": "labels", "value": {
                "start": span["start"], "end": span["end"], "labels": [span["label"]],
                **({"text": span["text"]} if "text" in span else {}),
            }}
            for span in value
        ]  # fmt: skip
    if task == "boxes":
        width, height = _size_of({}, item)
        sides = {"x": width, "y": height, "width": width, "height": height}
        return [
            {**base, "type": "rectanglelabels", "original_width": width, "original_height": height, "value": {
                **{side: box[side] * 100.0 / whole for side, whole in sides.items()},
                "rotation": 0, "rectanglelabels": [box["label"]],
            }}
            for box in value
        ]  # fmt: skip
    name = _NAMES[task]
    if task == "text":
        return [{**base, "type": name, "value": {"text": [value]}}]
    choices = value if task == "tags" else [(_YES if value else _NO) if task == "accept" else value]
    return [{**base, "type": name, "value": {"choices": list(choices)}}]


def _write_prediction(item: Item, label_set: LabelSet) -> list[Json]:
    if label_set.task != "classify":
        return []
    numbers = {k: v for k, v in item.prediction.items() if k in label_set.classes and isinstance(v, int | float)}
    value = item.prediction.get("value") or (max(numbers, key=lambda key: numbers[key]) if numbers else None)
    if value not in label_set.classes:
        return []
    score = item.prediction.get("confidence", numbers.get(str(value)))
    return [{"score": score, "result": _write_result(value, item, label_set)}]


def _sized(item: NewItem, task: Mapping[str, Any]) -> NewItem:
    """The thing with the size of its image, which Label Studio keeps beside each rectangle."""
    for annotation in _dicts(task.get("annotations")):
        for result in _dicts(annotation.get("result")):
            width, height = result.get("original_width"), result.get("original_height")
            if isinstance(width, int | float) and isinstance(height, int | float):
                data = {"width": width, "height": height, **item.data}
                return NewItem(key=item.key, data=data, prediction=item.prediction, source=item.source)
    return item


def _size_of(result: Mapping[str, Any], item: NewItem) -> tuple[float, float]:
    width = result.get("original_width", item.data.get("width"))
    height = result.get("original_height", item.data.get("height"))
    usable = isinstance(width, int | float) and isinstance(height, int | float) and width > 0 and height > 0
    if not usable:
        raise InvalidInput(
            f"The size of the image '{item.key}' is not known.", hint="Add `width` and `height` to what is shown of it."
        )
    return float(width), float(height)


def _classes_in(value: Any) -> Iterable[str]:
    parts = value if isinstance(value, list) else [value]
    return (str(p["label"]) if isinstance(p, dict) else p for p in parts if isinstance(p, str | dict))


def _who(value: object) -> str:
    if isinstance(value, dict):
        value = value.get("email") or value.get("username") or value.get("id")
    return str(value) if value not in (None, "") else SOURCE


def _texts(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _value(result: Mapping[str, Any]) -> Json:
    found = result.get("value")
    return found if isinstance(found, dict) else {}


def _dicts(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
