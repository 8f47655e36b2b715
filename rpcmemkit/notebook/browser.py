"""What a notebook needs where Python itself runs in the browser, as WebAssembly: ``await start()`` in its first cell.

No program can be started there, so Graphviz is WebAssembly too. It is the same Graphviz and draws the same pictures,
but it must be loaded first, and a browser only loads while Python waits.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from types import TracebackType
from typing import Any

from rpcmemkit.draw.svg import draw_with
from rpcmemkit.errors import UsageError

RENDERER = "viz_js"
"""The package whose ``viz.js`` is Graphviz."""

POSITIONED = "nop2"
"""What ``neato -n2`` is called there."""

ON_PURPOSE = "raises-exception"


async def start() -> None:
    """Draw with the Graphviz of the page, import what lies beside the notebook, and go on after cells that fail on purpose.

    Raises:
        UsageError: this Python does not run in a browser, or the page brings no Graphviz.
    """
    try:
        graphviz = await _load(files(RENDERER).joinpath("viz.js").read_text(encoding="utf-8"))
        from IPython import get_ipython
    except ImportError as missing:
        raise UsageError(f"this is only for Python in a browser, and needs {missing.name}") from missing
    if "" not in sys.path:
        sys.path.insert(0, "")  # what lies beside a notebook can be imported, as in every other kernel
    draw_with(lambda source: str(graphviz.renderString(source, engine=POSITIONED, format="svg")))
    get_ipython().set_custom_exc((Exception,), tell)


async def _load(script: str) -> Any:
    """Import a JavaScript module from its text, and return the Graphviz that it makes."""
    from js import URL, Blob
    from pyodide.code import run_js
    from pyodide.ffi import to_js

    address = URL.createObjectURL(Blob.new(to_js([script]), type="text/javascript"))
    try:
        module = await run_js(f"import('{address}')")
    finally:
        URL.revokeObjectURL(address)
    return await module.instance()


def tell(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> None:
    """Show an error. In a cell that is tagged to fail it stays a message: an error would cancel the cells that wait."""
    tags = shell.kernel.get_parent().get("metadata", {}).get("tags", [])
    if ON_PURPOSE in tags:
        print(f"{kind.__name__}: {error}", file=sys.stderr)
    else:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset, running_compiled_code=True)
