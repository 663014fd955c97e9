"""Label Studio's webhooks: `POST /api/labels/<set>/label-studio` takes annotations as they are made, changed and deleted.

Label Studio sends the headers that its webhook is set up with: `X-Flyball-Secret`, or `Authorization: Bearer`, must hold the
secret of the set. The same call twice, or in another order, comes to the same end: an annotation has one id there, and a later
word on it is later in the book here. One that tells of something else is answered and left aside.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flyball.errors import InvalidInput
from flyball.labels.formats.label_studio import SOURCE, read_annotation, read_task
from flyball.labels.labels import Labels
from flyball.labels.task import Label, NewLabel
from flyball.principals import Principal, acting_as
from flyball.serialization import from_json
from flyball.server.routes import json_response
from flyball.workspace import Workspace

_WRITTEN = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")
_DELETED = ("ANNOTATION_DELETED", "ANNOTATIONS_DELETED")
_MANY = "ANNOTATIONS_CREATED"
_PAGE = 10_000

_LABEL_STUDIO = Principal(name="label-studio", kind="service", role="contributor", proven=False)


def label_studio_routes(workspace: Workspace) -> list[Route]:
    """The route that Label Studio's webhooks call."""

    async def hook(request: Request) -> Response:
        name = request.path_params["name"]
        secret = request.headers.get("x-flyball-secret") or request.headers.get("authorization", "").partition(" ")[2]
        await run_in_threadpool(workspace.labels.check_secret, name, secret)
        body = from_json(await request.body(), object)
        with acting_as(_LABEL_STUDIO):
            return json_response({"labels": await run_in_threadpool(take, workspace.labels, name, body)})

    return [Route("/api/labels/{name}/label-studio", hook, methods=["POST"])]


def take(labels: Labels, name: str, body: object) -> int:
    """Takes what one call says; gives how many labels were written.

    Raises:
        InvalidInput: it is no call of Label Studio's, or an annotation does not fit the set's task.
    """
    if not isinstance(body, dict) or not isinstance(body.get("action"), str):
        raise InvalidInput("This is no webhook of Label Studio.", hint="It is a JSON object with an 'action'.")
    action = body["action"]
    if action in _WRITTEN:
        return _write(labels, name, body.get("task"), [body.get("annotation")])
    if action == _MANY:
        tasks, made = body.get("tasks") or [body.get("task")], body.get("annotations") or [body.get("annotation")]
        by_id = {task.get("id"): task for task in tasks if isinstance(task, dict)}
        return sum(_write(labels, name, _task_of(each, by_id, tasks), [each]) for each in made)
    if action in _DELETED:
        gone = body.get("annotations") or [body.get("annotation")]
        ids = [each.get("id") if isinstance(each, dict) else each for each in gone]
        return _delete(labels, name, {f"{SOURCE}:{id_}" for id_ in ids if isinstance(id_, int | str)})
    return 0


def _write(labels: Labels, name: str, task: object, annotations: list[object]) -> int:
    if not isinstance(task, dict) or not all(isinstance(each, dict) for each in annotations):
        raise InvalidInput("The call has no task, or no annotation.")
    label_set, item = labels.get(name), read_task(task)
    read = (read_annotation(each, item, label_set) for each in annotations if isinstance(each, dict))
    made = [label for label in read if label is not None]
    labels.add_items(name, [item])
    known = labels.list_labels(name, item=item.key, limit=_PAGE)
    return labels.add_labels(name, [label for label in made if _is_new(label, known)])


def _is_new(label: NewLabel, known: list[Label]) -> bool:
    """Whether a word on an annotation is later than what is known of it: calls may come twice, or overtake each other."""
    times = [each.at for each in known if each.origin == label.origin and label.origin]
    at: datetime | None = label.at
    return not times or at is None or at > max(times)


def _delete(labels: Labels, name: str, origins: set[str]) -> int:
    gone: list[NewLabel] = []
    after = 0
    while page := labels.list_labels(name, limit=_PAGE, after=after, only_last=True):
        after = page[-1].number
        gone += [
            NewLabel(item=each.item, value=None, annotator=each.annotator, source=SOURCE, origin=each.origin)
            for each in page
            if each.origin in origins
        ]
    return labels.add_labels(name, gone)


def _task_of(annotation: Any, by_id: dict[Any, Any], tasks: list[Any]) -> object:
    number = annotation.get("task") if isinstance(annotation, dict) else None
    return by_id.get(number) or (tasks[0] if len(tasks) == 1 else None)
