"""What a span's attributes say in the conventions that are in use, and what the spans of a trace add up to.

A span comes from MLflow's client, from any OpenTelemetry SDK or from our own code. Whatever named its type, inputs,
outputs, model and tokens, they stand in fields of their own afterwards; all other attributes are kept as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flyball.serialization import JsonValue
from flyball.tracking.spans import DEEPEST, Span, kept_text

_INT64 = 1 << 63

# What a field is called as an attribute of MLflow's.
TYPE = "mlflow.spanType"
INPUTS = "mlflow.spanInputs"
OUTPUTS = "mlflow.spanOutputs"
TOKENS = "mlflow.chat.tokenUsage"
COST = "mlflow.llm.cost"
MODEL = "mlflow.llm.model"

# What a field of a trace is called as an entry of MLflow's.
NAME = "mlflow.traceName"
SESSION = "mlflow.trace.session"
TRACE_COST = "mlflow.trace.cost"
TRACE_TOKENS = "mlflow.trace.tokenUsage"

_TYPE_KEYS = {
    "openinference.span.kind": {
        kind: kind
        for kind in ("TOOL", "CHAIN", "LLM", "RETRIEVER", "EMBEDDING", "AGENT", "RERANKER", "GUARDRAIL", "EVALUATOR")
    },
    "gen_ai.operation.name": {
        "chat": "CHAT_MODEL",
        "create_agent": "AGENT",
        "embeddings": "EMBEDDING",
        "execute_tool": "TOOL",
        "generate_content": "LLM",
        "invoke_agent": "AGENT",
        "text_completion": "LLM",
        "response": "LLM",
    },
    "traceloop.span.kind": {"workflow": "WORKFLOW", "task": "TASK", "agent": "AGENT", "tool": "TOOL"},
}
_INPUT_KEYS = ("input.value", "gen_ai.input.messages", "gen_ai.tool.call.arguments", "traceloop.entity.input")
_OUTPUT_KEYS = ("output.value", "gen_ai.output.messages", "gen_ai.tool.call.result", "traceloop.entity.output")
_MODEL_KEYS = (
    "llm.response.model_name",
    "llm.model_name",
    "llm.request.model_name",
    "embedding.model_name",
    "gen_ai.response.model",
    "gen_ai.request.model",
)
_TOKEN_KEYS = (
    {
        "input_tokens": ("llm.token_count.prompt",),
        "output_tokens": ("llm.token_count.completion",),
        "total_tokens": ("llm.token_count.total",),
        "cache_read_input_tokens": ("llm.token_count.prompt_details.cache_read",),
        "cache_creation_input_tokens": ("llm.token_count.prompt_details.cache_write",),
    },
    {
        "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        "total_tokens": ("llm.usage.total_tokens",),
        "cache_read_input_tokens": ("gen_ai.usage.cache_read.input_tokens",),
        "cache_creation_input_tokens": (
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
        ),
    },
)


def understood(span: Span) -> Span:
    """The span with type, inputs, outputs, model, tokens and cost taken from its attributes, where they are not given.

    MLflow's own attributes of these move into the fields; those of other conventions (OpenTelemetry's for generative
    AI, OpenInference, Traceloop) are read and stay.
    """
    left = dict(span.attributes)
    own = {key: left.pop(key) for key in (TYPE, INPUTS, OUTPUTS, TOKENS, COST, MODEL) if key in left}
    kind = span.type or _text(own.get(TYPE))
    if kind in ("", "UNKNOWN"):
        kind = _other_type(left) or kind
    inputs = _first(span.inputs, own.get(INPUTS), *(left.get(key) for key in _INPUT_KEYS))
    outputs = _first(span.outputs, own.get(OUTPUTS), *(left.get(key) for key in _OUTPUT_KEYS))
    model = span.model or _text(own.get(MODEL))
    model = model or next((text for key in _MODEL_KEYS if (text := _text(left.get(key)))), "")
    for told in (inputs, outputs):
        model = model or (_text(told.get("model")) if isinstance(told, Mapping) else "")
    return replace(
        span,
        type=kind,
        inputs=inputs,
        outputs=outputs,
        model=model,
        tokens=span.tokens or counts(own.get(TOKENS)) or _other_tokens(left),
        cost=span.cost or amounts(own.get(COST)),
        attributes=left,
    )


def counts(value: object) -> dict[str, int]:
    """The whole numbers among the values of a mapping; empty for anything else."""
    if not isinstance(value, Mapping):
        return {}
    found = {str(key): _whole(number) for key, number in value.items()}
    return {key: number for key, number in found.items() if number is not None}


def amounts(value: object) -> dict[str, float]:
    """The finite numbers among the values of a mapping; empty for anything else."""
    if not isinstance(value, Mapping):
        return {}
    return {
        str(key): float(number)
        for key, number in value.items()
        if isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < 1e300
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one span adds to a sum over its trace."""

    id: str
    parent: str
    numbers: Mapping[str, float]


