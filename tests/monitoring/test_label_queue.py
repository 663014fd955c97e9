from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput
from flyball.labels.labels import Labels
from flyball.labels.task import LabelSet
from flyball.monitoring.label_queue import Queued, labels_to_truth, queue_predictions
from flyball.monitoring.monitoring import Monitoring
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from tests.monitoring.samples import DAY, START, Predict


@pytest.fixture
def labels(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Labels:
    made = Labels(database, blobs, events, clock)
    made.declare(LabelSet(name="late", task="classify", classes=("0", "1")))
    return made


def predicted(predict: Predict, **how: Any) -> list[str]:
    answer = {"prediction": [1, 0, 1, 0], "probability": [0.55, 0.05, 0.95, 0.4]}
    return predict(answer, inputs=pa.table({"x": [1, 2, 3, 4]}), **how)


def test_the_least_sure_predictions_are_asked_for_first(
    labels: Labels, monitoring: Monitoring, store: LocalObjects, predict: Predict
) -> None:
    ids = predicted(predict)
    done = queue_predictions(labels, monitoring, store, "shop", "late")
    assert done == Queued(looked_at=4, unsure=2, added=2)
    first, second = labels.next("late", "ann", 2)
    assert (first.key, first.data, first.source) == (ids[0], {"x": 1}, "predictions:shop")
    assert first.prediction == {"value": 1, "confidence": pytest.approx(0.55)}
    assert second.key == ids[3]


def test_asking_again_adds_nothing_twice(
    labels: Labels, monitoring: Monitoring, store: LocalObjects, predict: Predict
) -> None:
    predicted(predict)
    queue_predictions(labels, monitoring, store, "shop", "late")
    assert queue_predictions(labels, monitoring, store, "shop", "late").added == 0


def test_what_is_known_or_was_not_answered_is_not_asked_for(
    labels: Labels, monitoring: Monitoring, store: LocalObjects, predict: Predict
) -> None:
    ids = predicted(predict)
    predicted(predict, role="shadow")
    monitoring.add_ground_truth("shop", ids[:1], [1])
    assert queue_predictions(labels, monitoring, store, "shop", "late") == Queued(looked_at=3, unsure=1, added=1)


def test_time_and_number_can_be_bounded(
    labels: Labels, monitoring: Monitoring, store: LocalObjects, predict: Predict
) -> None:
    predicted(predict)
    predicted(predict, at=START + DAY)
    asked = queue_predictions(labels, monitoring, store, "shop", "late", start=START + DAY, below=1.0, limit=3)
    assert asked == Queued(looked_at=4, unsure=4, added=3)


def test_several_classes_count_by_the_best(
    labels: Labels, monitoring: Monitoring, store: LocalObjects, predict: Predict
) -> None:
    predict({"prediction": ["a", "b"], "probabilities": [[0.4, 0.35, 0.25], [0.05, 0.9, 0.05]]})
    assert queue_predictions(labels, monitoring, store, "shop", "late").unsure == 1


def test_labels_become_the_truth_in_the_model_s_own_type(
    labels: Labels, monitoring: Monitoring, store: LocalObjects, predict: Predict, clock: FixedClock
) -> None:
    ids = predicted(predict)
    queue_predictions(labels, monitoring, store, "shop", "late")
    labels.label("late", ids[0], "0", "ann")
    assert labels_to_truth(labels, monitoring, "shop", "late") == 1
    assert monitoring.truth_of("shop", ids) == {ids[0]: 0}
    assert monitoring.ground_truth("shop", ids)[0].known_at == clock.now()


def test_telling_again_changes_nothing_and_a_correction_does(
    labels: Labels, monitoring: Monitoring, store: LocalObjects, predict: Predict, clock: FixedClock
) -> None:
    ids = predicted(predict)
    queue_predictions(labels, monitoring, store, "shop", "late")
    labels.label("late", ids[0], "0", "ann")
    labels_to_truth(labels, monitoring, "shop", "late")
    assert labels_to_truth(labels, monitoring, "shop", "late") == 0
    clock.advance(timedelta(hours=1))
    labels.label("late", ids[0], "1", "ann")
    assert labels_to_truth(labels, monitoring, "shop", "late") == 1
    assert monitoring.truth_of("shop", ids) == {ids[0]: 1}


def test_answers_without_probabilities_are_refused(
    labels: Labels, monitoring: Monitoring, store: LocalObjects, predict: Predict
) -> None:
    predict({"prediction": [1.5, 2.5]})
    with pytest.raises(InvalidInput, match="how sure"):
        queue_predictions(labels, monitoring, store, "shop", "late")


def test_a_set_of_boxes_is_no_truth(labels: Labels, monitoring: Monitoring, store: LocalObjects) -> None:
    labels.declare(LabelSet(name="boxes", task="boxes", items="image", classes=("a",)))
    with pytest.raises(InvalidInput, match="not compared"):
        queue_predictions(labels, monitoring, store, "shop", "boxes")
    with pytest.raises(InvalidInput, match="not compared"):
        labels_to_truth(labels, monitoring, "shop", "boxes")


def test_a_deployment_without_predictions_asks_for_nothing(
    labels: Labels, monitoring: Monitoring, store: LocalObjects
) -> None:
    assert queue_predictions(labels, monitoring, store, "shop", "late") == Queued(looked_at=0, unsure=0, added=0)
