"""Run the stand-in: python -m pco.sim.model --url-file FILE."""

import argparse
import json
import os
from pathlib import Path

from pco.sim.model import KEY, Model


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m pco.sim.model", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--url-file", type=Path, help="write the address there once it serves")
    parser.add_argument("--rules", type=Path, help="a JSON list of rules")
    parser.add_argument("--key", default=KEY, help="the only key that it takes")
    parser.add_argument("--log", default="", help="write each request there, a JSON object a line")
    given = parser.parse_args()
    try:
        rules = json.loads(given.rules.read_text()) if given.rules else []
        model = Model(rules, given.port, given.key, given.log)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if given.url_file:
        temporary = given.url_file.with_name(f".{given.url_file.name}.{os.getpid()}")
        temporary.write_text(model.url)
        temporary.rename(given.url_file)
    model.serve()


if __name__ == "__main__":
    main()
