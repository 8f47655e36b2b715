"""What is sent: the shapes of data, with an interface that carries them and Python values to send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

HEADER = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface bench {"


class Shape(NamedTuple):
    """``body`` declares ``f``, whose last parameter ``a`` gets ``value(count)``; ``elements`` is the full size."""

    title: str
    body: str
    elements: int
    value: Callable[[int], Any]

    @property
    def idl(self) -> str:
        return f"{HEADER}{self.body}}}"

    def arguments(self, count: int) -> dict[str, Any]:
        return {"n": count, "a": self.value(count)}


def chain(count: int) -> Any:
    """A list, its head first."""
    node: Any = None
    for value in reversed(range(count)):
        node = {"value": value, "next": node}
    return node


def tree(count: int) -> Any:
    """A balanced tree: node ``i`` leads to ``2i + 1`` and ``2i + 2``."""
    nodes: list[Any] = [{"value": number, "left": None, "right": None} for number in range(count)]
    for number, node in enumerate(nodes):
        for side, child in (("left", 2 * number + 1), ("right", 2 * number + 2)):
            node[side] = nodes[child] if child < count else None
    return nodes[0]


def named(count: int) -> Any:
    return [{"id": number, "name": f"user{number:06}"} for number in range(count)]


def flat(count: int) -> Any:
    return [{"x": number, "y": number & 0x7FFF, "z": -1} for number in range(count)]


SHAPES = {
    "P1": Shape(
        "array of uint32",
        "void f([in] long n, [in, size_is(n)] unsigned long *a);",
        100_000,
        lambda count: list(range(count)),
    ),
    "P2": Shape(
        "structures {uint32, wide string}",
        "typedef struct { unsigned long id; [string] wchar_t *name; } named;"
        " void f([in] long n, [in, size_is(n)] named *a);",
        20_000,
        named,
    ),
    "P3": Shape(
        "tree",
        "typedef struct node { long value; struct node *left, *right; } node;"
        " void f([in] long n, [in] node *a);",
        100_000,
        tree,
    ),
    "P4": Shape(
        "list",
        "typedef struct node { long value; struct node *next; } node; void f([in] long n, [in] node *a);",
        100_000,
        chain,
    ),
    "P5": Shape(
        "flat structures",
        "typedef struct { long x; short y; short z; } flat; void f([in] long n, [in, size_is(n)] flat *a);",
        100_000,
        flat,
    ),
}


def procedures(count: int) -> str:
    """An interface of ``count`` procedures, with levels of information as print and server services have them."""
    levels = range(1, 9)
    infos = " ".join(
        f"typedef struct {{ {' '.join(f'NAME name{i};' for i in range(level + 2))} unsigned long flags; BLOB *security; NODE *more; }} INFO_{level};"
        for level in levels
    )
    arms = " ".join(f"[case({level})] INFO_{level} *info{level};" for level in levels)
    types = f"""
    typedef [string] wchar_t *NAME;
    typedef struct {{ unsigned long length; [size_is(length), unique] unsigned char *data; }} BLOB;
    typedef struct node {{ NAME name; BLOB value; struct node *next, *child; }} NODE;
    {infos}
    typedef struct {{ unsigned long level; [switch_type(unsigned long), switch_is(level)] union {{ {arms} [default] ; }} info; }} CONTAINER;
    typedef struct {{ unsigned long count; [size_is(count)] CONTAINER *all; NAME comment; }} CONTAINERS;
    typedef [context_handle] void *HANDLE_T;
    """
    kinds = (
        "long Open{0}([in] handle_t h, [in, string, unique] wchar_t *server, [in] unsigned long access, [out] HANDLE_T *opened);",
        "long Get{0}([in] HANDLE_T h, [in] unsigned long level, [out] CONTAINER *found);",
        "long Enumerate{0}([in] HANDLE_T h, [in, out] unsigned long *resume, [out] CONTAINERS **found, [out] unsigned long *read);",
        "long Set{0}([in] HANDLE_T h, [in] CONTAINER *container, [in, out, unique] BLOB *secret);",
        "long Read{0}([in] HANDLE_T h, [in] long size, [out, size_is(size), length_is(*got)] unsigned char *data, [out] long *got);",
        "long Change{0}([in] HANDLE_T h, [in, out] CONTAINER *list, [in, ptr] NODE *before);",
        "long Close{0}([in, out] HANDLE_T *h);",
    )
    made = (kinds[number % len(kinds)].format(number) for number in range(count))
    return f"{HEADER}{types}{' '.join(made)}}}"
