"""What of all that a session draws may reach the terminal of who looks at it.

A terminal does more than draw: it answers questions with the clipboard, with its title or with what stands on the
screen, as if somebody had typed that, and it prints and copies.  A session may draw and ask what every full-screen
program asks, and no more.  Dropped are ECMA-48's strings (DCS, APC, PM, SOS, and screen's ESC k), of OSC all but
titles, colours and links, media copy, reports of the title, checksums of the screen, macros, ENQ, the C1 controls in
UTF-8, and what leaves UTF-8: there they are single bytes.
<https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>
"""

import re

MOST = 4096  # bytes of a string that may pass
OSC = frozenset([b"0", b"1", b"2", b"4", b"8", b"10", b"11", b"12", b"104", b"110", b"111", b"112"])
_SPECIAL = re.compile(rb"[\x05\x1b\xc2]")
_CSI = re.compile(rb"\x1b\[([\x30-\x3f]*)([\x20-\x2f]*)([\x40-\x7e])")
_CSI_BEGUN = re.compile(rb"\x1b\[[\x20-\x3f]{0,256}")
_OSC = re.compile(rb"\x1b\](\d*)([^\x07\x18\x1a\x1b]*)(?:\x07|\x1b\\)")
_CONTROL = re.compile(rb"[\x00-\x1f]|\xc2[\x80-\x9f]")
_OSC_BEGUN = re.compile(rb"\x1b\][^\x07\x18\x1a\x1b]*\x1b?")
_SHORT = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]")
_SHORT_BEGUN = re.compile(rb"\x1b[\x20-\x2f]{0,8}")
_CODING = b"\x1b%"
_STRINGS = b"P_^Xk"
_TITLES = (b"20", b"21")
_END = {True: re.compile(rb"[\x07\x18\x1a\x1b]"), False: re.compile(rb"[\x18\x1a\x1b]")}


class Passing:
    """One stream: sequences that are cut between two pieces are held until they are whole."""

    def __init__(self) -> None:
        self._held = b""
        self._dropping: bool | None = None  # a string is being dropped; whether BEL ends it

    def feed(self, data: bytes) -> bytes:
        """What of it passes now."""
        data, self._held = self._held + data, b""
        passed: list[bytes] = []
        at = 0
        while at < len(data):
            if self._dropping is not None:
                at = self._drop(data, at)
                continue
            found = _SPECIAL.search(data, at)
            end = found.start() if found else len(data)
            passed.append(data[at:end])
            if not found:
                break
            said, at = self._judge(data, end)
            passed.append(said)
        return b"".join(passed)

    def _drop(self, data: bytes, at: int) -> int:
        """Where the string that is being dropped has ended; what may be the half of its end is held."""
        found = _END[bool(self._dropping)].search(data, at)
        if found is None:
            return len(data)
        end = found.end()
        if found[0] == b"\x1b":
            if end == len(data):
                self._held = b"\x1b"
                return end
            # Another sequence ends it, too.
            end = end + 1 if data[end:].startswith(b"\\") else found.start()
        self._dropping = None
        return end

    def _judge(self, data: bytes, at: int) -> tuple[bytes, int]:
        """What passes of the control that begins here, and where it ends."""
        if data[at] == 0x05:
            return b"", at + 1
        if data[at] == 0xC2:
            if at + 1 == len(data):
                return self._hold(data, at)
            if 0xA0 <= data[at + 1] <= 0xBF:
                return data[at : at + 2], at + 2
            # Of C1; or no character, and what is passed after it must not make it one.
            return b"", at + (2 if 0x80 <= data[at + 1] <= 0x9F else 1)
        kind = data[at + 1 : at + 2]
        if kind == b"[":
            return self._csi(data, at)
        if kind == b"]":
            return self._osc(data, at)
        if kind and kind in _STRINGS:
            self._dropping = False
            return b"", at + 2
        if whole := _SHORT.match(data, at):
            return (b"" if whole[0].startswith(_CODING) else whole[0]), whole.end()
        begun = _SHORT_BEGUN.match(data, at)
        assert begun
        return self._hold(data, at) if begun.end() == len(data) else (b"", begun.end())

    def _csi(self, data: bytes, at: int) -> tuple[bytes, int]:
        whole = _CSI.match(data, at)
        if whole is None:
            begun = _CSI_BEGUN.match(data, at)
            assert begun
            return self._hold(data, at) if begun.end() == len(data) else (b"", begun.end())
        given, between, final = whole.groups()
        first = re.split(b"[;:]", given)[0].lstrip(b"0")
        harm = final == b"i" or b"*" in between or (final == b"t" and first in _TITLES)
        return (b"" if harm else whole[0]), whole.end()

    def _osc(self, data: bytes, at: int) -> tuple[bytes, int]:
        whole = _OSC.match(data, at)
        if whole and len(whole[0]) <= MOST:
            harm = whole[1] not in OSC or _CONTROL.search(whole[2])
            return (b"" if harm else whole[0]), whole.end()
        begun = _OSC_BEGUN.match(data, at)
        assert begun
        if begun.end() == len(data) and begun.end() - at <= MOST:
            return self._hold(data, at)
        self._dropping = True
        return b"", at + 2

    def _hold(self, data: bytes, at: int) -> tuple[bytes, int]:
        self._held = data[at:]
        return b"", len(data)
