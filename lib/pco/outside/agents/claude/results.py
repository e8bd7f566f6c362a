"""What the end of Claude Code means.

Success is exit 0 and `is_error` false, never `subtype`: an API error has `subtype: success`.  Tools that were denied
show only in `permission_denials`.  An answer that breaks off every time, streamed or not, is `connection_failed`, as is
an API that nobody answers for: only the words tell them apart.
"""

import json
from typing import Any

from pco.ground import text
from pco.ground.leavings import Exit, Outcome, clean_summary

# What the API says of a request that will be no better the next time.
HOPELESS = (400, 404, 413, 422)
CRASHED = tuple(128 + number for number in (4, 6, 7, 8, 9, 11))  # ILL ABRT BUS FPE KILL SEGV
SHOWN = 5  # denied calls that are named


def judged(exit: Exit, printed: bytes, said: str) -> Outcome:
    """The outcome of a headless session that printed this; `said` is the last line on its screen."""
    try:
        value = json.loads(printed)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return ended(exit, said)
    last = _last_words(value)
    reason = value.get("terminal_reason")
    if value.get("subtype") == "error_max_turns" or reason == "max_turns":
        return Outcome("max-turns", "its turns (claude.max_turns) are used up", draft=last)
    if value.get("subtype") == "error_max_budget_usd" or reason == "budget_exhausted":
        return Outcome("over-budget", "the money for this session is used up", draft=last)
    if reason == "api_error" or value.get("api_error_status"):
        return _api_error(value)
    denied, well = value.get("permission_denials"), value.get("is_error") is False
    if well and isinstance(denied, list) and denied:
        # With exit 1 if it was refused because nobody could judge it (mode plan, behind a gateway).
        return Outcome("denied", f"the agent was refused what it asked for: {_named(denied)}", draft=last)
    if exit.code != 0 and well:
        return Outcome("failed", f"the agent ended with exit {exit.code}{': ' + said if said else ''}", draft=last)
    if exit.code != 0 or not well:
        what = text.line(str(value.get("subtype") or reason or "an error"), 60)
        return Outcome("failed", f"the agent ended with {what} (exit {exit.code})", draft=last)
    if not last:
        return Outcome("failed", "the agent ended without a word")
    return Outcome("completed", summary=last)


def ended(exit: Exit, said: str) -> Outcome:
    """The outcome of an interactive session, or of a headless one that printed nothing."""
    if exit.code in CRASHED:
        return Outcome("died", f"the agent was ended by signal {exit.code - 128} (9 is often: out of memory)")
    if exit.code > 128:
        return Outcome("failed", f"the agent was ended by signal {exit.code - 128}")
    if exit.code == 0:
        return Outcome("failed", "the agent was ended without a summary")
    return Outcome("failed", f"the agent ended with exit {exit.code}{': ' + said if said else ''}")


def _api_error(value: dict[str, Any]) -> Outcome:
    status = value.get("api_error_status")
    known = status if type(status) is int else None
    cause = text.line(str(value.get("result") or "no answer"), 200)
    why = f"the model's API failed: {cause}"
    if known is None and value.get("api_error") == "connection_failed" and "lost" in cause:
        return Outcome("cut-off", why)
    return Outcome("failed" if known in HOPELESS else "passing-error", why)


def _last_words(value: dict[str, Any]) -> str:
    said = value.get("result")
    return clean_summary(said) if isinstance(said, str) else ""


def _named(denied: list[Any]) -> str:
    calls = [_call(call) for call in denied[:SHOWN] if isinstance(call, dict)]
    more = f" and {len(denied) - SHOWN} more" if len(denied) > SHOWN else ""
    return f"{'; '.join(calls)}{more} (allow it by claude.allowed_tools, or let a person answer: claude.mode)"


def _call(call: dict[str, Any]) -> str:
    given = call.get("tool_input")
    first = next(iter(given.values()), "") if isinstance(given, dict) else ""
    return text.line(f"{call.get('tool_name')} {first}".strip(), 120)
