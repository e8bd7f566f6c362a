"""Answer a shell that completes a command line: click finds out what fits, this says it in lines the scripts read.

    _PCO_QUEUE_COMPLETE=pco_complete COMP_WORDS="pco-queue approve W" COMP_CWORD=2 pco-queue
    plain<TAB>WEB-12<TAB>Fix the login          or: file, dir - the shell completes paths by itself

The scripts are share/completion/; click's own ones for bash and zsh work as well, but bash would show no titles.
"""

import os
import signal
from typing import TYPE_CHECKING, Any

from click.shell_completion import ShellComplete, add_completion_class, split_arg_string

from pco.ground import text

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PATIENCE = 3  # seconds; a person who pressed TAB waits for it


class Answer(ShellComplete):
    """One line for each thing that fits: type, value, help."""

    name = "pco"
    source_template = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one to complete, and what there is of that one."""
        words, at = split_arg_string(os.environ["COMP_WORDS"]), int(os.environ["COMP_CWORD"])
        return words[1:at], words[at] if at < len(words) else ""

    def format_completion(self, item: "CompletionItem[Any]") -> str:
        """The line of one item."""
        return "\t".join((item.type, text.line(str(item.value), 200), text.line(item.help or "", 100)))


def prepare() -> None:
    """Let click know the answer's form, and have a file system that hangs end this silently."""
    add_completion_class(Answer)
    signal.alarm(PATIENCE)
