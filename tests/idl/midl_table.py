"""The MIDL compiler's numbers for memory attributes: for each a text that earns it, and the nearest text that does not.

Data only; ``test_diagnostics_table.py`` and ``tests/claims/test_claims_compile.py`` use it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rpcmemkit.errors import Diagnostic
from rpcmemkit.idl import Switches
from tests.idl.helpers import HEADER, findings, interface

# Every number of compiler-errors.md that concerns memory attributes.
NUMBERS = frozenset(
    [2154, 2182, 2235, 2238, 2268, 2317, 2321, 2322, 2038, 2040, 2041, 2042, 2043, 2044, 2045, 2055, 2058, 2059, 2060, 2061, 2062, 2063, 2064, 2065, 2068, 2072,
     2073, 2074, 2075, 2076, 2077, 2081, 2082, 2084, 2086, 2087, 2096, 2102, 2103, 2104, 2105, 2121, 2123, 2124,
     2135, 2136, 2139, 2142, 2145, 2148, 2150, 2158, 2162, 2163, 2164, 2166, 2171, 2172, 2176, 2177, 2178, 2181,
     2187, 2191, 2195, 2198, 2199, 2209, 2211, 2216, 2222, 2223, 2227, 2237, 2241, 2244, 2246, 2248, 2249, 2279,
     2284, 2293, 2294, 2296, 2299, 2352, 2370, 2371, 2377, 2378, 2393, 2416, 2417, 2465]
)  # fmt: skip
WARNINGS = frozenset([2038, 2081, 2172, 2176, 2209, 2222, 2246, 2248, 2294, 2279, 2280, 2352, 2370, 2393])


@dataclass(frozen=True)
class Text:
    """An interface body, its attribute file, and the switches it is compiled with."""

    body: str
    acf: str | None = None
    header: str = HEADER
    switches: Switches = field(default_factory=Switches)

    def findings(self) -> list[Diagnostic]:
        return findings(interface(self.body, self.header), self.acf, switches=self.switches)


@dataclass(frozen=True)
class Row:
    """``number`` is ``None`` for what no page numbers; ``code`` then is the kit's own."""

    number: int | None
    wrong: Text
    legal: Text
    code: str = ""

    @property
    def name(self) -> str:
        return f"{self.number or self.code}: {self.wrong.body[-48:]}"


def text(body: str, acf: str = "", header: str = HEADER, **switches: Any) -> Text:
    """``acf`` is the inside of the attribute file's interface."""
    return Text(body, f"interface i {{ {acf} }}" if acf else None, header, Switches(**switches))


def row(number: int | str, wrong: Text | str, legal: Text | str) -> Row:
    sides = [side if isinstance(side, Text) else text(side) for side in (wrong, legal)]
    return Row(number, *sides) if isinstance(number, int) else Row(None, *sides, number)


BARE = HEADER.replace(", pointer_default(unique)", "")
FULL = HEADER.replace("unique", "ptr")
NODE = "typedef struct node { long v; struct node *next; } node; typedef node *PNODE; "
STRUCT = "typedef struct { long a; } S; "
LINKED = "typedef struct { long *p; } S; void f([in] S *s);"
OPEN = "typedef struct { long n; [size_is(n)] long a[]; } OPEN; "
CONTEXT = "typedef [context_handle] void *PCTX; "
OTHER = "interface IOther; "
SWITCHED = "typedef [switch_type(long)] union { [case(1)] long a; [default] ; } U; "
FIXED = "typedef long T; typedef struct { long a; } W; "
BUFFER = "void f([out] long *p, [in] long n);"
BYTES = "f([byte_count(n)] p);"


def allocate(options: str, name: str = "PNODE") -> str:
    return f"typedef [allocate({options})] {name};"


