"""The IPython shell of this kernel, and the cell that an output belongs to."""

from __future__ import annotations

import sys
from typing import Any


def shell() -> Any:
    """The running IPython shell, None outside of IPython."""
    # Asked of who is loaded already: a script without IPython must not import it.
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def kernel_shell() -> Any:
    """The same, but None in a terminal too, where an output cannot be updated."""
    found = shell()
    return found if hasattr(found, "kernel") else None


def parent() -> Any:
    """What the running cell's output belongs to, None outside of a kernel."""
    found = shell()
    return found.get_parent() if hasattr(found, "get_parent") else None


def set_parent(value: Any) -> None:
    """Puts what this thread prints from now on under the cell of `value`.

    The shell's own `set_parent` is not for threads: before ipykernel 7 it moves the outputs of the
    cell that runs now.
    """
    found = shell()
    if hasattr(found, "set_thread_parent"):
        found.set_thread_parent(value)
        return
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "set_parent"):
            stream.set_parent(value)
