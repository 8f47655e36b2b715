"""Short ways to open a session and to give it routines, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rpcmemkit import Audit, Call, Environment, Session

HEADER = (
    "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), version(1.0), pointer_default(unique)]\ninterface i\n{\n"
)
ACF_HEADER = "interface i\n{\n"
NODE = "typedef struct node { long value; struct node *next; } node;\n"
TREE = "typedef struct node { long value; struct node *left; struct node *right; } node;\n"

Routine = Callable[..., Any]


def idl_text(body: str) -> str:
    return f"{HEADER}{body}\n}}\n"


def open_session(
    body: str, routine: Routine | None = None, acf: str | None = None, **environment: Any
) -> Session:
    """A session for an interface given by its body; ``routine`` serves its first procedure."""
    text = acf and f"{ACF_HEADER}{acf}\n}}\n"
    session = Session(idl_text(body), text, Environment(**environment))
    if routine is not None:
        serve(session, first(session), routine)
    return session


def first(session: Session) -> str:
    """The name of the first procedure."""
    return next(iter(session.interface.procedures))


def serve(session: Session, name: str, routine: Routine) -> None:
    """Register any callable, a lambda for example, as the routine of ``name``."""

    def named(*arguments: Any) -> Any:
        return routine(*arguments)

    named.__name__ = name
    named.__signature__ = _signature(session, name)  # type: ignore[attr-defined]
    session.routine(named)


def _signature(session: Session, name: str) -> Any:
    import inspect

    names = ["call", *(parameter.name for parameter in session.interface.procedures[name].parameters)]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(each, kind) for each in names])


def run(
    body: str,
    arguments: Mapping[str, Any],
    routine: Routine | None = None,
    acf: str | None = None,
    **environment: Any,
) -> Call:
    """Make one call of the first procedure, whatever its outcome."""
    session = open_session(body, routine, acf, **environment)
    return session.try_call(first(session), arguments)


def audited(*arguments: Any, **environment: Any) -> tuple[Call, Audit]:
    """As :func:`run`, with the audit of the call."""
    call = run(*arguments, **environment)
    return call, Audit(call)


def linked(count: int, *, value: int = 0) -> dict[str, Any] | None:
    """A list of ``count`` nodes as nested maps."""
    node: dict[str, Any] | None = None
    for number in range(count - 1, -1, -1):
        node = {"value": value + number, "next": node}
    return node
