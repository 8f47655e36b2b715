"""Every finding of the front end, as one table.

The ids are stable: ``IDL1xx`` text and syntax, ``IDL2xx`` names and types, ``IDL3xx`` directions, pointers and arrays,
``IDL4xx`` attribute configuration files and memory attributes. The MIDL numbers are those of compiler-errors.md;
``page`` names the page behind the rule, ``claims`` the facts it covers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``title`` is a format string; ``remedy`` says how to mend the text."""

    code: str
    midl: int | None
    title: str
    remedy: str = ""
    page: str = "compiler-errors.md"
    claims: tuple[str, ...] = ()
    severity: str = "error"


def _row(
    code: str,
    midl: int | None,
    title: str,
    remedy: str = "",
    page: str = "",
    claims: str = "",
    severity: str = "error",
) -> Finding:
    return Finding(code, midl, title, remedy, page or "compiler-errors.md", tuple(claims.split()), severity)


def _warn(
    code: str, midl: int | None, title: str, remedy: str = "", page: str = "", claims: str = ""
) -> Finding:
    return _row(code, midl, title, remedy, page, claims, "warning")


_ROWS = (
    # --- text and syntax
    _row("IDL101", 2025, "unexpected {found}"),
    _row("IDL102", 2023, "the character {found} does not belong here"),
    _row("IDL103", 2025, "the text ends too early", "close what is still open"),
    _row("IDL104", 2002, "nested more than {limit} deep", "name the inner parts with typedef"),
    _row("IDL105", None, "the comment is never closed", "add */"),
    _row("IDL106", None, "the quoted text is never closed", "add the closing quote on the same line"),
    _row("IDL107", None, "preprocessor: {reason}"),
    _row("IDL108", None, "the file {name} was not found", "add its folder to include_dirs", "import.md"),
    _row(
        "IDL109",
        None,
        "the file {name} imports itself: {chain}",
        "move what both need to a third file",
        "import.md",
    ),
    _row("IDL110", None, "{level} is not a packing level", "use 1, 2, 4, 8 or 16", "pragma.md"),
    _row("IDL111", None, "the expression is not complete", "write a number, a name or a parenthesis here"),
    _row("IDL112", None, "the number {text} is malformed or too large", "a number has at most 64 bits"),
    _row("IDL113", None, "division by zero"),
    _row("IDL114", None, "{what} cannot be used in this expression"),
    # --- names and types
    _row(
        "IDL201",
        2011,
        "the type {name} is not defined",
        "define or import it above its first use",
        "typedef.md",
    ),
    _row("IDL202", 2003, "{name} is already defined", "give one of the two another name"),
    _row("IDL203", 2006, "{name} contains itself", "put a pointer between a type and itself"),
    _row(
        "IDL204", 2009, "{name} is not defined in this expression", "name a constant or an enumeration label"
    ),
    _row("IDL205", None, "the words {words} do not make a type", "see base-types.md", "base-types.md"),
    _row(
        "IDL206", None, "the member {name} is a bit-field", "use a whole integer and masks", "bit-fields.md"
    ),
    _row(
        "IDL207",
        None,
        "the base interface {name} is not defined",
        "import the file that defines it",
        "interface.md",
    ),
    _row(
        "IDL208",
        None,
        "{name} is declared but its members are not",
        "write its body in this file",
        "struct.md",
    ),
    _row(
        "IDL209",
        None,
        "a union needs [switch_type] of an integer, character, boolean or enum type",
        "add [switch_type(long)]",
        "switch-type.md",
    ),
    _row(
        "IDL210",
        None,
        "the union {name} needs [switch_is] here",
        "name what selects the arm: [switch_is(tag)]",
        "switch-is.md",
    ),
    _row(
        "IDL211",
        None,
        "a union arm needs [case] or [default]",
        "add [case(value)]",
        "nonencapsulated-unions.md",
    ),
    _row("IDL212", None, "case {label} appears twice", "", "union.md"),
    _warn("IDL213", None, "the interface has no [uuid]", "add [uuid(…)] or [local]", "uuid.md"),
    _row("IDL214", None, "{text} is not a UUID", "write 8-4-4-4-12 hexadecimal digits", "uuid.md"),
    _row("IDL215", None, "{text} is not a version", "write [version(major.minor)]", "version.md"),
    _row("IDL216", None, "[{name}] needs {what}", ""),
    _row("IDL217", 2000, "DCE mode takes no parameters without a name", "name it", "-osf.md"),
    _row(
        "IDL218",
        None,
        "a variable number of arguments cannot be sent",
        "pass a sized array",
        "idl-procedures.md",
    ),
    # --- directions, pointers, arrays
    _row(
        "IDL301",
        2042,
        "the [out] parameter {name} is no pointer",
        "write a * before its name, or make it an array",
        "out-idl.md",
        "M-314",
    ),
    _row(
        "IDL302",
        2187,
        "the parameter {name} has neither [in] nor [out]",
        "DCE mode has no default direction",
        "directional-parameter-attributes.md",
        "M-313",
    ),
    _row(
        "IDL303",
        2139,
        "the parameter {name} is or contains void *",
        "give it a type, or [context_handle]",
        "void.md",
        "M-291",
    ),
    _row("IDL304", 2145, "the result of {name} is or contains void *", "give it a type", "void.md", "M-291"),
    _row("IDL305", 2241, "the member {name} is a void *", "give it a type", "void.md", "M-291"),
    _row(
        "IDL306", 2142, "the parameter {name} is a pointer to a function", "", "function-pointers.md", "M-292"
    ),
    _row("IDL307", 2148, "the result of {name} is a pointer to a function", "", "", "M-292"),
    _row("IDL308", 2244, "the member {name} is a pointer to a function", "", "", "M-292"),
    _row(
        "IDL310",
        2058,
        "{name} in [{attribute}] is neither a parameter nor a member beside it",
        "name a parameter of this procedure, or a member of this structure",
        "size-is.md",
        "M-335 M-338",
    ),
    _row("IDL311", 2059, "the expression in [{attribute}] is not a 32-bit integer", "", "", "M-335"),
    _row("IDL312", 2076, "[length_is] and [last_is] exclude each other", "keep one", "length-is.md", "M-328"),
    _row("IDL313", 2077, "[size_is] and [max_is] exclude each other", "keep one", "size-is.md", "M-329"),
    _row(
        "IDL314",
        2299,
        "[{attribute}] on a dimension of fixed size",
        "leave the bound out: []",
        "size-is.md",
        "M-331",
    ),
    _row(
        "IDL315",
        2105,
        "the array {name} has neither a bound nor [size_is]",
        "add [size_is(…)]",
        "size-is.md",
        "M-332 M-374",
    ),
    _row(
        "IDL316",
        2296,
        "only the first dimension of {name} may be left open",
        "give the others a bound",
        "size-is.md",
        "M-345",
    ),
    _row("IDL317", 2072, "[{attribute}] does not apply to {name}", ""),
    _row(
        "IDL318",
        2075,
        "[{attribute}] and [string] exclude each other",
        "a string measures its own length",
        "string.md",
        "M-379",
    ),
    _row("IDL319", 2082, "[string] applies to char, wchar_t and byte only", "", "string.md", "M-381"),
    _row("IDL320", 2191, "[string] on a structure", "", "string.md", "M-381"),
    _row(
        "IDL321",
        2041,
        "the [out] string {name} has no size",
        "add [size_is(…)], or one more *",
        "string.md",
        "M-375",
    ),
    _row("IDL322", 2102, "the lower bound of an array is always 0", "", "array-attributes.md", "M-353"),
    _row("IDL323", 2103, "{text} is not the size of an array", "write a positive number", "arrays.md"),
    _row(
        "IDL324",
        2163,
        "a second pointer attribute: [{second}] after [{first}]",
        "keep one",
        "pointers.md",
        "M-287",
    ),
    _row(
        "IDL325",
        2177,
        "the result of {name} is a [ref] pointer",
        "use [unique] or [ptr]",
        "function-return-values.md",
        "M-198 M-202 M-252",
    ),
    _row(
        "IDL326",
        2198,
        "the result of {name} is a union",
        "return it through an [out] parameter",
        "function-return-values.md",
        "M-198",
    ),
    _row(
        "IDL327",
        2199,
        "the result of {name} is a conformant structure",
        "return it through an [out] parameter",
        "function-return-values.md",
        "M-199",
    ),
    _row(
        "IDL328",
        2121,
        "the [out] parameter {name} is a [{kind}] pointer at top level",
        "add [in], or one more *",
        "out-only-unique-or-full-pointer-parameters-not-accepted.md",
        "M-188 M-190 M-222",
    ),
    _row(
        "IDL329",
        2123,
        "the size of {name} depends on {other}, which is [out] only",
        "make {other} [in, out]",
        "the-size-is-attribute.md",
        "M-320",
    ),
    _row(
        "IDL330",
        2124,
        "the length of the [in] array {name} depends on {other}, which is [out] only",
        "make {other} [in, out]",
        "length-size-and-directional-attributes.md",
        "M-172 M-178 M-333",
    ),
    _row(
        "IDL331",
        2195,
        "[{attribute}] of {name} reads through {other}, which may be null",
        "make {other} a [ref] pointer",
        "unique.md",
        "M-260",
    ),
    _row(
        "IDL332",
        2178,
        "DCE mode takes only a variable or a dereference in [{attribute}]",
        "",
        "-osf.md",
        "M-336",
    ),
    _row(
        "IDL333",
        2055,
        "the conformant member {name} is not the last one",
        "move it to the end",
        "midl-arrays.md",
        "M-346",
    ),
    _row(
        "IDL334",
        2040,
        "the [out] parameter {name} points to a conformant structure",
        "use a pointer to a pointer",
        "",
        "M-347",
    ),
    _row(
        "IDL335",
        2465,
        "the conformant structure {name} is passed by value",
        "pass a pointer to it",
        "",
        "M-348",
    ),
    _row(
        "IDL336",
        2164,
        "the structure {name} contains itself, directly or through [ref] pointers",
        "use [unique] or [ptr]",
        "",
        "M-288",
    ),
    _row("IDL337", 2249, "the union arm {name} is a [ref] pointer", "use [unique] or [ptr]", "", "M-289"),
    _row("IDL338", 2171, "the union arm {name} is a conformant array", "use a sized pointer"),
    _row("IDL339", 2279, "the [out] parameter {name} is const", "", "", "M-315"),
    _row("IDL340", 2284, "the [out] interface pointer {name} has one level only", "write **", "", "M-309"),
    _row("IDL341", 2371, "[range]: {high} is below {low}", "swap the limits", "range.md", "M-363"),
    _row(
        "IDL342",
        2104,
        "{name} is a pointer to a conformant array, or an array of them",
        "use a sized pointer",
    ),
    _row(
        "IDL343",
        2162,
        "[ignore] on {name}, which is a parameter or a type",
        "[ignore] belongs to a member",
        "ignore.md",
        "M-305",
    ),
    _row(
        "IDL344",
        None,
        "[partial_ignore] on {name} needs [in, out, unique] beside it",
        "add what is missing",
        "partial-ignore.md",
        "M-301",
    ),
    _row(
        "IDL345",
        2044,
        "the [out] context handle {name} needs one more *",
        "write **",
        "context-handle.md",
        "M-405",
    ),
    _row("IDL346", 2237, "[context_handle] on {name}, which is no pointer", "", "context-handle.md", "M-408"),
    _row("IDL347", 2068, "DCE mode takes void * only as a context handle", "", "context-handle.md", "M-408"),
    _row(
        "IDL348",
        2135,
        "a handle inside a structure, union or array",
        "handles are parameters",
        "context-handle.md",
        "M-406",
    ),
    _row("IDL349", 2045, "[context_handle] together with [{attribute}]", "", "context-handle.md", "M-407"),
    _row("IDL350", 2181, "the pointer to the handle {name} is [{kind}]", "use [ref]", "unique.md", "M-259"),
    _row("IDL351", 2086, "the type sent for {name} contains pointers", "", "transmit-as.md", "M-437"),
    _row("IDL352", 2166, "[{attribute}] is not available in DCE mode", "", "-osf.md"),
    _warn(
        "IDL353", 2222, "the pointer attribute on the embedded array {name} has no effect", "", "", "M-290"
    ),
    _warn("IDL354", 2176, "[{attribute}] is not implemented and has no effect", "", "min-is.md", "M-353"),
    _warn("IDL355", 2209, "[{attribute}] is given twice"),
    _row("IDL356", 2096, "[{first}] and [{second}] exclude each other", "keep one"),
    _warn(
        "IDL357",
        2038,
        "no [pointer_default]: embedded pointers are [unique]",
        "add [pointer_default(unique)]",
        "pointer-default.md",
        "M-275",
    ),
    _warn(
        "IDL358",
        2172,
        "no [pointer_default]: embedded pointers are [ptr] in DCE mode",
        "add [pointer_default(ptr)]",
        "-osf.md",
        "M-275",
    ),
    _warn("IDL359", 2081, "the size and the length of {name} have different types", "", "", "M-334"),
    _warn(
        "IDL360",
        2352,
        "a pipe together with {name}, whose size is not fixed",
        "",
        "combining-pipe-and-nonpipe-parameters.md",
        "M-461",
    ),
    # --- attribute configuration files and memory attributes
    _row(
        "IDL401",
        None,
        "the attribute file names {name}, which the interface does not have",
        "",
        "the-acf-body.md",
    ),
    _row(
        "IDL402",
        2010,
        "the attribute file names the type {name}, which the interface does not define",
        "",
        "the-acf-body.md",
    ),
    _row("IDL403", 2073, "[allocate] is not available in DCE mode", "", "allocate.md", "M-067"),
    _row(
        "IDL404",
        2074,
        "{option} is not an option of [allocate]",
        "use single_node or all_nodes, free or dont_free",
        "allocate.md",
        "M-069",
    ),
    _row(
        "IDL405",
        2211,
        "the options {first} and {second} of [allocate] exclude each other",
        "keep one",
        "allocate.md",
        "M-068",
    ),
    _row(
        "IDL406",
        2158,
        "[allocate] on {name}, which is no pointer type, or void *",
        "",
        "allocate.md",
        "M-064",
    ),
    _row("IDL407", 2227, "[allocate] on the handle type {name}", "", "allocate.md", "M-065"),
    _row("IDL408", 2223, "[allocate] on {name}, which is converted", "", "wire-marshal.md", "M-066"),
    _warn(
        "IDL409",
        2248,
        "[allocate(all_nodes)] on the [in, out] parameter {name} orphans the memory it had",
        "make it [out], or free the old nodes first",
        "allocate.md",
        "M-075",
    ),
    _row("IDL410", 2060, "[byte_count] is not available in DCE mode", "", "byte-count.md", "M-142"),
    _row("IDL411", 2061, "[byte_count] on {name}, which is no [out] pointer", "", "byte-count.md", "M-138"),
    _row("IDL412", 2062, "[byte_count] on {name}, which is conformant", "", "byte-count.md", "M-141"),
    _row(
        "IDL413",
        2063,
        "[byte_count]: {name} must be [out] only and {other} [in] only",
        "",
        "byte-count.md",
        "M-138",
    ),
    _row("IDL414", 2064, "[byte_count]: {other} is no integer", "", "byte-count.md", "M-139"),
    _row(
        "IDL415",
        2065,
        "[byte_count] together with a size or length attribute on {name}",
        "",
        "byte-count.md",
        "M-140",
    ),
    _row("IDL416", 2158, "[{attribute}] on {name}, which is no pointer", "", "force-allocate.md"),
)

FINDINGS: Mapping[str, Finding] = {finding.code: finding for finding in _ROWS}
