"""What the real API refuses, and so does this one: `invalid_request_error`, 400."""

from typing import Any

from pco.sim.model.script import blocks


class Refused(Exception):
    """The request is invalid; its text says why."""


def check(body: Any) -> dict[str, Any]:
    """The request's body, if it is one.  Raises Refused."""
    if not isinstance(body, dict):
        raise Refused("the body is no JSON object")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Refused("model: Field required")
    if type(body.get("max_tokens")) is not int or body["max_tokens"] < 1:
        raise Refused("max_tokens: Field required")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("messages: at least one message is required")
    if messages[0].get("role") != "user":
        raise Refused("messages: first message must use the user role")
    for n, message in enumerate(messages):
        _check_message(n, message)
    _check_calls(messages)
    return body


def _check_message(n: int, message: Any) -> None:
    if message.get("role") not in ("user", "assistant", "system"):
        raise Refused(f"messages.{n}.role: unexpected")
    content = message.get("content")
    if not isinstance(content, str | list) or not content:
        raise Refused(f"messages.{n}: content must not be empty")
    for part in blocks(message):
        if part.get("type") == "text" and not part.get("text", "").strip():
            raise Refused(f"messages.{n}: text content blocks must contain non-whitespace text")


def _check_calls(messages: list[dict[str, Any]]) -> None:
    """Each call of a tool has its result in the next message of the user, and no result stands alone."""
    open_calls: set[str] = set()
    for n, message in enumerate(messages):
        if message["role"] == "system":
            continue
        parts = blocks(message)
        results = {part.get("tool_use_id") for part in parts if part.get("type") == "tool_result"}
        if results - open_calls:
            raise Refused(f"messages.{n}: unexpected tool_use_id found in tool_result blocks")
        if message["role"] == "user" and open_calls - results:
            raise Refused(f"messages.{n}: tool_use ids were found without tool_result blocks immediately after")
        open_calls = {part["id"] for part in parts if part.get("type") == "tool_use"}
