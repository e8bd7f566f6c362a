"""What the model answers: rules, and the steps of a script.

A rule is {"match": REGEX, "steps": [STEP, …]}: the first whose regex is found in what the person said last, typed or
in a file attached by @path, is taken.  The conversation itself is the state: the step is the number of answers since
then, and the last step repeats.  A prompt may carry its own steps, on a line `Script: [STEP, …]`.

A step is a mapping of any of
    text "…"                                    says it          tool "Bash", input {…}   calls a tool
    tools [{"name", "input"}, …]                calls several    usage {"input_tokens": …}
    sleep SECONDS  before the first byte        pace SECONDS  between two pieces of a stream
    status 429, message "…", retry_after N      an error of the API;  times N: that often, then the rest of the step
    cut true       the answer breaks off in the middle ("stream": only if it is streamed); times N as above
    garbage true   what comes is no JSON        stop "max_tokens"  why it stops
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

Rule = dict[str, Any]
Step = dict[str, Any]

USEFUL: list[Rule] = [{"match": "", "steps": [{"text": "I looked at it; nothing needs to be done."}]}]
_OWN = re.compile(r"^(?:\s*\d+\t)?\s*Script: (\[.*\])\s*$", re.M)  # a number and a tab: an attached file
_REMINDER = re.compile(r"<system-reminder>(.*?)</system-reminder>", re.S)
_ATTACHED = "Result of calling the Read tool:"
# What a step may have, each with the types that it may be of.
_KNOWN: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "tool": (str,),
    "input": (dict,),
    "tools": (list,),
    "usage": (dict,),
    "sleep": (int, float),
    "pace": (int, float),
    "status": (int,),
    "message": (str,),
    "retry_after": (int,),
    "times": (int,),
    "cut": (bool, str),
    "garbage": (bool,),
    "stop": (str,),
}


class Script:
    """Picks the step; remembers only how often a step has failed by order."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Raises ValueError, which says what is wrong and where."""
        self._rules = [_rule(n, rule) for n, rule in enumerate(rules)]
        self._failed: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()

    def step(self, messages: list[dict[str, Any]]) -> Step:
        """The step for a conversation that was checked before."""
        said, answers = newest(messages)
        steps = _own(said) or next(steps for regex, steps in self._rules if regex.search(said))
        n = min(answers, len(steps) - 1)
        step: Step = dict(steps[n])
        if "times" not in step:
            return step
        with self._lock:
            self._failed[(said, n)] += 1
            if self._failed[(said, n)] <= step["times"]:
                return step
        return {name: value for name, value in step.items() if name not in ("status", "cut", "times", "retry_after")}


def newest(messages: list[dict[str, Any]]) -> tuple[str, int]:
    """What a person, or a hook, said last, with what was attached; and how many answers came since."""
    last, said = -1, ""
    for n, message in enumerate(messages):
        if message.get("role") == "user" and (words := typed(message)):
            last, said = n, words
    attached = "\n".join(_attached(messages[last])) if last >= 0 else ""
    answers = sum(message.get("role") == "assistant" for message in messages[last + 1 :])
    return f"{said}\n{attached}".strip(), answers


def typed(message: dict[str, Any]) -> str:
    """The words of a message that are neither a tool's result nor the CLI's own."""
    parts = blocks(message)
    if any(part.get("type") == "tool_result" for part in parts):
        return ""
    words = [_REMINDER.sub("", part["text"]).strip() for part in parts if part.get("type") == "text"]
    return "\n".join(word for word in words if word)


def blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The content of a message as blocks."""
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or [])


def _attached(message: dict[str, Any]) -> list[str]:
    texts = [part["text"] for part in blocks(message) if part.get("type") == "text"]
    inner = [found for text in texts for found in _REMINDER.findall(text)]
    return [words.partition(_ATTACHED)[2] for words in inner if _ATTACHED in words]


def _own(said: str) -> list[Step] | None:
    """The steps of the prompt's own line; if they are none, one that says so."""
    found = _OWN.findall(said)
    if not found:
        return None
    try:
        return checked(json.loads(found[-1]))
    except ValueError as error:
        return [{"text": f"The line `Script:` in the prompt cannot be played: {error}"}]


def _rule(n: int, rule: Any) -> tuple[re.Pattern[str], list[Step]]:
    if not isinstance(rule, dict) or rule.keys() != {"match", "steps"}:
        raise ValueError(f'rule {n}: expected {{"match": REGEX, "steps": [STEP, ...]}}')
    try:
        return re.compile(rule["match"], re.S), checked(rule["steps"])
    except (re.error, TypeError) as error:
        raise ValueError(f"rule {n}: match: {error}") from error
    except ValueError as error:
        raise ValueError(f"rule {n}: {error}") from error


def checked(steps: Any) -> list[Step]:
    """Steps, if they are some.  Raises ValueError."""
    if not isinstance(steps, list) or not steps:
        raise ValueError("expected a list of steps")
    for n, step in enumerate(steps):
        if not isinstance(step, dict):
            raise ValueError(f"step {n}: expected a mapping, not {json.dumps(step)[:40]}")
        for name, value in step.items():
            if name not in _KNOWN:
                raise ValueError(f"step {n}: {name!r} is not known (known are {', '.join(_KNOWN)})")
            if not isinstance(value, _KNOWN[name]) or (isinstance(value, bool) and bool not in _KNOWN[name]):
                raise ValueError(f"step {n}: {name}: expected {_KNOWN[name][0].__name__}, not {json.dumps(value)[:40]}")
    return steps
