from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput
from flyball.labels.formats.coco import read_coco, write_coco
from flyball.labels.formats.csv_file import read_csv, write_csv
from flyball.labels.formats.label_studio import config_of, read_tasks, write_tasks
from flyball.labels.labels import Labels
from flyball.labels.task import LabelSet

PETS = LabelSet(name="pets", task="classify", items="text", classes=("cat", "dog"))
BOXES = LabelSet(name="boxes", task="boxes", items="image", classes=("car", "bus"))
SPANS = LabelSet(name="spans", task="span", items="text", classes=("PER", "LOC"))
TEXTS = LabelSet(name="texts", task="text", items="image")
TAGS = LabelSet(name="tags", task="tags", items="text", classes=("a", "b", "c"))
ACCEPT = LabelSet(name="accept", task="accept", items="text")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite alone: what is tried here is how files are read and written."""
    return sqlite_url


def task(id_: int, data: dict[str, Any], results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A task as Label Studio exports it."""
    annotation = {
        "id": id_ + 100, "completed_by": {"id": 1, "email": "ann@example.org"}, "was_cancelled": False, "ground_truth": False,
        "created_at": "2026-03-01T10:00:00.5Z", "updated_at": "2026-03-01T11:00:00Z", "lead_time": 3.2, "result": results,
    }  # fmt: skip
    return {"id": id_, "data": data, "annotations": [annotation], "predictions": [], **more}


def result(kind: str, **value: Any) -> dict[str, Any]:
    size = {"original_width": 200, "original_height": 100} if kind == "rectanglelabels" else {}
    return {"id": "x1", "from_name": "l", "to_name": "t", "type": kind, "origin": "manual", "value": value, **size}


STUDIO: list[tuple[LabelSet, dict[str, Any], list[dict[str, Any]], Any]] = [
    (PETS, {"text": "purr"}, [result("choices", choices=["cat"])], "cat"),
    (TAGS, {"text": "x"}, [result("choices", choices=["c", "a"])], ["a", "c"]),
    (ACCEPT, {"text": "x"}, [result("choices", choices=["reject"])], False),
    (SPANS, {"text": "Ann in Rome"}, [result("labels", start=7, end=11, text="Rome", labels=["LOC"])],
     [{"start": 7, "end": 11, "label": "LOC", "text": "Rome"}]),
    (TEXTS, {"image": "/a.png"}, [result("textarea", text=["a car"])], "a car"),
    (BOXES, {"image": "/a.png"},
     [result("rectanglelabels", x=10, y=20, width=25, height=50, rotation=0, rectanglelabels=["bus"])],
     [{"x": 20.0, "y": 20.0, "width": 50.0, "height": 50.0, "label": "bus"}]),
]  # fmt: skip
NAMES = [entry[0].name for entry in STUDIO]


def taken(labels: Labels, label_set: LabelSet, text: str) -> None:
    found = read_tasks(text, label_set)
    labels.declare(label_set)
    labels.add_items(label_set.name, list(found.items))
    labels.add_labels(label_set.name, list(found.labels))


@pytest.mark.parametrize(("label_set", "data", "results", "value"), STUDIO, ids=NAMES)
def test_an_export_of_label_studio_goes_in_and_comes_out_the_same(
    labels: Labels, label_set: LabelSet, data: dict[str, Any], results: list[dict[str, Any]], value: Any
) -> None:
    taken(labels, label_set, json.dumps([task(7, data, results)]))
    (label,) = labels.list_labels(label_set.name)
    assert (label.item, label.value, label.annotator, label.origin) == (
        "7",
        value,
        "ann@example.org",
        "label-studio:107",
    )
    assert label.at.isoformat() == "2026-03-01T11:00:00+00:00"
    written = write_tasks(label_set, labels.list_items(label_set.name), [label])
    again = read_tasks(json.dumps(written), label_set)
    assert [(each.item, each.value, each.annotator) for each in again.labels] == [("7", value, "ann@example.org")]
    (out,) = written[0]["annotations"][0]["result"]
    known = {key: results[0]["value"][key] for key in out["value"] if key in results[0]["value"]}
    expected = {"choices": value if isinstance(value, list) else known.get("choices")} if "choices" in known else known
    assert {key: out["value"][key] for key in known} == expected
    assert out["type"] == results[0]["type"]


def test_predictions_of_label_studio_come_with_the_thing() -> None:
    told = [{"score": 0.7, "result": [result("choices", choices=["dog"])]}]
    found = read_tasks(
        json.dumps([task(1, {"text": "x"}, [result("choices", choices=["cat"])], predictions=told)]), PETS
    )
    assert found.items[0].prediction == {"value": "dog", "confidence": 0.7}


def test_a_cancelled_annotation_is_no_label() -> None:
    given = task(1, {"text": "x"}, [])
    given["annotations"][0]["was_cancelled"] = True
    assert read_tasks(json.dumps([given]), PETS).labels == ()


@pytest.mark.parametrize("text", ["{}", "[1]", "{", '[{"id": 1}]', json.dumps([task(1, {"text": "x"}, [])])])
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_tasks(text, PETS)


