"""The rules of RPC memory management as data: what events, errors and the book cite by id.

Each rule says in one sentence what happens, on which side, where it is documented (page names of Microsoft's RPC and
MIDL documentation, or the implementation it was seen in), and which claims of the project's table it covers.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap


@dataclass(frozen=True, slots=True, repr=False)
class Rule:
    """One rule. ``side`` is ``client``, ``server``, ``both`` or ``wire``."""

    id: str
    side: str
    statement: str
    sources: tuple[str, ...]
    claims: tuple[str, ...]

    def __repr__(self) -> str:
        lines = wrap(self.statement, 74) + wrap("source: " + ", ".join(self.sources), 74)
        return "\n  ".join([f"{self.id} ({self.side})", *lines])


def _rule(id_: str, side: str, statement: str, sources: str, claims: str) -> Rule:
    return Rule(id_, side, statement, tuple(sources.split()), tuple(claims.split()))


_TABLE = (
    # --- the client ---
    _rule(
        "client-owns",
        "client",
        "The client application allocates what it passes and frees it, and everything it gets back, itself.",
        "directional-attributes-applied-to-the-parameter.md the-midl-user-free-function.md",
        "M-160 M-164 M-166 M-167 M-203 M-238",
    ),
    _rule(
        "in-data-travels",
        "client",
        "The client stub copies [in] and [in,out] data, with everything its pointers reach, into the request.",
        "introduction-to-rpc-memory-management.md server-stub-memory-management.md",
        "M-001 M-002 M-077 M-491",
    ),
    _rule(
        "client-overwrites-existing",
        "client",
        "Data that comes back is written over the storage the client's pointer named before the call.",
        "top-level-and-embedded-pointers.md summary-of-memory-allocation-rules.md",
        "M-003 M-021 M-155 M-156 M-227 M-250 M-256 M-267",
    ),
    _rule(
        "client-null-to-new",
        "client",
        "A pointer that was null and comes back non-null gets new storage from the client's midl_user_allocate.",
        "top-level-and-embedded-pointers.md the-midl-user-allocate-function.md",
        "M-019 M-020 M-056 M-154 M-162 M-194 M-223 M-240 M-244 M-254 M-263 M-295",
    ),
    _rule(
        "client-allocates-result",
        "client",
        "What a returned pointer names is always new storage on the client.",
        "function-return-values.md summary-of-memory-allocation-rules.md",
        "M-201 M-221 M-392",
    ),
    _rule(
        "client-never-frees-orphans",
        "client",
        "The client stub frees nothing: storage whose last pointer came back null is orphaned.",
        "memory-orphaning.md",
        "M-166 M-204 M-206 M-208 M-209 M-211 M-215 M-224 M-225 M-255 M-264",
    ),
    _rule(
        "mccp-rejects-larger",
        "client",
        "A response with more data than the client's buffer takes is rejected with RPC_X_BAD_STUB_DATA.",
        "mccp-buffer-protection.md",
        "M-157 M-158 M-191 M-192 M-387",
    ),
    # --- the server ---
    _rule(
        "server-reuses-buffer",
        "server",
        "Data that looks the same in memory as on the wire stays in the received buffer; nothing is allocated.",
        "server-stub-memory-management.md",
        "M-057 M-078 M-079 M-084 M-123 M-124 M-161",
    ),
    _rule(
        "server-rebuilds-input",
        "server",
        "The server stub rebuilds [in] and [in,out] data in the server's memory before the routine runs.",
        "server-stub-memory-management.md directional-attributes-applied-to-the-parameter.md",
        "M-001 M-018 M-161 M-165 M-239",
    ),
    _rule(
        "server-allocates-varying",
        "server",
        "A varying array is copied into allocated storage: only its transmitted range is in the buffer.",
        "server-stub-memory-management.md",
        "M-082 M-169 M-351 M-366",
    ),
    _rule(
        "server-allocates-sized-string",
        "server",
        "A string with a declared size is copied into allocated storage of that size.",
        "server-stub-memory-management.md",
        "M-083 M-378",
    ),
    _rule(
        "server-allocates-resized-type",
        "server",
        "A type whose size differs between memory and wire, such as a plain enum, is copied.",
        "server-stub-memory-management.md",
        "M-085 M-091",
    ),
    _rule(
        "server-allocates-complex",
        "server",
        "A structure whose layout differs between memory and wire is copied member by member.",
        "server-stub-memory-management.md",
        "M-086 M-087 M-089 M-090",
    ),
    _rule(
        "server-allocates-union",
        "server",
        "Data that holds a union is copied: only the chosen arm is in the buffer.",
        "server-stub-memory-management.md",
        "M-088",
    ),
    _rule(
        "server-allocates-widened-pointer",
        "server",
        "Pointers are 4 octets in NDR 2.0 and 8 in a 64-bit server, so what holds them is copied.",
        "server-stub-memory-management.md",
        "M-096 M-097",
    ),
    _rule(
        "server-allocates-ref-array",
        "server",
        "An array of reference pointers is copied.",
        "server-stub-memory-management.md",
        "M-092",
    ),
    _rule(
        "server-allocates-forced",
        "server",
        "An ACF attribute on the pointer forces allocation.",
        "force-allocate.md allocate.md server-stub-memory-management.md",
        "M-093 M-094 M-114 M-127 M-150",
    ),
    _rule(
        "server-zeroes-out",
        "server",
        "After the input is there, the stub provides zeroed storage for each [out] reference parameter.",
        "server-stub-memory-management.md",
        "M-101 M-102 M-104 M-108 M-125 M-163 M-185 M-186 M-241 M-293",
    ),
    _rule(
        "routine-allocates",
        "server",
        "The routine allocates whatever is new below a parameter with midl_user_allocate.",
        "the-midl-user-allocate-function.md server-stub-memory-management.md",
        "M-017 M-109 M-163 M-165 M-294",
    ),
    _rule(
        "routine-frees",
        "server",
        "A routine may free only what it knows to come from midl_user_allocate.",
        "the-midl-user-free-function.md force-allocate.md server-stub-memory-management.md",
        "M-022 M-024 M-106 M-113",
    ),
    _rule(
        "out-data-travels",
        "server",
        "When the routine has returned, [out] and [in,out] data is copied into the response.",
        "server-stub-memory-management.md",
        "M-003 M-023 M-115 M-312 M-466 M-491",
    ),
    _rule(
        "server-frees-after-reply",
        "server",
        "After the response is marshalled the stub frees what the parameters reach, the receive buffer aside.",
        "server-stub-memory-management.md the-midl-user-free-function.md",
        "M-023 M-058 M-116 M-117 M-118 M-119 M-168 M-212",
    ),
    _rule(
        "dont-free-keeps",
        "server",
        "The stub leaves allocate(dont_free) storage alone: freeing it is the server application's duty.",
        "persistent-storage-on-the-server.md allocate.md",
        "M-073 M-120 M-146 M-149 M-231",
    ),
    _rule(
        "osf-stub-environment",
        "server",
        "A DCE stub takes its storage from the RpcSs environment it sets up.",
        "rpcss-memory-management-package.md -osf.md",
        "M-029 M-033",
    ),
    _rule(
        "environment-released-at-end",
        "server",
        "Storage of an environment that the stub set up is released with it, reachable or not.",
        "rpcss-memory-management-package.md nf-rpcndr-rpcsmallocate.md",
        "M-034 M-042",
    ),
    # --- both sides ---
    _rule(
        "application-allocates",
        "both",
        "The application allocates nodes that cross the interface with the allocator the stubs use.",
        "the-midl-user-allocate-function.md",
        "M-008 M-013 M-017",
    ),
    _rule(
        "allocator-null-raises",
        "both",
        "A null pointer from the allocator becomes RPC_S_OUT_OF_MEMORY; the client of a failing server sees 1130.",
        "the-midl-user-allocate-function.md rpc-return-values.md",
        "M-014 M-015",
    ),
    _rule(
        "ref-never-null",
        "both",
        "A reference pointer is never null; the stub raises RPC_X_NULL_REF_POINTER.",
        "pointer-attributes-applied-to-the-parameter.md summary-of-memory-allocation-rules.md",
        "M-187 M-220 M-248 M-284 M-468",
    ),
    _rule(
        "unique-no-cycle",
        "both",
        "Unique pointers may form neither cycles nor sharing: each is marshalled on its own.",
        "unique.md pointer-attributes-applied-to-the-parameter.md",
        "M-257 M-258",
    ),
    _rule(
        "null-needs-zero-size",
        "both",
        "A null top-level pointer is accepted only if its size attribute is 0.",
        "mccp-buffer-protection.md",
        "M-195 M-196",
    ),
    _rule(
        "server-exception-reaches-client",
        "both",
        "An exception on the server ends the call: nothing is marshalled back and the client gets the code.",
        "indicate-errors-by-exceptions.md server-stub-memory-management.md",
        "M-115 M-465 M-477",
    ),
    # --- the wire ---
    _rule(
        "bad-data-rejected",
        "wire",
        "Octets that do not fit the interface are rejected before the routine sees them.",
        "server-stub-memory-management.md rpc-return-values.md",
        "M-080 M-365 M-467",
    ),
    _rule(
        "length-within-size",
        "wire",
        "No more elements are transmitted than the array has; otherwise RPC_X_INVALID_BOUND.",
        "length-size-and-directional-attributes.md",
        "M-170 M-322",
    ),
    _rule(
        "negative-bounds-raise",
        "wire",
        "A negative size or length raises RPC_X_INVALID_BOUND.",
        "array-attributes.md",
        "M-327",
    ),
    _rule(
        "range-checked",
        "wire",
        "A value or count outside its [range] makes unmarshalling fail.",
        "range.md",
        "M-359 M-362",
    ),
    _rule(
        "string-measures-itself",
        "wire",
        "The stub counts a string's characters itself and sends them with the terminator.",
        "string.md",
        "M-371 M-373",
    ),
    _rule(
        "string-terminated",
        "wire",
        "A received string without its terminator is rejected.",
        "string.md",
        "M-384",
    ),
    _rule(
        "enum-fits-16-bits",
        "wire",
        "A plain enumeration travels in 16 bits; a value outside 0 to 32767 raises.",
        "enum.md",
        "M-474 M-492",
    ),
    _rule(
        "union-needs-an-arm",
        "wire",
        "A discriminant without an arm, and no default arm, raises RPC_X_INVALID_TAG.",
        "rpc-return-values.md",
        "M-467",
    ),
)

RULES: dict[str, Rule] = {rule.id: rule for rule in _TABLE}
