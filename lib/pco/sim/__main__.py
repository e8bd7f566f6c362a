"""Run a simulated Plane server.  Prints its address in one line when it is ready, and writes it to DIR/url."""

import argparse
import json
import signal
import sys
from pathlib import Path

from pco.sim import seed as seeds
from pco.sim.call import Settings
from pco.sim.running import Sim, world
from pco.sim.store import Busy

USAGE, DATA, UNAVAILABLE = 2, 65, 69


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m pco.sim", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where everything is kept")
    parser.add_argument("--seed", type=Path, metavar="FILE", help="workspace to start with, when DIR is empty")
    parser.add_argument("--token", nargs="+", default=[], help="further tokens of the user bot")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="JSON list of fault switches")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all delays of the server")
    parser.add_argument("--rate", type=int, default=60, help="requests a minute and token; 0: no limit")
    parser.add_argument("--race", type=float, default=0.01, help="seconds in which two equal comments can slip in")
    parser.add_argument("--random", type=int, default=0, help="seed of the delays of the server's worker")
    return parser.parse_args()


def start(given: argparse.Namespace) -> Sim:
    """Return the running simulator.  Raises BadSeed, Busy, OSError, ValueError, TypeError."""
    seed = seeds.read(given.seed) if given.seed else None
    faults = json.loads(given.faults.read_text("utf-8")) if given.faults else []
    settings = Settings(rate=given.rate, race=given.race, seed=given.random)
    sim = Sim(world(given.data, seed, settings, given.scale, tuple(given.token)), given.port)
    sim.faults(*faults)
    fresh = given.data / "url.new"
    fresh.write_text(sim.url + "\n", "utf-8")
    fresh.replace(given.data / "url")
    return sim


def main() -> int:
    """Serve until a signal ends it."""
    signals = {signal.SIGTERM, signal.SIGINT}
    # Blocked before any thread starts, so that this thread alone takes them.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        sim = start(arguments())
    except (seeds.BadSeed, ValueError, TypeError, KeyError) as error:
        sys.stderr.write(f"pco.sim: {error}\n")
        return DATA
    except (Busy, OSError) as error:
        sys.stderr.write(f"pco.sim: {error}\n")
        return UNAVAILABLE
    sys.stdout.write(sim.url + "\n")
    sys.stdout.flush()
    signal.sigwait(signals)
    sim.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