def test_a_rectangle_without_the_image_s_size_is_refused() -> None:
    bare = result("rectanglelabels", x=1, y=1, width=1, height=1, rectanglelabels=["car"])
    del bare["original_width"]
    with pytest.raises(InvalidInput, match="size of the image"):
        read_tasks(json.dumps([task(1, {"image": "a"}, [bare])]), BOXES)


@pytest.mark.parametrize("label_set", [entry[0] for entry in STUDIO], ids=NAMES)
def test_the_configuration_is_xml_and_names_the_classes(label_set: LabelSet) -> None:
    root = ET.fromstring(config_of(label_set))
    assert {part.get("value") for part in root.iter() if part.tag in ("Choice", "Label")} >= set(label_set.classes)


COCO = {
    "info": {"year": 2026}, "licenses": [],
    "images": [{"id": 3, "file_name": "a.jpg", "width": 640, "height": 480}, {"id": 9, "file_name": "b.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 3, "category_id": 2, "bbox": [10.0, 20.0, 30.0, 40.0], "area": 1200.0, "iscrowd": 0},
        {"id": 2, "image_id": 3, "category_id": 1, "bbox": [1.5, 2.5, 3.0, 4.0], "area": 12.0, "iscrowd": 0},
    ],
    "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "bus"}],
}  # fmt: skip


def test_coco_goes_in_and_comes_out_the_same(labels: Labels, clock: FixedClock) -> None:
    found = read_coco(json.dumps(COCO))
    assert found.classes == ("car", "bus")
    labels.declare(BOXES)
    labels.add_items("boxes", list(found.items))
    labels.add_labels("boxes", list(found.labels))
    written = write_coco(BOXES, labels.list_items("boxes"), labels.current("boxes"), clock.now())
    names = {image["id"]: image["file_name"] for image in written["images"]}
    classes = {category["id"]: category["name"] for category in written["categories"]}
    boxes = {(names[a["image_id"]], classes[a["category_id"]], *a["bbox"], a["area"]) for a in written["annotations"]}
    assert boxes == {("a.jpg", "bus", 10, 20, 30, 40, 1200), ("a.jpg", "car", 1.5, 2.5, 3, 4, 12)}
    assert written["images"][0] == {"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}
    assert sorted(names.values()) == ["a.jpg", "b.jpg"]
    assert read_coco(json.dumps(written)).labels[0].value == labels.list_labels("boxes", item="a.jpg")[0].value


@pytest.mark.parametrize(
    "change",
    [
        {"images": 3}, {"annotations": [{"image_id": 4, "category_id": 1, "bbox": [1, 1, 1, 1]}]},
        {"annotations": [{"category_id": 1}]}, {"categories": [{"id": 1}]}, {"annotations": {}},
        {"images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "a"}], "annotations": []},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_coco_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        read_coco(json.dumps({**COCO, **change}))


def test_an_annotation_without_a_box_is_told() -> None:
    bare = {"image_id": 3, "category_id": 1, "segmentation": [[1, 2, 3]]}
    found = read_coco(json.dumps({**COCO, "annotations": [bare]}))
    assert found.warnings == ("An annotation of 'a.jpg' has no box.",)


CSV = 'item,label,annotator,time,confidence,text\na,cat,ann,2026-03-01T10:00:00Z,0.9,"purr,\n purr"\nb,,,,,woof\n'


def test_csv_goes_in_and_comes_out_the_same(labels: Labels) -> None:
    found = read_csv(b"\xef\xbb\xbf" + CSV.encode(), PETS)
    assert [item.key for item in found.items] == ["a", "b"]
    labels.declare(PETS)
    labels.add_items("pets", list(found.items))
    labels.add_labels("pets", list(found.labels))
    written = write_csv(PETS, labels.list_items("pets"), labels.list_labels("pets"))
    again = read_csv(written, PETS)
    assert again.labels == found.labels
    assert again.items[0].data == {"text": "purr,\n purr"}


def test_csv_holds_labels_that_are_no_texts(labels: Labels) -> None:
    found = read_csv('item,label\na,"[""c"", ""a""]"\n', TAGS, annotator="bob")
    labels.declare(TAGS)
    labels.add_items("tags", list(found.items))
    labels.add_labels("tags", list(found.labels))
    (label,) = labels.list_labels("tags")
    assert (label.value, label.annotator) == (["a", "c"], "bob")
    assert '"[""a"",""c""]"' in write_csv(TAGS, [], [label])


@pytest.mark.parametrize(
    "text",
    ["key,label\na,b\n", "item,label\na\n", "item,label\na,b,c\n", b"item,label\n\xff,cat\n", 'item,label\n"a,b\n',
     "item,label,confidence\na,cat,high\n", "item,label,time\na,cat,soon\n", ""],
    ids=repr,
)  # fmt: skip
def test_a_csv_that_cannot_be_read_is_refused(text: bytes | str) -> None:
    with pytest.raises(InvalidInput):
        read_csv(text, PETS)
