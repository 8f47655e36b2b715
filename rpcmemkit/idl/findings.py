"""The findings of the front end, one row each: a name, a number, and what there is to say.

The numbers are stable: ``IDL1xx`` text and syntax, ``IDL2xx`` names and types, ``IDL3xx`` directions, pointers and arrays,
``IDL4xx`` attribute files and memory attributes. The examples of all of them are in ``data/findings.yaml``. The rows are code,
for a small text with a warning must not wait until a table of YAML has been read.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

_PAGE = "compiler-errors.md"


class Row(NamedTuple):
    """What the table says: ``title`` and ``remedy`` are format strings, ``page`` is the page behind the rule."""

    code: str
    midl: int | None
    title: str
    remedy: str = ""
    page: str = _PAGE
    claims: tuple[str, ...] = ()
    severity: str = "error"


def _error(
    code: str, midl: int | None, title: str, remedy: str = "", page: str = _PAGE, claims: str = ""
) -> Row:
    return Row(code, midl, title, remedy, page, tuple(claims.split()))


def _warning(
    code: str, midl: int | None, title: str, remedy: str = "", page: str = _PAGE, claims: str = ""
) -> Row:
    return _error(code, midl, title, remedy, page, claims)._replace(severity="warning")


class Finding(Enum):
    """A finding by the name that the library has for it.

    The value is what there is to say of it: number, number of MIDL, title, remedy …
    """

    # fmt: off
    # --- text and syntax
    UNEXPECTED = _error("IDL101", 2025, "unexpected {found}")
    BAD_CHARACTER = _error("IDL102", 2023, "the character {found} does not belong here")
    TEXT_ENDS = _error("IDL103", 2025, "the text ends too early", "close what is still open")
    TOO_DEEP = _error("IDL104", 2002, "nested more than {limit} deep", "give the inner parts a name of their own")
    OPEN_COMMENT = _error("IDL105", 2109, "the comment is never closed", "add */")
    OPEN_QUOTE = _error("IDL106", 2112, "the quoted text is never closed", "add the closing quote on the same line")
    PREPROCESSOR = _error("IDL107", None, "preprocessor: {reason}")
    NO_SUCH_FILE = _error("IDL108", None,
        "the file {name} was not found", "add its folder: -I FOLDER on the command line, include_dirs in Python",
        page="import.md")
    IMPORTS_ITSELF = _error("IDL109", None,
        "the file {name} imports itself: {chain}", "move what both need to a third file", page="import.md")
    BAD_PACKING = _error("IDL110", None, "{level} is not a packing level", "use 1, 2, 4, 8 or 16", page="pragma.md")
    INCOMPLETE_EXPRESSION = _error("IDL111", None,
        "the expression is not complete", "write a number, a name or a parenthesis here")
    BAD_NUMBER = _error("IDL112", 2115, "the number {text} is malformed or too large", "a number has at most 64 bits")
    DIVISION_BY_ZERO = _error("IDL113", 2031, "division by zero")
    NOT_IN_EXPRESSION = _error("IDL114", None, "{what} cannot be used in this expression")
    FILE_NOT_READ = _error("IDL115", None,
        "the file {name} is not read: {why}",
        "add its folder with -I FOLDER, or take what any file names with --include-anywhere; in Python, include_dirs and include_anywhere of Switches",
        page="import.md")
    FRACTION = _error("IDL116", None, "{what} is a fraction: an integer is needed here")
    OTHER_CASE_OF_FILE = _warning("IDL117", None,
        "the file {name} is here under the name {found}",
        "Windows takes both for one; other systems want the name as the file has it", page="import.md")
    # --- names and types
    UNKNOWN_TYPE = _error("IDL201", 2011,
        "the type {name} is not defined", "define or import it above its first use", page="typedef.md")
    DEFINED_TWICE = _error("IDL202", 2003, "{name} is already defined", "give one of the two another name")
    CONTAINS_ITSELF = _error("IDL203", 2006, "{name} contains itself", "put a pointer between a type and itself")
    UNKNOWN_NAME = _error("IDL204", 2009,
        "{name} is not defined in this expression", "name a constant or an enumeration label")
    NO_BASE_TYPE = _error("IDL205", None,
        "the words {words} do not make a type", "write one base type: short, unsigned long, hyper, float, double …",
        page="midl-base-types.md")
    BIT_FIELD = _error("IDL206", 2140, "the member {name} is a bit-field", "use a whole integer and masks", page="struct.md")
    UNKNOWN_BASE_INTERFACE = _error("IDL207", None,
        "the base interface {name} is not defined", "import the file that defines it", page="interface.md")
    NO_MEMBERS = _error("IDL208", None,
        "{name} is declared but its members are not", "write its body in this file", page="struct.md")
    BAD_SWITCH_TYPE = _error("IDL209", 2192,
        "a union is selected by an integer of at most 32 bits, a character, a boolean or an enum",
        "write long: [switch_type(long)], or switch (long …)", page="switch-type.md")
    NO_SWITCH_IS = _error("IDL210", 2078,
        "the union {name} needs [switch_is] here", "name what selects the arm: [switch_is(tag)]", page="switch-is.md")
    ARM_WITHOUT_CASE = _error("IDL211", 2161,
        "a union arm needs [case] or [default]", "add [case(value)]", page="nonencapsulated-unions.md")
    CASE_TWICE = _error("IDL212", 2056, "case {label} appears twice", page="union.md")
    NO_UUID = _warning("IDL213", None, "the interface has no [uuid]", "add [uuid(…)] or [local]", page="uuid.md")
    BAD_UUID = _error("IDL214", 2088, "{text} is not a UUID", "write 8-4-4-4-12 hexadecimal digits", page="uuid.md")
    BAD_VERSION = _error("IDL215", 2152, "{text} is not a version", "write [version(major.minor)]", page="version.md")
    BAD_ARGUMENT = _error("IDL216", None, "[{name}] needs {what}")
    NAMELESS_PARAMETER = _error("IDL217", 2000, "DCE mode takes no parameters without a name", "name it", page="-osf.md")
    VARIABLE_ARGUMENTS = _error("IDL218", 2046, "a variable number of arguments cannot be sent", "pass a sized array")
    UNKNOWN_ATTRIBUTE = _error("IDL219", 2025, "there is no attribute [{attribute}]", "{hint}", page="reserved-keywords.md")
    OTHER_WCHAR = _error("IDL220", 2014,
        "wchar_t is an unsigned short, and nothing else", "give the type another name", page="wchar-t.md")
    OTHER_ERROR_STATUS = _error("IDL221", 2205,
        "error_status_t is an unsigned long, and nothing else", "give the type another name")
    ARRAY_OF_PROCEDURES = _error("IDL222", 2130,
        "{name} is declared as an array of procedures", "a procedure returns no array: use an [out] parameter",
        page="function-return-values.md")
    VARIABLE = _error("IDL223", 2156,
        "{name} is a variable, which an interface does not have", "write const before it", page="const.md")
    LABEL_NOT_IN_TYPE = _error("IDL224", 2206, "case {label} is no value of the switch type {type}", page="switch-type.md")
    SECOND_DEFAULT = _error("IDL225", 2232, "a second default arm", "keep one", page="union.md")
    TOO_LARGE = _error("IDL226", None,
        "the type of {name} takes {size} bytes: more than 2 GiB", "send it in parts", page="arrays.md")
    EMPTY_NAMESPACE = _warning("IDL227", None,
        "the namespace {name} holds no interface",
        "in MIDL 3, another dialect, the compiler makes interfaces of classes: write them out")
    VALUE_NOT_IN_TYPE = _error("IDL228", 2175,
        "{value} is no value of the type {type}", "give the constant a wider type", page="const.md")
    CONSTANT_OF_OTHER_TYPE = _error("IDL229", 2154, "{value} is no value of the type {type}", page="const.md")
    # --- directions, pointers and arrays
    OUT_NO_POINTER = _error("IDL301", 2042,
        "the [out] parameter {name} is no pointer", "write a * before its name, or make it an array", page="out-idl.md",
        claims="M-314")
    NO_DIRECTION = _error("IDL302", 2187,
        "the parameter {name} has neither [in] nor [out]", "DCE mode has no default direction",
        page="directional-parameter-attributes.md", claims="M-313")
    VOID_PARAMETER = _error("IDL303", 2139,
        "the parameter {name} is or contains void *", "give it a type, or [context_handle]", page="void.md", claims="M-291")
    VOID_RESULT = _error("IDL304", 2145,
        "the result of {name} is or contains void *", "give it a type", page="void.md", claims="M-291")
    VOID_MEMBER = _error("IDL305", 2241, "the member {name} is a void *", "give it a type", page="void.md", claims="M-291")
    FUNCTION_PARAMETER = _error("IDL306", 2142, "the parameter {name} is a pointer to a function", claims="M-292")
    FUNCTION_RESULT = _error("IDL307", 2148, "the result of {name} is a pointer to a function", claims="M-292")
    FUNCTION_MEMBER = _error("IDL308", 2244, "the member {name} is a pointer to a function", claims="M-292")
    UNKNOWN_IN_ATTRIBUTE = _error("IDL310", 2058,
        "{name} in [{attribute}] is neither a parameter nor a member beside it",
        "name a parameter of this procedure, or a member of this structure", page="size-is.md", claims="M-335 M-338")
    NOT_AN_INTEGER = _error("IDL311", 2059, "the expression in [{attribute}] is not a 32-bit integer", claims="M-335")
    LENGTH_AND_LAST = _error("IDL312", 2076,
        "[length_is] and [last_is] exclude each other", "keep one", page="length-is.md", claims="M-328")
    SIZE_AND_MAX = _error("IDL313", 2077,
        "[size_is] and [max_is] exclude each other", "keep one", page="size-is.md", claims="M-329")
    SIZE_OF_FIXED = _error("IDL314", 2299,
        "[{attribute}] on a dimension of fixed size", "leave the bound out: []", page="size-is.md", claims="M-331")
    UNBOUNDED_ARRAY = _error("IDL315", 2105,
        "the array {name} has neither a bound nor [size_is]", "add [size_is(…)]", page="size-is.md", claims="M-332 M-374")
    INNER_DIMENSION_OPEN = _error("IDL316", 2296,
        "only the first dimension of {name} may be left open", "give the others a bound", page="size-is.md", claims="M-345")
    DOES_NOT_APPLY = _error("IDL317", 2072, "[{attribute}] does not apply to {name}")
    STRING_AND_LENGTH = _error("IDL318", 2075,
        "[{attribute}] and [string] exclude each other", "a string measures its own length", page="string.md", claims="M-379")
    STRING_OF_OTHERS = _error("IDL319", 2082,
        "[string] applies to char, wchar_t and byte only", page="string.md", claims="M-381")
    STRING_ON_STRUCTURE = _error("IDL320", 2191, "[string] on a structure", page="string.md", claims="M-381")
    OUT_STRING_WITHOUT_SIZE = _error("IDL321", 2041,
        "the [out] string {name} has no size", "add [size_is(…)], or one more *", page="string.md", claims="M-375")
    LOWER_BOUND = _error("IDL322", 2102, "the lower bound of an array is always 0", page="array-attributes.md", claims="M-353")
    BAD_BOUND = _error("IDL323", 2103,
        "{text} is not the size of an array", "write a positive number of 31 bits", page="arrays.md")
    SECOND_POINTER_ATTRIBUTE = _error("IDL324", 2163,
        "a second pointer attribute: [{second}] after [{first}]", "keep one", page="three-pointer-types.md", claims="M-287")
    REF_RESULT = _error("IDL325", 2177,
        "the result of {name} is a [ref] pointer", "use [unique] or [ptr]", page="function-return-values.md",
        claims="M-198 M-202 M-252")
    UNION_RESULT = _error("IDL326", 2198,
        "the result of {name} is a union", "return it through an [out] parameter", page="function-return-values.md",
        claims="M-198")
    CONFORMANT_RESULT = _error("IDL327", 2199,
        "the result of {name} is a conformant structure", "return it through an [out] parameter",
        page="function-return-values.md", claims="M-199")
    OUT_NULLABLE = _error("IDL328", 2121,
        "the [out] parameter {name} is a [{kind}] pointer at top level", "add [in], or one more *",
        page="out-only-unique-or-full-pointer-parameters-not-accepted.md", claims="M-188 M-190 M-222")
    SIZE_FROM_OUT = _error("IDL329", 2123,
        "the size of {name} depends on {other}, which is [out] only", "make {other} [in, out]",
        page="the-size-is-attribute.md", claims="M-320")
    LENGTH_FROM_OUT = _error("IDL330", 2124,
        "the length of the [in] array {name} depends on {other}, which is [out] only", "make {other} [in, out]",
        page="length-size-and-directional-attributes.md", claims="M-172 M-178 M-333")
    SIZE_THROUGH_NULLABLE = _error("IDL331", 2195,
        "[{attribute}] of {name} reads through {other}, which may be null",
        "make {other} a [ref] pointer, or ask before: {bare} ? *{bare} : 0", page="unique.md", claims="M-260")
    DCE_EXPRESSION = _error("IDL332", 2178,
        "DCE mode takes only a variable or a dereference in [{attribute}]", page="-osf.md", claims="M-336")
    CONFORMANT_NOT_LAST = _error("IDL333", 2055,
        "the conformant member {name} is not the last one", "move it to the end", page="midl-arrays.md", claims="M-346")
    OUT_CONFORMANT_STRUCTURE = _error("IDL334", 2040,
        "the [out] parameter {name} points to a conformant structure", "use a pointer to a pointer", claims="M-347")
    CONFORMANT_BY_VALUE = _error("IDL335", 2465,
        "the conformant structure {name} is passed by value", "pass a pointer to it", claims="M-348")
    ENDLESS_STRUCTURE = _error("IDL336", 2164,
        "the structure {name} contains itself, directly or through [ref] pointers", "use [unique] or [ptr]", claims="M-288")
    REF_ARM = _error("IDL337", 2249, "the union arm {name} is a [ref] pointer", "use [unique] or [ptr]", claims="M-289")
    CONFORMANT_ARM = _error("IDL338", 2171, "the union arm {name} is a conformant array", "use a sized pointer")
    OUT_CONST = _warning("IDL339", 2279,
        "the [out] parameter {name} is const{where}", "leave const out: the server fills the data in", page="out-idl.md",
        claims="M-315")
    OUT_INTERFACE = _error("IDL340", 2284, "the [out] interface pointer {name} has one level only", "write **", claims="M-309")
    EMPTY_RANGE = _error("IDL341", 2371, "[range]: {high} is below {low}", "swap the limits", page="range.md", claims="M-363")
    POINTER_TO_CONFORMANT = _error("IDL342", 2104,
        "{name} is a pointer to a conformant array, or an array of them", "use a sized pointer")
    IGNORED_PARAMETER = _error("IDL343", 2162,
        "[ignore] on {name}, which is a parameter or a type", "[ignore] belongs to a member", page="ignore.md", claims="M-305")
    PARTIAL_IGNORE_ALONE = _error("IDL344", None,
        "[partial_ignore] on {name} needs [in, out, unique] beside it", "add what is missing", page="partial-ignore.md",
        claims="M-301")
    OUT_HANDLE = _error("IDL345", 2044,
        "the [out] handle {name} needs one more *", "write **", page="context-handle.md", claims="M-405")
    CONTEXT_NO_POINTER = _error("IDL346", 2237,
        "[context_handle] on {name}, which is no pointer", page="context-handle.md", claims="M-408")
    DCE_CONTEXT = _error("IDL347", 2068,
        "DCE mode takes void * only as a context handle", page="context-handle.md", claims="M-408")
    HANDLE_INSIDE = _error("IDL348", 2135,
        "the handle {name} is inside a structure or union",
        "pass it as a parameter; context handles may stay with /target NT60", page="context-handle.md", claims="M-406")
    CONTEXT_AND_CONVERSION = _error("IDL349", 2045,
        "[context_handle] together with [{attribute}]", page="context-handle.md", claims="M-407")
    NULLABLE_HANDLE = _error("IDL350", 2181,
        "the pointer to the handle {name} is [{kind}]", "use [ref]", page="unique.md", claims="M-259")
    SENT_POINTERS = _error("IDL351", 2086, "the type sent for {name} contains pointers", page="transmit-as.md", claims="M-437")
    NOT_IN_DCE = _error("IDL352", 2166, "[{attribute}] is not available in DCE mode", page="-osf.md")
    EMBEDDED_ARRAY_KIND = _warning("IDL353", 2222,
        "the pointer attribute on the embedded array {name} has no effect", claims="M-290")
    NOT_IMPLEMENTED = _warning("IDL354", 2176,
        "[{attribute}] is not implemented and has no effect", page="min-is.md", claims="M-353")
    GIVEN_TWICE = _warning("IDL355", 2209, "[{attribute}] is given twice")
    EXCLUSIVE = _error("IDL356", 2096, "[{first}] and [{second}] exclude each other", "keep one")
    NO_POINTER_DEFAULT = _warning("IDL357", 2038,
        "no [pointer_default]: embedded pointers are [unique]", "add [pointer_default(unique)]", page="pointer-default.md",
        claims="M-275")
    NO_POINTER_DEFAULT_DCE = _warning("IDL358", 2172,
        "no [pointer_default]: embedded pointers are [ptr] in DCE mode", "add [pointer_default(ptr)]", page="-osf.md",
        claims="M-275")
    SIZE_AND_LENGTH_TYPES = _warning("IDL359", 2081, "the size and the length of {name} have different types", claims="M-334")
    UNFIXED_BESIDE_PIPE = _warning("IDL360", 2352,
        "a pipe together with {name}, whose size is not fixed", page="combining-pipe-and-nonpipe-parameters.md",
        claims="M-461")
    CONFORMANT_BY_VALUE_OLD = _error("IDL361", 2043,
        "the conformant structure {name} is passed by value", "pass a pointer to it", claims="M-348")
    TRANSMITTED_CONTEXT = _error("IDL362", 2084,
        "[{attribute}] on {name}, which is a context handle", page="context-handle.md", claims="M-407")
    HANDLE_ELEMENTS = _error("IDL363", 2136,
        "the elements of {name} are handles", "pass each as a parameter; context handles may stay with /target NT60",
        page="context-handle.md", claims="M-406")
    STRING_ON_MIXED_STRUCTURE = _error("IDL364", 2293,
        "[string] on a structure with members that are no characters", page="string.md", claims="M-381")
    BY_VALUE_MODE = _warning("IDL365", 2246,
        "the result of {name} is returned by value: its stubs are made in mode /Os, without the checks of /robust",
        "return it through an [out] parameter", page="function-return-values.md", claims="M-200")
    OPEN_GRID_MODE = _warning("IDL366", 2393,
        "{name} has several dimensions, not all of fixed size: its stubs are made in mode /Oicf", page="-os.md")
    ROBUST_MODE = _warning("IDL367", 2370,
        "/robust does not go with /{mode}: stubs are made in mode /Oicf", "use /no_robust", page="-robust.md")
    PTR_TOO_NEW = _error("IDL368", 2216,
        "[ptr] does not follow aliases at this /target", "use [unique], or /target {level}", page="ptr.md")
    RANGE_UNCHECKED = _warning("IDL369", None,
        "[range] of {name} has no effect without /robust", page="range.md", claims="M-361")
    TARGET_TOO_OLD = _error("IDL370", None,
        "{feature} needs /target {level} or later", page="-target.md", claims="M-129 M-197")
    PARTIAL_IGNORE_UNSIZED = _error("IDL371", None,
        "[partial_ignore]: nothing tells the server how much room {name} needs", "add [size_is(…)]", page="partial-ignore.md",
        claims="M-302")
    PRESENTED_NOT_FIXED = _error("IDL372", 2087,
        "the type presented for [{attribute}] on {name} has no fixed size", page="transmit-as.md", claims="M-437")
    SENT_FULL_POINTER = _error("IDL373", 2416,
        "the type sent for [{attribute}] on {name} contains a [ptr] pointer", "use [unique] or [ref]", page="wire-marshal.md",
        claims="M-445")
    SENT_NOT_FIXED = _error("IDL374", 2417,
        "the type sent for [{attribute}] on {name} has no fixed size", "send a pointer to it", page="wire-marshal.md",
        claims="M-445")
    DCE_VARYING_POINTER = _warning("IDL375", None,
        "DCE's compiler refuses {name}, a pointer to a varying array", "use a sized pointer",
        page="multiple-levels-of-pointers.md")
    DCE_OUT_CONFORMANT = _warning("IDL376", None,
        "DCE's compiler refuses a conformant array below the [out] parameter {name}", "put a [ptr] pointer above the array",
        page="-osf.md")
    ARRAY_RESULT = _error("IDL377", None,
        "the result of {name} is an array", "use an [out] parameter", page="function-return-values.md")
    CONST_RESULT = _warning("IDL378", 2280, "the result of {name} is const", "leave const out: the client fills the data in")
    ONE_WAY = _error("IDL379", 2288,
        "[{attribute}]: nothing comes back, neither {name} nor anything else", "make it [in], or leave [{attribute}] out",
        page="maybe.md")
    HANDLE_POINTER = _error("IDL380", None,
        "{name} is a pointer to a binding handle, which stubs here do not follow", "pass the handle_t itself",
        page="handle-t.md")
    UNSENT_LABEL = _warning("IDL381", None,
        "{label} = {value} cannot be sent: a plain enumeration travels in 16 bits, 0 to 32767", "add [v1_enum] to the typedef",
        page="enum.md")
    PIPE_INSIDE = _error("IDL382", 2321,
        "the pipe {name} is inside an array, a structure or a union", "pass it as a parameter", page="pipe.md")
    PIPE_MISPLACED = _error("IDL383", 2322,
        "the pipe {name} {where}", "pass it by value, or behind one [ref] pointer", page="pipe.md")
    CONVERTED_PIPE = _error("IDL384", 2322, "[{attribute}] on {name}, which holds a pipe", page="pipe.md")
    PIPE_ELEMENTS = _error("IDL385", 2317,
        "the elements of the pipe {name} hold {held}", "send elements of one fixed size, without pointers", page="pipe.md")
    HANDLE_RESULT = _error("IDL386", 2238, "the result of {name} is a binding handle", page="handle-t.md")
    CONTEXT_POINTER_RESULT = _error("IDL387", 2268,
        "the result of {name} is a pointer to a context handle", "return the handle itself", page="context-handle.md")
    SECOND_HANDLE = _error("IDL388", 2182,
        "{name} is a second handle_t: the first one is the binding, and no handle_t can be sent", "leave it out",
        page="handle-t.md")
    EMPTY_UNION = _error("IDL389", 2235, "{name} is or holds a union without arms", "give it an arm", page="union.md")
    PIPE_NOT_HERE = _error("IDL390", None, "{name} is a pipe {where}", "send an array instead", page="pipe.md")
    STATUS_INSIDE = _error("IDL391", 2160,
        "{name} is or holds an error_status_t, which is only a parameter or a result", "make it an unsigned long",
        page="error-status-t.md")
    # --- attribute files and memory attributes
    ACF_UNKNOWN_NAME = _error("IDL401", None,
        "the attribute file names {name}, which the interface does not have", page="the-acf-body.md")
    ACF_UNKNOWN_TYPE = _error("IDL402", 2010,
        "the attribute file names the type {name}, which the interface does not define", page="the-acf-body.md")
    ALLOCATE_IN_DCE = _error("IDL403", 2073, "[allocate] is not available in DCE mode", page="allocate.md", claims="M-067")
    ALLOCATE_OPTION = _error("IDL404", 2074,
        "{option} is not an option of [allocate]", "use single_node or all_nodes, free or dont_free", page="allocate.md",
        claims="M-069")
    ALLOCATE_OPTIONS_EXCLUSIVE = _error("IDL405", 2211,
        "the options {first} and {second} of [allocate] exclude each other", "keep one", page="allocate.md", claims="M-068")
    ALLOCATE_NO_POINTER = _error("IDL406", 2158,
        "[allocate] on {name}, which is no pointer type, or void *", page="allocate.md", claims="M-064")
    ALLOCATE_HANDLE = _error("IDL407", 2227, "[allocate] on the handle type {name}", page="allocate.md", claims="M-065")
    ALLOCATE_CONVERTED = _error("IDL408", 2223,
        "[allocate] on {name}, which is converted", page="wire-marshal.md", claims="M-066")
    ORPHANS = _warning("IDL409", 2248,
        "[allocate(all_nodes)] on the [in, out] parameter {name} orphans the memory it had",
        "make it [out], or keep a pointer to the old nodes and free them after the call", page="allocate.md", claims="M-075")
    BYTE_COUNT_IN_DCE = _error("IDL410", 2060,
        "[byte_count] is not available in DCE mode", page="byte-count.md", claims="M-142")
    BYTE_COUNT_NO_OUT = _error("IDL411", 2061,
        "[byte_count] on {name}, which is no [out] pointer", page="byte-count.md", claims="M-138")
    BYTE_COUNT_CONFORMANT = _error("IDL412", 2062,
        "[byte_count] on {name}, which is conformant", page="byte-count.md", claims="M-141")
    BYTE_COUNT_DIRECTION = _error("IDL413", 2063,
        "[byte_count]: {name} must be [out] only and {other} [in] only", page="byte-count.md", claims="M-138")
    BYTE_COUNT_NO_INTEGER = _error("IDL414", 2064, "[byte_count]: {other} is no integer", page="byte-count.md", claims="M-139")
    BYTE_COUNT_SIZED = _error("IDL415", 2065,
        "[byte_count] together with a size or length attribute on {name}", page="byte-count.md", claims="M-140")
    FORCE_ALLOCATE_NO_POINTER = _error("IDL416", 2158,
        "[{attribute}] on {name}, which is no pointer", page="force-allocate.md")
    ACF_ONLY = _error("IDL417", 2150,
        "[{attribute}] belongs to the attribute file", "move it there, or use /app_config", page="-app-config.md")
    SERIALIZE_EXCLUSIVE = _error("IDL418", 2377,
        "[context_handle_serialize] and [context_handle_noserialize] exclude each other", "keep one",
        page="context-handle-serialize.md")
    NO_CONTEXT_HANDLE = _error("IDL419", 2378,
        "[{attribute}] on {name}, which is no context handle", page="context-handle-serialize.md")
    NOTIFY_MODE = _warning("IDL420", 2294,
        "[notify] on {name}: its stubs are made in mode /Os", "use /Oicf", page="notify.md", claims="M-133")
    BYTE_COUNT_NDR64 = _error("IDL421", None,
        "[byte_count] on {name} is not supported by NDR64", page="byte-count.md", claims="M-143")
    SERIALIZES = _warning("IDL422", None,
        "{name} serializes into a buffer of the application's, or from one: it is no remote call, and not supported here",
        "leave [encode] and [decode] out to see what a call would do", page="serialization-services.md")
    SERIALIZES_MIXED = _error("IDL423", 2277,
        "{name} and the procedures above it are of two kinds: some serialize, some are remote",
        "give [encode] and [decode] an interface of their own", page="encode.md")
    SERIALIZES_OBJECT = _error("IDL424", 2300,
        "[encode] or [decode] on {name}, a method of an [object] interface", page="encode.md")
    ONLY_DCE = _error("IDL425", None,
        "[{attribute}] is an attribute of DCE, MIDL has no counterpart",
        "take it out, or choose the mode of DCE (--osf; in a scenario, osf: true in its environment)", page="-osf.md",
        claims="M-218")
    STATUS_NO_OUT_POINTER = _error("IDL426", 2070,
        "[{attribute}] on {name}, which is no [out]-only pointer", "make it [out] error_status_t *{bare}",
        page="comm-status.md")
    STATUS_OTHER_TYPE = _error("IDL427", 2097,
        "[{attribute}] on {name}, which does not point to an error_status_t", "make it [out] error_status_t *{bare}",
        page="comm-status.md")
    STATUS_TWICE = _error("IDL428", 2069, "[{attribute}] on a second parameter, {name}", "keep one", page="comm-status.md")
    COMM_STATUS_ON_BOTH = _error("IDL429", 2050,
        "[comm_status] on both {name} and its parameter {other}", "keep one", page="comm-status.md")
    FAULT_STATUS_ON_BOTH = _error("IDL430", 2245,
        "[fault_status] on both {name} and its parameter {other}", "keep one", page="fault-status.md")
    STATUS_RESULT = _warning("IDL431", None,
        "[{attribute}] on {name}, which does not return an error_status_t", "give it that result", page="comm-status.md")
    # fmt: on


_BY_NUMBER = MappingProxyType({each.value.code: each.value for each in Finding})


def findings() -> Mapping[str, Row]:
    """Return what there is to say of every finding, by its number."""
    return _BY_NUMBER
