"""What Datasette answers from a folder, as JSON: `… datasette_pages DIR /page /page`.

In a process of its own: Datasette leaves connections open, of which later Pythons warn.
"""

import asyncio
import json
import sys
from pathlib import Path

from datasette.app import Datasette


async def answered(folder: Path, addresses: list[str]) -> list[tuple[int, str]]:
    """Status and text of each address, all of one start."""
    served = Datasette(config_dir=folder)
    await served.invoke_startup()
    responses = [await served.client.get(address) for address in addresses]
    return [(response.status_code, response.text) for response in responses]


if __name__ == "__main__":
    json.dump(asyncio.run(answered(Path(sys.argv[1]), sys.argv[2:])), sys.stdout)