def total(shares: Iterable[Share]) -> dict[str, float]:
    """The sum over a trace, in which a span that has numbers stands for all beneath it.

    Frameworks tell the tokens of a whole agent at the agent's own span, so adding up every span would count twice.
    """
    nodes = {share.id: share for share in shares}
    sums: dict[str, float] = {}
    covered: dict[str, bool] = {}
    for share in nodes.values():
        if share.numbers and not _is_covered(share.parent, nodes, covered):
            for key, number in share.numbers.items():
                sums[key] = sums.get(key, 0) + number
    return sums


def _is_covered(parent: str, nodes: Mapping[str, Share], covered: dict[str, bool]) -> bool:
    """Whether an ancestor has numbers. Walks up without recursion: a trace may be thousands of spans deep."""
    path: list[str] = []
    found = False
    seen: set[str] = set()
    while parent in nodes and parent not in seen:
        if parent in covered:
            found = covered[parent]
            break
        seen.add(parent)
        path.append(parent)
        if nodes[parent].numbers:
            found = True
            break
        parent = nodes[parent].parent
    for one in path:
        covered[one] = found
    return found


def preview(value: JsonValue, role: str, longest: int = 1_000) -> str:
    """A short text of what went in or came out: the last message of that role, else the whole as JSON."""
    text = _message_text(_messages(value), role) or (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    )
    text = kept_text(text)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _first(*choices: Any) -> Any:
    return next((choice for choice in choices if choice is not None), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _INT64:
        return None
    return int(value) if value == int(value) else None


def _other_type(attributes: Mapping[str, Any]) -> str:
    for key, known in _TYPE_KEYS.items():
        if found := known.get(_text(attributes.get(key))):
            return found
    return ""


def _other_tokens(attributes: Mapping[str, Any]) -> dict[str, int]:
    for names in _TOKEN_KEYS:
        given = {
            name: next((attributes[key] for key in keys if key in attributes), None) for name, keys in names.items()
        }
        found = counts(given)
        if found.keys() & {"input_tokens", "output_tokens", "total_tokens"}:
            if "total_tokens" not in found and {"input_tokens", "output_tokens"} <= found.keys():
                found["total_tokens"] = found["input_tokens"] + found["output_tokens"]
            return found
    return {}


def _messages(value: Any) -> Sequence[Mapping[str, Any]]:
    """The chat messages in a request or an answer, in the shapes that language models' interfaces use."""
    for _ in range(DEEPEST):
        if not isinstance(value, Mapping):
            return []
        for key in ("messages", "choices", "input", "output"):
            listed = value.get(key)
            if isinstance(listed, list) and listed:
                if key == "choices":
                    listed = [listed[0].get("message")] if isinstance(listed[0], Mapping) else []
                return [one for one in listed if isinstance(one, Mapping) and "role" in one and "content" in one]
        value = value.get("request")
    return []


def _message_text(messages: Sequence[Mapping[str, Any]], role: str) -> str:
    if not messages:
        return ""
    message = next((one for one in reversed(messages) if one["role"] == role), messages[-1])
    content = message["content"]
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, Mapping) and part.get("type") in ("text", "output_text"):
            return _text(part.get("text"))
        if isinstance(part, str):
            return part
    return ""
