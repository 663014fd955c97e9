"""COCO's JSON of object detection: images, boxes as `[x, y, width, height]` in pixels, and categories."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flyball.errors import InvalidInput
from flyball.labels.formats.exchange import Exchange
from flyball.labels.task import CurrentLabel, Item, LabelSet, NewItem, NewLabel
from flyball.serialization import from_json

SOURCE = "import:coco"
Json = dict[str, Any]


def read_coco(text: bytes | str, *, annotator: str = "coco") -> Exchange:
    """The images and boxes of a file; every image that it names has a label, if only an empty one.

    Raises:
        InvalidInput: it is no such file; the message says what is wrong.
    """
    file = from_json(text, object)
    if not isinstance(file, dict) or not isinstance(file.get("images"), list):
        raise InvalidInput("This is no file of COCO.", hint="It is a JSON object with images, annotations, categories.")
    names = {_of(c, "id", "category"): str(_of(c, "name", "category")) for c in _dicts(file, "categories")}
    images = {_of(image, "id", "image"): image for image in _dicts(file, "images")}
    keys = {id_: str(_of(image, "file_name", "image")) for id_, image in images.items()}
    if len(set(keys.values())) < len(keys):
        raise InvalidInput("Two images have the same file_name.")
    boxes: dict[Any, list[Json]] = {id_: [] for id_ in images}
    warnings = []
    for annotation in _dicts(file, "annotations"):
        image, category = _of(annotation, "image_id", "annotation"), _of(annotation, "category_id", "annotation")
        if image not in boxes or category not in names:
            raise InvalidInput(f"An annotation names image {image!r} and category {category!r}; one is not there.")
        box = annotation.get("bbox")
        if not isinstance(box, list) or len(box) != 4:
            warnings.append(f"An annotation of '{keys[image]}' has no box.")
            continue
        sides = dict(zip(("x", "y", "width", "height"), box, strict=True))
        boxes[image].append({**sides, "label": names[category]})
    items = tuple(
        NewItem(
            key=keys[id_],
            data={"path": keys[id_], **{s: image[s] for s in ("width", "height") if s in image}},
            source=SOURCE,
        )
        for id_, image in images.items()
    )
    labels = tuple(
        NewLabel(item=keys[id_], value=found, annotator=annotator, source=SOURCE) for id_, found in boxes.items()
    )
    return Exchange(items=items, labels=labels, classes=tuple(names.values()), warnings=tuple(warnings))


def write_coco(label_set: LabelSet, items: Iterable[Item], current: Iterable[CurrentLabel], now: datetime) -> Json:
    """The file of the boxes that count now.

    Raises:
        InvalidInput: the set is not one of boxes.
    """
    if label_set.task != "boxes":
        raise InvalidInput(f"'{label_set.name}' is a set of '{label_set.task}'; COCO holds boxes.")
    counts = {each.item: each.value for each in current}
    numbers = {name: number for number, name in enumerate(label_set.classes, 1)}
    images: list[Json] = []
    annotations: list[Json] = []
    for number, item in enumerate((item for item in items if item.key in counts), 1):
        size: Json = {side: item.data[side] for side in ("width", "height") if side in item.data}
        images.append({"id": number, "file_name": item.key, **size})
        for box in counts[item.key]:
            sides = [box[side] for side in ("x", "y", "width", "height")]
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": numbers[box["label"]], "bbox": sides,
                "area": box["width"] * box["height"], "iscrowd": 0, "segmentation": [],
            })  # fmt: skip
    return {
        "info": {"description": label_set.description or label_set.name, "date_created": now.isoformat()},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in numbers.items()],
    }


def _dicts(file: Json, key: str) -> list[Json]:
    found = file.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InvalidInput(f"'{key}' of the file is no list of objects.")
    return found


def _of(thing: Json, key: str, what: str) -> Any:
    value = thing.get(key)
    if not isinstance(value, str | int):
        raise InvalidInput(f"A {what} of the file has no '{key}'.")
    return value
