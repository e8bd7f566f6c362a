"""What an attempt has used: tokens from the transcripts, USD by the CLI's own count, else estimated.

A transcript is `projects/FOLDER/SESSION.jsonl` in the configuration folder; a line of `type` assistant has
`message.id`, `message.model` and `message.usage`, and the same message stands on several lines: it counts once, with
what its last line says.  Interactive, the CLI tells pco-hook the sum by its status line (out/usd); headless it prints
it at the end (out/result).  Both count a conversation from its very beginning.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pco.ground import durable
from pco.ground.errors import BadData
from pco.ground.leavings import TOKENS, Account
from pco.outside.agents.claude import folder

Usage = tuple[int, ...]  # one for each of TOKENS

# USD for a million tokens by TOKENS, list prices; only where the CLI itself did not come to say what it was.
PRICES = {"opus": (5.0, 25.0, 0.5, 6.25), "sonnet": (3.0, 15.0, 0.3, 3.75), "haiku": (1.0, 5.0, 0.1, 1.25)}
DEAREST = max(PRICES.values())
_NAMES = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_MOST_LINE = 32 << 20


class Ledger:
    """Keeps account of one attempt whose agent has its configuration folder at `own`; begins with nothing used."""

    def __init__(self, own: Path, out: Path) -> None:
        self._own = own
        self._out = out
        self._read: dict[str, int] = {}  # how far each transcript was read
        self._used: dict[str, tuple[str, Usage]] = {}  # message id: model, tokens
        self._paid: set[str] = set()
        self._base: float | None = None
        self._take_in()
        self._paid = set(self._used)  # by earlier attempts; a copy of the conversation holds them once more
        self._used.clear()

    def account(self) -> Account:
        """All that was used since the beginning of the attempt.  Raises OSError."""
        self._take_in()
        sums = [sum(usage[n] for _, usage in self._used.values()) for n in range(len(TOKENS))]
        tokens = dict(zip(TOKENS, sums, strict=True))
        told = self._told()
        if told is not None:
            return Account(round(told, 6), tokens)
        guess = sum(_price(model, usage) for model, usage in self._used.values())
        return Account(round(guess, 6), tokens, estimated=bool(self._used))

    def _take_in(self) -> None:
        for path in self._own.glob("projects/**/*.jsonl"):
            with suppress(OSError, BadData):
                self._read_on(path)

    def _read_on(self, path: Path) -> None:
        """The lines that are new, and whole."""
        begin = self._read.get(str(path), 0)
        if os.stat(path).st_size <= begin:
            return
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as lines:
            lines.seek(begin)
            while (line := lines.readline(_MOST_LINE)) and line.endswith(b"\n"):
                begin += len(line)
                if b'"usage"' in line:
                    self._count(line)
        self._read[str(path)] = begin

    def _count(self, line: bytes) -> None:
        try:
            value = json.loads(line)
            message = value["message"]
            if value["type"] != "assistant" or message["id"] in self._paid:
                return
            usage = message["usage"]
            counted = tuple(_number(usage.get(name)) for name in _NAMES)
            self._used[str(message["id"])] = (str(message.get("model", "")), counted)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return

    def _told(self) -> float | None:
        """What the CLI says that this attempt has cost; None if it has not said so."""
        with suppress(OSError, BadData, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            value = json.loads(durable.read(self._out / "usd", 4096))
            total, name = float(value["last"]), str(value["session"])
            folder.remember_spent(self._own, name, total)
            return max(float(value["before"]) + total - float(value["base"]), 0.0)
        with suppress(OSError, BadData, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            value = json.loads(durable.read(self._out / "result", 4 << 20))
            total, name = float(value["total_cost_usd"]), str(value["session_id"])
            return self._since(name, total)
        return None

    def _since(self, name: str, total: float) -> float:
        """Of a conversation's sum that which is new; a CLI that was killed has forgotten what was before."""
        if self._base is None:
            known = folder.spent(self._own, name)
            self._base = known if known <= total else 0.0
            folder.remember_spent(self._own, name, total)
        return total - self._base


def _price(model: str, usage: Usage) -> float:
    prices = next((row for family, row in PRICES.items() if family in model), DEAREST)
    return sum(n * usd for n, usd in zip(usage, prices, strict=True)) / 1e6


def _number(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 40 else 0
