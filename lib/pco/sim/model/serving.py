"""The wire: HTTP/1.1, JSON and server-sent events as the real API has them."""

import json
import socket
import time
import uuid
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from pco.sim.model import checks
from pco.sim.model.script import Step, checked, newest

if TYPE_CHECKING:
    from pco.sim.model import Model

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
SECRET = ("authorization", "x-api-key")  # headers that are not kept
MOST_BODY = 64 << 20
PIECE = 24  # characters of a text in one event
SIDE = '{"title": "A ticket", "isNewTopic": false}'  # what is asked without tools


class Handler(BaseHTTPRequestHandler):
    """One connection; `model` is the server's."""

    model: "Model"
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""

    def do_HEAD(self) -> None:
        """The CLI looks whether somebody is there."""
        self._note({})
        self._json(200, {})

    def do_GET(self) -> None:
        """What was asked, and the list of models."""
        if self.path == "/_requests":
            self._json(200, self.model.requests)
        elif self.path.startswith("/v1/models"):
            self._note({})
            self._models()
        else:
            self._note({})
            self._error(404, f"Not found: {self.path}")

    def _models(self) -> None:
        if not self._known():
            self._error(401, "invalid x-api-key")
        elif "status" in self.model.down:
            self._error(self.model.down["status"], KINDS.get(self.model.down["status"], "error"))
        else:
            self._json(200, {"data": [], "has_more": False})

    def do_PUT(self) -> None:
        """Change the rules, or go down."""
        try:
            given = json.loads(self._body())
            if self.path == "/_rules":
                self.model.set_rules(given)
            elif self.path == "/_down":
                self.model.down = checked([given])[0]
            else:
                self._error(404, f"Not found: {self.path}")
                return
        except ValueError as error:
            self._error(400, str(error))
            return
        self._json(200, {})

    def do_POST(self) -> None:
        """A message, or a count of tokens."""
        raw, path = self._body(), self.path.partition("?")[0]
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        self._note(_told(body))
        if not self._known():
            self._error(401, "invalid x-api-key")
        elif path == "/v1/messages/count_tokens":
            self._json(200, {"input_tokens": max(1, len(raw) // 4)})
        elif path != "/v1/messages":
            self._error(404, f"Not found: {path}")
        else:
            try:
                self._message(checks.check(body))
            except checks.Refused as error:
                self._error(400, str(error))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    def _message(self, body: dict[str, Any]) -> None:
        asked = self.model.script.step(body["messages"]) if body.get("tools") else {"text": SIDE}
        step: Step = {**asked, **self.model.down}
        if step.get("sleep"):
            time.sleep(step["sleep"])
        if "status" in step:
            again = {"retry-after": str(step["retry_after"])} if "retry_after" in step else {}
            self._error(step["status"], step.get("message") or KINDS.get(step["status"], "error"), again)
        elif step.get("garbage"):
            self._send(200, b"<html>a proxy speaks</html>", "text/html", {})
        elif body.get("stream"):
            self._stream(body, step)
        else:
            data = json.dumps(_message(body, step)).encode()
            if step.get("cut") is True:
                self._head(200, "application/json", {"content-length": str(len(data))})
                self.wfile.write(data[: len(data) // 2])
                self._cut()
            else:
                self._send(200, data, "application/json", {})

    def _stream(self, body: dict[str, Any], step: dict[str, Any]) -> None:
        whole = _message(body, step)
        self._head(200, "text/event-stream", {"cache-control": "no-cache", "transfer-encoding": "chunked"})
        begun = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
        self._event("message_start", message=begun)
        self._event("ping")
        for n, block in enumerate(whole["content"]):
            for kind, told in _pieces(block):
                self._event(kind, index=n, **told)
                if step.get("pace"):
                    time.sleep(step["pace"])
                if step.get("cut") and kind == "content_block_delta":
                    self._cut()
                    return
            self._event("content_block_stop", index=n)
        self._event(
            "message_delta", delta={"stop_reason": whole["stop_reason"], "stop_sequence": None}, usage=whole["usage"]
        )
        self._event("message_stop")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, kind: str, **told: Any) -> None:
        data = f"event: {kind}\ndata: {json.dumps({'type': kind, **told})}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _cut(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _known(self) -> bool:
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        return self.model.key in (self.headers.get("x-api-key"), bearer)

    def _body(self) -> bytes:
        return self.rfile.read(min(int(self.headers.get("content-length") or 0), MOST_BODY))

    def _note(self, told: dict[str, Any]) -> None:
        by = "bearer" if self.headers.get("authorization") else "key" if self.headers.get("x-api-key") else ""
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in SECRET}
        about = {"at": time.time(), "method": self.command, "path": self.path, "by": by, "headers": headers}
        self.model.note({**about, **told})

    def _error(self, status: int, message: str, more: dict[str, str] | None = None) -> None:
        error, id = {"type": KINDS.get(status, "api_error"), "message": message}, _id("req")
        self._json(status, {"type": "error", "error": error, "request_id": id}, {"request-id": id, **(more or {})})

    def _json(self, status: int, value: Any, more: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(value).encode(), "application/json", more or {})

    def _send(self, status: int, data: bytes, kind: str, more: dict[str, str]) -> None:
        self._head(status, kind, {"content-length": str(len(data)), **more})
        if self.command != "HEAD":
            self.wfile.write(data)

    def _head(self, status: int, kind: str, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "request-id": _id("req"), **more}.items():
            self.send_header(name, value)
        self.end_headers()


def _id(kind: str) -> str:
    """A name that nothing else has."""
    return f"{kind}_{uuid.uuid4().hex[:24]}"


def _told(body: Any) -> dict[str, Any]:
    """All of a request, but of its tools only the names in `tools`, the rest in `offered`; and `said`, see `newest`."""
    if not isinstance(body, dict):
        return {"body": None}
    messages = body.get("messages")
    said = newest(messages)[0] if isinstance(messages, list) and all(isinstance(m, dict) for m in messages) else ""
    names = [tool.get("name") for tool in body.get("tools") or []]
    return {"messages": None, **body, "tools": names, "offered": body.get("tools") or [], "said": said}


def _message(body: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    calls = list(step.get("tools") or [])
    if step.get("tool"):
        calls.append({"name": step["tool"], "input": step.get("input") or {}})
    content: list[dict[str, Any]] = [{"type": "text", "text": step["text"]}] if step.get("text") else []
    for call in calls:
        content.append({"type": "tool_use", "id": _id("toolu"), "name": call["name"], "input": call.get("input") or {}})
    usage = {"input_tokens": 100, "output_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {
        "id": _id("msg"),
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content or [{"type": "text", "text": "…"}],
        "stop_reason": step.get("stop") or ("tool_use" if calls else "end_turn"),
        "stop_sequence": None,
        "usage": {**usage, **(step.get("usage") or {})},
    }


def _pieces(block: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The events in which a block comes, but for its end."""
    if block["type"] == "text":
        words = block["text"]
        parts = [words[n : n + PIECE] for n in range(0, len(words), PIECE)]
        deltas = [{"type": "text_delta", "text": part} for part in parts]
        return [
            ("content_block_start", {"content_block": {"type": "text", "text": ""}}),
            *(("content_block_delta", {"delta": delta}) for delta in deltas),
        ]
    delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    return [
        ("content_block_start", {"content_block": {**block, "input": {}}}),
        ("content_block_delta", {"delta": delta}),
    ]