ROWS = [
    # defaults
    row(2038, text(LINKED, header=BARE), LINKED),
    row(2172, text(LINKED, header=BARE, osf=True), text(LINKED, header=FULL, osf=True)),
    row(2216, text("void f([in, ptr] long *p);", target="NT31"), text("void f([in, ptr] long *p);", target="NT35")),
    # directions
    row(2042, "void f([out] long a);", "void f([out] long *a);"),
    row(2042, "void f([out] handle_t a);", "void f([in] handle_t a);"),
    row(2187, text("void f(long a);", osf=True), text("void f([in] long a);", osf=True)),
    row(2279, "void f([out] const long *a);", "void f([in] const long *a);"),
    row(2284, OTHER + "void f([out] IOther *a);", OTHER + "void f([out] IOther **a);"),
    row(2121, "void f([out, unique] long *a);", "void f([in, out, unique] long *a);"),
    row(2121, "void f([out, ptr] long *a);", "void f([out] long **a);"),
    row(2121, "void f([out, unique] long a[4]);", "void f([out, ref] long a[4]);"),
    # results
    row(2177, "[ref] long *f([in] long a);", "[unique] long *f([in] long a);"),
    row(2198, SWITCHED + "U f(void);", SWITCHED + "void f([out, switch_is(1)] U *u);"),
    row(2199, OPEN + "OPEN f(void);", OPEN + "OPEN *f(void);"),
    row(2246, STRUCT + "S f(void);", STRUCT + "void f([out] S *s);"),
    row(2246, text(STRUCT + "S f(void);", mode="Oi", robust=False), text(STRUCT + "S f(void);", mode="Os", robust=False)),
    # what cannot be sent
    row(2139, "void f([in] void *a);", "void f([in] long *a);"),
    row(2145, "void *f(void);", "long *f(void);"),
    row(2241, "typedef struct { void *p; } S; void f([in] S *s);", "typedef struct { [ignore] long *p; } S; void f([in] S *s);"),
    row(2142, "typedef void (*F)(void); void f([in] F a);", "typedef long (*F); void f([in] F a);"),
    row(2148, "typedef void (*F)(void); F f(void);", "typedef long (*F); F f(void);"),
    row(2244, "typedef struct { void (*p)(void); } S; void f([in] S *s);", "typedef struct { long (*p); } S; void f([in] S *s);"),
    row(2162, "void f([in, ignore] long *a);", "typedef struct { [ignore] long *a; } S; void f([in] S *s);"),
    # pointers
    row(2163, "void f([in, unique, ptr] long *a);", "void f([in, ptr] long *a);"),
    row(2163, "typedef [ref] long *R; void f([in, unique] R a);", "typedef long *R; void f([in, unique] R a);"),
    row(2163, text("void f([in, ptr, ptr] long *a);", osf=True), "void f([in, ptr, ptr] long *a);"),
    row(2164, "typedef struct s { [ref] struct s *next; } s; void f([in] s *x);",
        "typedef struct s { [unique] struct s *next; } s; void f([in] s *x);"),
    row(2222, "typedef struct { [unique] long a[4]; } S;", "void f([in, unique] long a[4]);"),
    row(2249, "typedef union switch (long k) { case 1: [ref] long *a; } U; void f([in] U *u);",
        "typedef union switch (long k) { case 1: [unique] long *a; } U; void f([in] U *u);"),
    # expressions
    row(2058, "void f([in, size_is(n)] long *a);", "void f([in] long n, [in, size_is(n)] long *a);"),
    row(2058, "typedef struct { [size_is(n)] long *a; } S; void f([in] long n, [in] S *s);",
        "typedef struct { long n; [size_is(n)] long *a; } S; void f([in] long n, [in] S *s);"),
    row(2059, "void f([in] float n, [in, size_is(n)] long *a);", "void f([in] long n, [in, size_is(n)] long *a);"),
    row(2059, "void f([in] hyper n, [in, size_is(n)] long *a);", "void f([in] hyper n, [in, size_is((long) n)] long *a);"),
    row(2178, text("void f([in] long n, [in, size_is(n + 1)] long *a);", osf=True), "void f([in] long n, [in, size_is(n + 1)] long *a);"),
    row(2178, text("void f([in, size_is(4)] long *a);", osf=True), text("void f([in] long *n, [in, size_is(*n)] long *a);", osf=True)),
    row(2195, "void f([in, unique] long *n, [in, size_is(*n)] long *a);", "void f([in, ref] long *n, [in, size_is(*n)] long *a);"),
    row(2195, "void f([in, ptr] long *n, [in, length_is(*n)] long a[4]);", "void f([in] long *n, [in, length_is(*n)] long a[4]);"),
    row(2195, SWITCHED + "void f([in, unique] long *k, [in, switch_is(*k)] U *u);",
        SWITCHED + "void f([in] long *k, [in, switch_is(*k)] U *u);"),
    row(2195, SWITCHED + "typedef struct { [ptr] long *k; [switch_is(*k)] U u; } S; void f([in] S *s);",
        SWITCHED + "typedef struct { [ref] long *k; [switch_is(*k)] U u; } S; void f([in] S *s);"),
    row(2081, "void f([in] long n, [in] short l, [in, size_is(n), length_is(l)] long *a);",
        "void f([in] long n, [in] long l, [in, size_is(n), length_is(l)] long *a);"),
    row(2123, "void f([out] long *n, [out, size_is(*n)] long *a);", "void f([in, out] long *n, [out, size_is(*n)] long *a);"),
    row(2123, "void f([out] long *n, [out, size_is(*n)] long *a);", "void f([out] long *n, [out, size_is(, *n)] long **a);"),
    row(2124, "void f([out] long *n, [in, length_is(*n)] long a[4]);", "void f([in, out] long *n, [in, length_is(*n)] long a[4]);"),
    row(2124, "void f([out] long *n, [in, out, length_is(*n)] long a[4]);", "void f([out] long *n, [out, length_is(*n)] long a[4]);"),
    # arrays
    row(2040, OPEN + "void f([out] OPEN *s);", OPEN + "void f([out] OPEN **s);"),
    row(2043, text(OPEN + "void f([in] OPEN s);", target="NT51"), text(OPEN + "void f([in] OPEN *s);", target="NT51")),
    row(2465, OPEN + "void f([in] OPEN s);", OPEN + "void f([in] OPEN *s);"),
    row(2055, "typedef struct { [size_is(n)] long a[]; long n; } S; void f([in] S *s);", OPEN + "void f([in] OPEN *s);"),
    row(2076, "void f([in] long n, [in, length_is(n), last_is(n)] long a[3]);", "void f([in] long n, [in, length_is(n)] long a[3]);"),
    row(2077, "void f([in] long n, [in, size_is(n), max_is(n)] long *a);", "void f([in] long n, [in, max_is(n)] long *a);"),
    row(2102, "void f([in] long a[1..4]);", "void f([in] long a[0..4]);"),
    row(2103, "void f([in] long a[-1]);", "void f([in] long a[1]);"),
    row(2104, "void f([in] long n, [in, size_is(n)] long (*a)[]);", "void f([in] long n, [in, size_is(n)] long *a[]);"),
    row(2105, "void f([in] long a[]);", "void f([in, size_is(4)] long a[]);"),
    row(2105, "typedef struct { [string] char s[]; } S; void f([in] S *s);", "typedef struct { [string] char s[8]; } S; void f([in] S *s);"),
    row(2171, "typedef union switch (long k) { case 1: [size_is(3)] long a[]; } U; void f([in] U *u);",
        "typedef union switch (long k) { case 1: long a[3]; } U; void f([in] U *u);"),
    row(2171, "typedef union switch (long k) { case 1: [size_is(3)] long *a; } U; void f([in] U *u);",
        OPEN + "typedef union switch (long k) { case 1: OPEN *a; } U; void f([in] U *u);"),
    row(2176, "void f([in, min_is(0)] long a[4]);", "void f([in, first_is(0)] long a[4]);"),
    row(2296, "void f([in] long n, [in, size_is(n, n)] long a[][]);", "void f([in] long n, [in, size_is(n)] long a[][4]);"),
    row(2299, "void f([in] long n, [in, size_is(n)] long a[4]);", "void f([in] long n, [in, length_is(n)] long a[4]);"),
    row(2371, "void f([in, range(3, 2)] long a);", "void f([in, range(2, 3)] long a);"),
    row(2393, text("void f([in] long n, [in, size_is(n)] long a[][30]);", mode="Os", robust=False),
        text("void f([in] long n, [in, size_is(n)] long a[][30]);", mode="Oicf", robust=False)),
    row(2393, text("void f([in] long m, [in] long n, [in, size_is(m, n)] long **a);", mode="Os", robust=False),
        text("void f([in] long m, [in] long n, [in, size_is(m,)] long **a);", mode="Os", robust=False)),
    # strings
    row(2041, "void f([out, string] char *a);", "void f([out, string, size_is(9)] char *a);"),
    row(2041, "void f([out, string] char *a);", "void f([in, out, string] char *a);"),
    row(2075, "void f([in] long n, [in, string, length_is(n)] char *a);", "void f([in] long n, [in, string, size_is(n)] char *a);"),
    row(2075, "void f([in, string, first_is(1)] char a[9]);", "void f([in, string] char a[9]);"),
    row(2082, "void f([in, string] long *a);", "void f([in, string] wchar_t *a);"),
    row(2191, "typedef struct { char c; } S; void f([in, string] S *a);", "typedef struct { char c; } S; void f([in] S *a);"),
    row(2293, "typedef struct { short x; } S; void f([in, string] S *a);", "typedef struct { short x; } S; void f([in] S *a);"),
    # attributes
    row(2072, "void f([in, size_is(3)] long a);", "void f([in, size_is(3)] long *a);"),
    row(2072, NODE + "typedef [ignore] long *P;", NODE + "typedef [unique] long *P;"),
    row(2072, text(NODE + "void f([in] PNODE p);", "f([allocate(all_nodes)] p);"), text(NODE + "void f([in] PNODE p);", allocate("all_nodes"))),
    row(2072, text(BUFFER, "[byte_count(n)] f();"), text(BUFFER, BYTES)),
    row(2096, "[propget, propput] void f(void);", "[propget] void f(void);"),
    row(2096, text("void f(void);", "[code, nocode] f();"), text("void f(void);", "[code] f();")),
    row(2150, text("[notify] void f(void);", app_config=False), text("void f(void);", "[notify] f();", app_config=False)),
    row(2150, text("[notify] void f(void);", app_config=False), text("[notify] void f(void);", app_config=True)),
    row(2166, text("void f([in, range(0, 1)] long a);", osf=True), "void f([in, range(0, 1)] long a);"),
    row(2209, "void f([in, string, string] char *a);", "void f([in, string] char *a);"),
    row(2294, text("void f(void);", "[notify] f();", mode="Oi", robust=False), text("void f(void);", "[notify] f();", mode="Oicf", robust=False)),
    row(2370, text("void f(void);", mode="Oi"), text("void f(void);", mode="Oi", robust=False)),
    row(2370, text("void f(void);", mode="Os"), text("void f(void);", mode="Oif")),
    # the attribute allocate
    row(2073, text(NODE, allocate("all_nodes"), header=FULL, osf=True), text(NODE, allocate("all_nodes"), header=FULL)),
    row(2074, text(NODE, allocate("on_null")), text(NODE, allocate("free"))),
    row(2158, text(NODE, allocate("all_nodes", "node")), text(NODE, allocate("all_nodes"))),
    row(2158, text("typedef void *P;", allocate("free", "P")), text("typedef long *P;", allocate("free", "P"))),
    row(2211, text(NODE, allocate("all_nodes, single_node")), text(NODE, allocate("all_nodes, free"))),
    row(2211, text(NODE, allocate("free, dont_free")), text(NODE, allocate("single_node, dont_free"))),
    row(2223, text("typedef [transmit_as(long)] short *T;", allocate("free", "T")), text("typedef short *T;", allocate("free", "T"))),
    row(2223, text("typedef [wire_marshal(long)] short *T;", allocate("free", "T")), text("typedef short *T;", allocate("free", "T"))),
    row(2223, text("typedef long *W; typedef [wire_marshal(W)] short T;", allocate("free", "W")), "typedef long *W; typedef [wire_marshal(W)] short T;"),
    row(2223, text("typedef long *T;", "typedef [user_marshal(LOCAL), allocate(free)] T;"), text("typedef long *T;", "typedef [user_marshal(LOCAL)] T;")),
    row(2227, text(CONTEXT, allocate("free", "PCTX")), text("typedef long *PCTX;", allocate("free", "PCTX"))),
    row(
        2227,
        text("typedef [handle] char *H; typedef H H2;", allocate("free", "H2")),
        text("typedef char *H; typedef H H2;", allocate("free", "H2")),
    ),
    row(2227, text("typedef handle_t *H;", allocate("free", "H")), text("typedef long *H;", allocate("free", "H"))),
    row(2227, text("typedef [handle] char *H;", allocate("free", "H")), text("typedef char *H;", allocate("free", "H"))),
    row(2248, text(NODE + "void f([in, out] PNODE *p);", allocate("all_nodes")), text(NODE + "void f([out] PNODE *p);", allocate("all_nodes"))),
    # the attribute byte_count
    row(2060, text(BUFFER, BYTES, osf=True), text(BUFFER, BYTES)),
    row(2061, text("void f([in] long *p, [in] long n);", BYTES), text(BUFFER, BYTES)),
    row(2062, text(OPEN + "void f([in, out] OPEN *p, [in] long n);", BYTES), text(STRUCT + "void f([out] S *p, [in] long n);", BYTES)),
    row(2063, text("void f([in, out] long *p, [in] long n);", BYTES), text(BUFFER, BYTES)),
    row(2063, text("void f([out] long *p, [in, out] long *n);", BYTES), text(BUFFER, BYTES)),
    row(2064, text("void f([out] long *p, [in] float n);", BYTES), text("void f([out] long *p, [in] small n);", BYTES)),
    row(2065, text("void f([out, size_is(n)] long *p, [in] long n);", BYTES), text(BUFFER, BYTES)),
    # handles
    row(2044, "typedef [handle] char *H; void f([out] H h);", "typedef [handle] char *H; void f([out] H *h);"),
    row(2044, "typedef [handle] long H; void f([out] H h);", "typedef [handle] long H; void f([out] H *h);"),
    row(2044, CONTEXT + "void f([out] PCTX h);", CONTEXT + "void f([out] PCTX *h);"),
    row(2045, "typedef [context_handle, transmit_as(long)] void *H;", "typedef [context_handle] void *H;"),
    row(2045, "typedef [transmit_as(long)] short X; typedef [context_handle] X H;", "typedef void *X; typedef [context_handle] X H;"),
    row(2068, text(STRUCT + "typedef [context_handle] S *H;", osf=True), text("typedef [context_handle] void *H;", osf=True)),
    row(2068, text(STRUCT + "typedef [context_handle] S *H;", osf=True), STRUCT + "typedef [context_handle] S *H;"),
    row(2084, CONTEXT + "typedef [transmit_as(long)] PCTX H;", CONTEXT + "typedef PCTX H;"),
    row(2135, text(CONTEXT + "typedef struct { PCTX h; } S; void f([in] S *s);", target="NT51"),
        text(CONTEXT + "typedef struct { PCTX h; } S; void f([in] S *s);", target="NT60")),
    row(2135, "typedef struct { handle_t h; } S; void f([in] S *s);", STRUCT + "void f([in] handle_t h, [in] S *s);"),
    row(2135, text(CONTEXT + "typedef union switch (long k) { case 1: PCTX h; } U; void f([in] U *u);", target="NT51"),
        text(CONTEXT + "void f([in] PCTX h);", target="NT51")),
    row(2136, text(CONTEXT + "void f([in] PCTX h[4]);", target="NT51"), text(CONTEXT + "void f([in] PCTX h[4]);", target="NT60")),
    row(2136, "void f([in] handle_t h[4]);", "void f([in] handle_t h);"),
    row(2181, "void f([in, unique] handle_t *h);", "void f([in] handle_t h);"),
    row(2181, CONTEXT + "void f([in, out, unique] PCTX *h);", CONTEXT + "void f([in, out, ref] PCTX *h);"),
    row(2237, "void f([in, context_handle] long h);", "void f([in, context_handle] long *h);"),
    row(2377, text(CONTEXT, "typedef [context_handle_serialize, context_handle_noserialize] PCTX;"),
        text(CONTEXT, "typedef [context_handle_noserialize] PCTX;")),
    row(2377, text(CONTEXT + "void f([in] PCTX h);", "f([context_handle_serialize, context_handle_noserialize] h);"),
        text(CONTEXT + "void f([in] PCTX h);", "f([context_handle_serialize] h);")),
    row(2378, text("typedef void *PV;", "typedef [context_handle_serialize] PV;"), text(CONTEXT, "typedef [context_handle_serialize] PCTX;")),
    # conversions
    row(2086, "typedef long *P; typedef [transmit_as(P)] short T;", "typedef long P; typedef [transmit_as(P)] short T;"),
    row(2086, text("typedef struct { long *p; } T;", "typedef [represent_as(LOCAL)] T;"),
        text("typedef struct { long p; } T;", "typedef [represent_as(LOCAL)] T;")),
    row(2087, OPEN + "typedef [transmit_as(long)] OPEN T;", STRUCT + "typedef [transmit_as(long)] S T;"),
    row(2087, "typedef [transmit_as(long)] char T[];", "typedef [transmit_as(long)] char T[8];"),
    row(2416, "typedef struct { [ptr] long *a; } W; typedef [wire_marshal(W)] long T;",
        "typedef struct { [unique] long *a; } W; typedef [wire_marshal(W)] long T;"),
    row(2416, text("typedef struct { [ptr] long *a; } T;", "typedef [user_marshal(LOCAL)] T;"),
        text("typedef struct { [unique] long *a; } T;", "typedef [user_marshal(LOCAL)] T;")),
    row(2417, OPEN + "typedef [wire_marshal(OPEN)] long T;", OPEN + "typedef OPEN *POPEN; typedef [wire_marshal(POPEN)] long T;"),
    row(2417, text(OPEN, "typedef [user_marshal(LOCAL)] OPEN;"), text(STRUCT, "typedef [user_marshal(LOCAL)] S;")),
    # pipes
    row(2352, "typedef pipe char P; void f([in] P p, [in, string] char *a);", "typedef pipe char P; void f([in] P p, [in] char *a);"),
    row(2352, "typedef pipe char P; void f([in] P p, [in, unique] long *a);", "typedef pipe char P; void f([in] P p, [in] long *a);"),
    row(2352, "typedef pipe char P; " + OPEN + "void f([in] P p, [in] OPEN *a);", "typedef pipe char P; " + STRUCT + "void f([in] P p, [in] S *a);"),
    row(2352, "typedef pipe char P; void f([in] P p, [in, ptr] long *a);", "typedef pipe char P; void f([in] P p, [in] long *a);"),
    row(2317, "typedef struct { long *p; } S; typedef pipe S P; void f([in] P p);", "typedef struct { long p; } S; typedef pipe S P; void f([in] P p);"),
    row(2317, "typedef [string] char T[8]; typedef pipe T P; void f([in] P p);", "typedef char T[8]; typedef pipe T P; void f([in] P p);"),
    row(2317, "typedef enum { A } E; typedef pipe E P; void f([out] P *p);", "typedef [v1_enum] enum { A } E; typedef pipe E P; void f([out] P *p);"),
    row(2317, "typedef union switch (long k) { case 1: long a; } U; typedef pipe U P; void f([in] P p);", "typedef pipe long P; void f([in] P p);"),
    row(2317, "typedef pipe __int3264 P; void f([in] P p);", "typedef pipe hyper P; void f([in] P p);"),
    row(2317, "typedef pipe char Q; typedef pipe Q P; void f([in] P p);", "typedef pipe char P; void f([in] P p);"),
    row(2321, "typedef pipe char P; typedef struct { P p; } S; void f([in] S *s);", "typedef pipe char P; void f([in] P p);"),
    row(2321, "typedef pipe char P; void f([in] P p[2]);", "typedef pipe char P; void f([in] P p);"),
    row(2321, "typedef pipe char P; typedef union switch (long k) { case 1: P p; } U; void f([in] U u);", "typedef pipe char P; void f([in] P p);"),
    row(2322, "typedef pipe char P; P f(void);", "typedef pipe char P; void f([out] P *p);"),
    row(2322, "typedef pipe char P; void f([in, unique] P *p);", "typedef pipe char P; void f([in, ref] P *p);"),
    row(2322, "typedef pipe char P; void f([in] P **p);", "typedef pipe char P; void f([in, out] P *p);"),
    row(2322, "typedef pipe char P; typedef [transmit_as(long)] P T; void f([in] P p);", "typedef pipe char P; void f([in] P p);"),
    # handles, unions and constants
    row(2182, "void f([in] handle_t h, [in] long a, [in] handle_t g);", "void f([in] handle_t h, [in] long a);"),
    row(2238, "handle_t f(void);", "void f([in] handle_t h);"),
    row(2268, CONTEXT + "PCTX *f(void);", CONTEXT + "PCTX f(void);"),
    row(2235, "typedef [switch_type(long)] union { } U; void f([in] long t, [in, switch_is(t)] U *u);",
        "typedef [switch_type(long)] union { [default]; } U; void f([in] long t, [in, switch_is(t)] U *u);"),
    row(2154, "const char C = \"x\"; void f(void);", "const char *C = \"x\"; void f(void);"),
    row(2154, "const char *C = 5; void f(void);", "const char *C = 0; void f(void);"),
    row(2154, "typedef struct { long a; } S; const S C = 5; void f(void);", "const long C = 5; void f(void);"),
    # what no page numbers
    row("IDL344", "void f([in, unique, partial_ignore] long *a);", "void f([in, out, unique, partial_ignore] long *a);"),
    row("IDL344", "void f([in, out, partial_ignore] long *a);", "void f([in, out, unique, partial_ignore] long *a);"),
    row("IDL344", text("void f([in, out] long *a);", "f([partial_ignore] a);"), text("void f([in, out, unique] long *a);", "f([partial_ignore] a);")),
    row("IDL371", "void f([in, out, unique, string, partial_ignore] char *a);", "void f([in, out, unique, string, size_is(9), partial_ignore] char *a);"),
    row("IDL370", text("void f([in, out, unique, partial_ignore] long *a);", target="NT50"), text("void f([in, out, unique, partial_ignore] long *a);", target="NT51")),
    row("IDL370", text("void f([in] long *a);", "f([force_allocate] a);", target="NT50"), text("void f([in] long *a);", "f([force_allocate] a);", target="NT51")),
    row("IDL370", text("void f([in, unique, size_is(2), disable_consistency_check] long *a);", target="NT51"),
        text("void f([in, unique, size_is(2), disable_consistency_check] long *a);", target="NT60")),
    row("IDL370", text("void f([in, unique, size_is(2)] long *a);", target="NT51", maybenull_sizeis=True),
        text("void f([in, unique, size_is(2)] long *a);", target="NT60", maybenull_sizeis=True)),
    row("IDL370", text("void f([in] long n, [in, size_is(n), range(0, 9)] long *a);", target="NT51"),
        text("void f([in, range(0, 9)] long n, [in, size_is(n)] long *a);", target="NT51")),
    row("IDL370", text("void f(void);", "[notify] f();", target="NT40"), text("void f(void);", "[notify] f();", target="NT50")),
    row("IDL369", text("void f([in, range(0, 9)] long n);", robust=False), text("void f([in, range(0, 9)] long n);", robust=True)),
    row("IDL369", text("void f([in, range(0, 9)] long n);", target="NT40"), text("void f([in, range(0, 9)] long n);", target="NT50")),
    row("IDL375", text("void f([in] long n, [in, length_is(, n)] long (*a)[8]);", osf=True),
        text("void f([in] long n, [in, length_is(n)] long a[8]);", osf=True)),
    row("IDL376", text("typedef struct { long n; [ref, size_is(n)] long *a; } S; void f([out] S *s);", osf=True),
        text("typedef struct { long n; [ref, size_is(n)] long *a; } S; void f([in, out] S *s);", osf=True)),
    row("IDL376", text("typedef [ref] long *R; void f([in] long n, [out, size_is(, n)] R *a);", osf=True),
        text("typedef [ptr] long *P; void f([in] long n, [out, size_is(, n)] P *a);", osf=True)),
    row("IDL421", text(BUFFER, BYTES, ndr64=True), text(BUFFER, BYTES, ndr64=False)),
]  # fmt: skip
