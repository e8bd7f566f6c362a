"""The spool: where tickets are, who may move them, and how nothing is lost.  It alone knows the paths of tickets."""

from pco.spool.moves import MOVES, Move, allowed
from pco.spool.store import Spool, Stale

__all__ = ["MOVES", "Move", "Spool", "Stale", "allowed"]
