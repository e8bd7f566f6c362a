"""A small MCP server on standard input and output: it knows what things cost.

https://modelcontextprotocol.io/specification: JSON-RPC 2.0, a message a line.
"""

import json
import sys
from typing import Any

PRICE = {
    "name": "price",
    "description": "What a thing costs.",
    "inputSchema": {"type": "object", "properties": {"thing": {"type": "string"}}, "required": ["thing"]},
}


def main() -> None:
    """Answer until nobody asks any more."""
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" in asked:
            print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer(asked)}), flush=True)


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """A result, or an error."""
    given = asked.get("params") or {}
    if asked["method"] == "initialize":
        about = {"serverInfo": {"name": "shop", "version": "1"}, "capabilities": {"tools": {}}}
        return {"result": {"protocolVersion": given["protocolVersion"], **about}}
    if asked["method"] == "tools/list":
        return {"result": {"tools": [PRICE]}}
    if asked["method"] == "tools/call" and given["name"] == "price":
        words = f"{given['arguments']['thing']}: 4711 crowns"
        return {"result": {"content": [{"type": "text", "text": words}], "isError": False}}
    if asked["method"] == "ping":
        return {"result": {}}
    return {"error": {"code": -32601, "message": f"unknown: {asked['method']}"}}


if __name__ == "__main__":
    main()
