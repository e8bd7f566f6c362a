"""A stand-in of the model's API (the Messages API) for the demo and the tests: scripted, and as unkind as the real one.

    with Model([{"match": "README", "steps": [{"tool": "Bash", "input": {…}}, {"text": "Done."}]}]) as model:
        … model.url, model.key, model.requests …

Or `python -m pco.sim.model --url-file F`.  What it answers is a step of a script, see `script`; it is on loopback,
wants a key, and refuses what the real API would refuse, see `checks`.  GET /_requests lists what was asked, PUT /_rules
replaces the rules, PUT /_down makes it refuse (`{"status": 529}`, `{"cut": true}`; `{}`: it is well again).
"""

import json
import threading
from collections.abc import Sequence
from http.server import ThreadingHTTPServer
from typing import Any

from pco.sim.model.script import USEFUL, Rule, Script
from pco.sim.model.serving import Handler

__all__ = ["KEY", "Model"]

KEY = "sk-ant-api03-stand-in-0123456789abcdef"


class Model:
    """The server, in threads of its own.  `requests` are all that were made, oldest first, without keys."""

    def __init__(self, rules: Sequence[Rule] = (), port: int = 0, key: str = KEY, log: str = "") -> None:
        self.key = key
        self.script = Script([*rules, *USEFUL])
        self.down: dict[str, Any] = {}
        self.requests: list[dict[str, Any]] = []
        self._log = log
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), type("Bound", (Handler,), {"model": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """What ANTHROPIC_BASE_URL must be."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Model":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Serve in this thread, for ever."""
        self._server.serve_forever()

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """Replace the rules; what was counted of the old ones is forgotten.  Raises ValueError."""
        self.script = Script([*rules, *USEFUL])

    def turns(self) -> list[dict[str, Any]]:
        """The requests in which the agent itself spoke, not its side questions."""
        with self._lock:
            return [request for request in self.requests if request.get("tools")]

    def note(self, request: dict[str, Any]) -> None:
        """Keep a request."""
        with self._lock:
            self.requests.append(request)
            if self._log:
                with open(self._log, "a", encoding="utf-8") as file:
                    file.write(json.dumps(request) + "\n")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
