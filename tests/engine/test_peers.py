"""The same bytes as two implementations that share nothing with this one: impacket (NDR 2.0) and scapy (both syntaxes).

The peers' classes are made from the resolved types of an interface, so each shape is written once, in IDL. Referent ids
are the sender's choice and the bytes of a gap are unspecified (C706 14.2.2), so both are left out of the comparison:
of an id only whether it is null counts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count, product
from random import Random
from typing import Any

import pytest

from rpcmemkit import Session
from rpcmemkit import types as t
from rpcmemkit.annotate import annotate
from rpcmemkit.reader import Reader
from rpcmemkit.stubs.server import ServerCall
from tests.engine.helpers import open_session

ROUNDS = 20
COLOUR = "typedef enum { red, green, blue } colour;\n"
GAP = "typedef struct { hyper h; byte c; } gap;\n"
PAIR = "typedef struct { short s; long l; } pair;\n"
POINTERS = "typedef struct { [unique] short *a; byte b; [unique] hyper *c; } pointers;\n"
UNION = """typedef [switch_type(long)] union { [case(1)] long l; [case(2)] short s; [case(3)] byte b; } u;
    typedef struct { long tag; [switch_is(tag)] u body; } holder;\n"""
WIDE_UNION = """typedef [switch_type(long)] union { [case(1)] hyper h; [case(2)] hyper g; } u;
    typedef struct { long tag; [switch_is(tag)] u body; } holder;\n"""

SHAPES = {
    "integers": "void f([in, out] small *a, [in, out] short *b, [in, out] byte *c, [in, out] long *d, [in, out] hyper *e);",
    "unsigned": """void f([in, out] byte *a, [in, out] unsigned short *b, [in, out] unsigned long *c,
                          [in, out] byte *d, [in, out] unsigned hyper *e);""",
    "floats": "void f([in, out] byte *a, [in, out] float *b, [in, out] byte *c, [in, out] double *d);",
    "enumerations": COLOUR + "void f([in, out] byte *a, [in, out] colour *b, [in, out] byte *c, [in, out] colour *d);",
    "v1 enumerations": "typedef [v1_enum] enum { x, y } v;\nvoid f([in, out] byte *a, [in, out] v *b);",
    "__int3264": "void f([in, out] byte *a, [in, out] __int3264 *b, [in, out] unsigned __int3264 *c);",
    "structures": PAIR + "void f([in, out] byte *b, [in, out] pair *p, [in, out] byte *c);",
    "trailing gaps": GAP + "void f([in, out] gap *p, [in, out] byte *b, [in, out] gap *q, [in, out] short *s);",
    "nested structures": GAP + PAIR
    + "typedef struct { pair p; gap g; byte b; } outer;\nvoid f([in, out] outer *o, [in, out] byte *b);",
    "fixed arrays": "typedef struct { byte a[5]; short s; } s;\nvoid f([in, out] s *p, [in, out] byte *b);",
    "top-level unique pointers": "void f([in, out] byte *b, [in, out, unique] hyper *p, [in, out, unique] short *q);",
    "embedded unique pointers": POINTERS + "void f([in, out] pointers *p, [in, out] byte *b);",
    "unique pointers to structures": GAP
    + "typedef struct { [unique] gap *g; short s; [unique] gap *h; } s;\nvoid f([in, out] s *p, [in, out] byte *b);",
    "full pointers": "typedef struct { [ptr] short *a; byte b; [ptr] hyper *c; } s;\nvoid f([in, out] s *p);",
    "embedded reference pointers": "typedef struct { [ref] short *a; byte b; [ref] hyper *c; } s;\nvoid f([in, out] s *p);",
    "a pointer in a structure in a structure": POINTERS
    + "typedef struct { byte b; pointers p; long l; } s;\nvoid f([in, out] s *p, [in, out] byte *b);",
    "conformant arrays": "void f([in, out] short *n, [in, out, size_is(*n)] short *a, [in, out] byte *b);",
    "conformant arrays of hypers": "void f([in, out] short *n, [in, out, size_is(*n)] hyper *a, [in, out] byte *b);",
    "conformant arrays of structures": PAIR + "void f([in, out] short *n, [in, out, size_is(*n)] pair *a);",
    "conformant arrays with trailing gaps": GAP
    + "void f([in, out] short *n, [in, out, size_is(*n)] gap *a, [in, out] byte *b);",
    "sized pointers": """typedef struct { short n; [unique, size_is(n)] long *a; } s;
                         void f([in, out] s *p, [in, out] byte *b);""",
    "arrays of structures with pointers": POINTERS + "void f([in, out] short *n, [in, out, size_is(*n)] pointers *a);",
    "strings": "void f([in, out] byte *b, [in, out, string] char *s);",
    "wide strings": "void f([in, out] byte *b, [in, out, string] wchar_t *s);",
    "pointers to strings": """typedef struct { [unique, string] wchar_t *s; byte b; [unique, string] wchar_t *q; } s;
                              void f([in, out] s *p);""",
    "conformant structures": """typedef struct { hyper h; long l; long n; [size_is(n)] short a[]; } s;
                                void f([in, out] s *p, [in, out] byte *b);""",
    "conformant structures with a gap": """typedef struct { hyper h; short n; [size_is(n)] short a[]; } s;
                                           void f([in, out] s *p, [in, out] byte *b);""",
    "pointers to conformant structures": """typedef struct { long n; [size_is(n)] long a[]; } s;
        typedef struct { byte b; [unique] s *p; } t;\nvoid f([in, out] t *p, [in, out] byte *b);""",
    "unions": UNION + "void f([in, out] byte *b, [in, out] holder *p);",
    "mixed unions": WIDE_UNION.replace("hyper g", "short s") + "void f([in, out] byte *b, [in, out] holder *p);",
    "wide unions": WIDE_UNION + "void f([in, out] byte *b, [in, out] holder *p);",
}  # fmt: skip

OWN_COUNT = "impacket aligns the elements of a parameter as if their count were not there; C706 14.2.2 counts every byte"
ARMS = "impacket's union aligns its structure by the discriminant only; C706 14.3.2 by the widest arm"
DIFFER = {
    ("conformant structures with a gap", "scapy-ndr20"): "scapy fills the gap in NDR 2.0 too; MS-RPCE 2.2.5.3.4.1 is about NDR64",
    ("conformant arrays with trailing gaps", "scapy-ndr20"): "scapy does not align the elements; C706 14.3.2 does, each",
    ("mixed unions", "scapy-ndr64"): "scapy aligns the arm for itself, MS-RPCE 2.2.5.3.4.4 for the widest",
    ("wide unions", "impacket"): ARMS,
    ("mixed unions", "impacket"): ARMS,
    ("conformant arrays of hypers", "impacket"): OWN_COUNT,
    ("conformant arrays with trailing gaps", "impacket"): OWN_COUNT,
    ("arrays of structures with pointers", "impacket"): OWN_COUNT,
}  # fmt: skip


# --- random arguments ---


def target(type_: t.Type) -> t.Type:
    """What a top-level reference pointer names: that is what travels."""
    return type_.target if isinstance(type_, t.Pointer) and type_.kind is t.PointerKind.REF else type_


def size_name(array: t.Array) -> str:
    size = array.size.operand if isinstance(array.size, t.Unary) else array.size
    assert isinstance(size, t.Name)
    return size.name


def sized_by(types: dict[str, t.Type]) -> set[str]:
    """The names among the members that are sizes of others."""
    bare = [type_.target if isinstance(type_, t.Pointer) else type_ for type_ in types.values()]
    return {size_name(each) for each in bare if isinstance(each, t.Array) and each.size is not None}


def members(random: Random, types: dict[str, t.Type]) -> dict[str, Any]:
    counts = {name: random.randint(1, 4) for name in sized_by(types)}
    values: dict[str, Any] = {}
    for name, type_ in types.items():
        if isinstance(type_, t.Switched):
            values["tag"] = random.choice([arm.labels[0] for arm in type_.union.arms])
            arm = next(arm for arm in type_.union.arms if values["tag"] in arm.labels)
            values[name] = {"$case": values["tag"], "$value": value(random, arm.member.type, counts)}
        else:
            values[name] = counts[name] if name in counts else value(random, type_, counts)
    return values


def value(random: Random, type_: t.Type, counts: dict[str, int]) -> Any:
    match type_:
        case t.Base(code="f" | "d"):
            return random.randrange(-1000, 1000) / 8
        case t.Base(code=code, size=size):
            low = -(1 << 8 * size - 1) if code.islower() else 0
            return random.randrange(low, low + (1 << 8 * size))
        case t.EnumType(labels=labels):
            return random.choice(list(labels.values()))
        case t.Struct():
            return members(random, {member.name: member.type for member in type_.members})
        case t.Pointer(kind=t.PointerKind.REF, target=inner):
            return value(random, inner, counts)
        case t.Pointer(target=inner):
            return (
                None
                if random.random() < 0.3 and not isinstance(inner, t.Array)
                else value(random, inner, counts)
            )
        case t.Array(string=True):
            return "".join(random.choices("abcxyz", k=random.randrange(1, 9)))
        case t.Array(element=element):
            length = type_.bound or counts[size_name(type_)]
            return [value(random, element, {}) for _ in range(length)]
    raise AssertionError(type_)


def plain(value: Any) -> Any:
    """Our values as the peers have them: bytes as numbers, no names of storage, no ``$case``."""
    match value:
        case {"$value": inner}:
            return plain(inner)
        case {"$hex": digits}:
            return list(bytes.fromhex(digits))
        case dict():
            return {name: plain(part) for name, part in value.items()}
        case list():
            return [plain(part) for part in value]
    return value


# --- scapy ---


class Scapy:
    """Packets of ``scapy.layers.dcerpc``."""

    def __init__(self, types: dict[str, t.Type], ndr64: bool) -> None:
        self.s = pytest.importorskip(
            "scapy.layers.dcerpc", reason="scapy is not installed: pip install -e .[peers]"
        )
        self.ndr64 = ndr64
        self.types = types
        self.classes: dict[int, Any] = {}
        self.ids = count(
            0x20000, 4
        )  # scapy's own are all equal: to [ptr] pointers that means the same storage
        self.call = type("Call", (self.s.NDRPacket,), {"fields_desc": self.fields(types, embedded=False)})

    def data(self, values: dict[str, Any]) -> bytes:
        return bytes(self.call(**self.filled(self.types, values), ndr64=self.ndr64))

    def values(self, data: bytes) -> dict[str, Any]:
        packet = self.call(data, ndr64=self.ndr64)
        assert not packet.payload, "bytes left over"
        return {name: self.read(type_, packet.getfieldval(name)) for name, type_ in self.types.items()}

    def fields(self, types: dict[str, t.Type], embedded: bool) -> list[Any]:
        return [self.field(name, type_, embedded) for name, type_ in types.items()]

    def base(self, name: str, type_: t.Base) -> Any:
        s, code = self.s, type_.code
        if type_.pointer_sized:
            return (s.NDRSignedInt3264Field if code == "i" else s.NDRInt3264Field)(name, 0)
        kinds = {"b": s.NDRSignedByteField, "B": s.NDRByteField, "h": s.NDRSignedShortField, "H": s.NDRShortField,
                 "i": s.NDRSignedIntField, "I": s.NDRIntField, "q": s.NDRSignedLongField, "Q": s.NDRLongField,
                 "f": s.NDRIEEEFloatField, "d": s.NDRIEEEDoubleField}  # fmt: skip
        return kinds[code](name, 0)

    def field(self, name: str, type_: t.Type, embedded: bool) -> Any:
        s = self.s
        match type_:
            case t.Base():
                return self.base(name, type_)
            case t.EnumType():
                return (s.NDRIntEnumField if type_.v1 else s.NDRInt3264EnumField)(name, 0, {})
            case t.Struct():
                return s.NDRPacketField(name, self.packet(type_)(), self.packet(type_))
            case t.Pointer(target=inner, kind=kind):
                kinds = {False: s.NDRFullPointerField, True: s.NDRFullEmbPointerField}
                wrap = s.NDRRefEmbPointerField if kind is t.PointerKind.REF else kinds[embedded]
                return wrap(self.field(name, inner, embedded=True))
            case t.Switched():
                return self.union(name, type_)
            case t.Array(string=True, element=t.Base(size=size)):
                return (s.NDRConfVarStrNullField if size == 1 else s.NDRConfVarStrNullFieldUtf16)(name, "")
        assert isinstance(type_, t.Array)
        return self.array(name, type_, embedded)

    def array(self, name: str, type_: t.Array, embedded: bool) -> Any:
        s, element = self.s, type_.element
        if type_.bound is not None:
            return s.NDRFieldListField(
                name, [0] * type_.bound, self.field("", element, True), size_is=lambda _: type_.bound
            )
        counted = size_name(type_)
        extra = {"size_is": lambda packet: packet.getfieldval(counted)}
        if isinstance(element, t.Struct):
            return s.NDRConfPacketListField(name, [], self.packet(element), **extra)
        return s.NDRConfFieldListField(name, [], self.field("", element, True), **extra)

    def union(self, name: str, type_: t.Switched) -> Any:
        def arm(label: int, field: Any) -> Any:
            tests = (lambda packet: packet.tag == label, lambda _, union: union.tag == label)
            return field, tests

        arms = [arm(each.labels[0], self.field(name, each.member.type, True)) for each in type_.union.arms]
        align = self.alignment(type_.union.switch)[0], self.alignment(type_)[1]
        return self.s.NDRUnionField(arms, self.s.NDRByteField(name, 0), align=align, switch_fmt=("i", "i"))

    def packet(self, struct: t.Struct) -> Any:
        if id(struct) not in self.classes:
            types = {member.name: member.type for member in struct.members}
            content = {"ALIGNMENT": self.alignment(struct), "fields_desc": self.fields(types, embedded=True)}
            last = struct.members[-1]
            if isinstance(last.type, t.Array) and last.type.bound is None:
                content["DEPORTED_CONFORMANTS"] = [last.name]
                content["fields_desc"][-1].conformant_in_struct = True
            self.classes[id(struct)] = type(struct.name or "S", (self.s.NDRPacket,), content)
        return self.classes[id(struct)]

    def alignment(self, type_: t.Type) -> tuple[int, int]:
        match type_:
            case t.Base(pointer_sized=False, size=size):
                return size, size
            case t.Base() | t.Pointer():
                return 4, 8
            case t.EnumType():
                return (4, 4) if type_.v1 else (2, 4)
            case t.Array(element=element):
                return self.alignment(element)
            case t.Struct():
                parts = [self.alignment(member.type) for member in type_.members]
            case t.Switched(union=union):
                parts = [self.alignment(arm.member.type) for arm in union.arms] + [
                    self.alignment(union.switch)
                ]
            case _:
                raise AssertionError(type_)
        return max(part[0] for part in parts), max(part[1] for part in parts)

    def filled(self, types: dict[str, t.Type], values: dict[str, Any]) -> dict[str, Any]:
        return {name: self.fill(types[name], part) for name, part in values.items()}

    def fill(self, type_: t.Type, value: Any) -> Any:
        match type_, value:
            case t.Pointer(target=inner), _ if value is not None:
                return self.s.NDRPointer(
                    referent_id=next(self.ids), value=self.wrapped(inner, self.fill(inner, value))
                )
            case t.Struct(), _:
                return self.packet(type_)(
                    **self.filled({m.name: m.type for m in type_.members}, value), ndr64=self.ndr64
                )
            case t.Array(string=False, element=element), _:
                return [self.fill(element, part) for part in value]
            case t.Array(string=True, element=t.Base(size=1)), _:
                return value.encode()
            case t.Switched(union=union), {"$case": tag, "$value": inner}:
                arm = next(arm for arm in union.arms if tag in arm.labels)
                return self.s.NDRUnion(tag=tag, value=self.fill(arm.member.type, inner))
        return value

    def wrapped(self, type_: t.Type, value: Any) -> Any:
        """What a field would have made of a plain value by itself."""
        return self.field("x", type_, True).any2i(None, value) if isinstance(type_, t.Array) else value

    def read(self, type_: t.Type, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, list) and value and isinstance(value[0], self.s.NDRVaryingArray):
            value = value[0]
        wrappers = ("NDRPointer", "NDRConformantArray", "NDRConformantString", "NDRVaryingArray", "NDRUnion")
        if type(value).__name__ in wrappers:
            inner = type_.target if type(value).__name__ == "NDRPointer" else type_
            return self.read(inner, value.value)
        match type_:
            case t.Struct():
                return {m.name: self.read(m.type, value.getfieldval(m.name)) for m in type_.members}
            case t.Array(string=True):
                return (value.decode() if isinstance(value, bytes) else value).rstrip("\0")
            case t.Array(element=element):
                return [self.read(element, part) for part in value]
        return value


# --- impacket ---


class Impacket:
    """Classes of ``impacket.dcerpc.v5.ndr``."""

    def __init__(self, types: dict[str, t.Type]) -> None:
        why = "impacket is not installed: pip install -e .[peers]"
        self.n = pytest.importorskip("impacket.dcerpc.v5.ndr", reason=why)
        self.d = pytest.importorskip("impacket.dcerpc.v5.dtypes", reason=why)
        logging.getLogger("impacket").setLevel(logging.CRITICAL)
        self.types = types
        self.classes: dict[int, Any] = {}
        structure = tuple((name, self.of(type_)) for name, type_ in types.items())
        self.call = type("Call", (self.n.NDRCALL,), {"structure": structure})

    def data(self, values: dict[str, Any]) -> bytes:
        call = self.call()
        for name, part in values.items():
            self.put(call, name, self.types[name], part)
        return bytes(call.getData())

    def values(self, raw: bytes) -> dict[str, Any]:
        call = self.call()
        assert call.fromString(raw) == len(raw), "bytes left over"
        return {name: self.get(type_, call.fields[name]) for name, type_ in self.types.items()}

    def of(self, type_: t.Type) -> Any:
        if id(type_) not in self.classes:
            self.classes[id(type_)] = self.made(type_)
        return self.classes[id(type_)]

    def made(self, type_: t.Type) -> Any:
        n = self.n
        match type_:
            case t.Base(code=code):
                return {"b": n.NDRSMALL, "B": n.NDRUSMALL, "h": n.NDRSHORT, "H": n.NDRUSHORT, "i": n.NDRLONG, "I": n.NDRULONG,
                        "q": n.NDRHYPER, "Q": n.NDRUHYPER, "f": n.NDRFLOAT, "d": n.NDRDOUBLEFLOAT}[code]  # fmt: skip
            case t.EnumType():
                return n.NDRULONG if type_.v1 else n.NDRENUM
            case t.Struct(members=members):
                return type(
                    "S", (n.NDRSTRUCT,), {"structure": tuple((m.name, self.of(m.type)) for m in members)}
                )
            case t.Pointer(target=inner):
                return type("P", (n.NDRPOINTER,), {"referent": (("Data", self.of(inner)),)})
            case t.Switched(union=union):
                arms = {arm.labels[0]: (arm.member.name, self.of(arm.member.type)) for arm in union.arms}
                tag = (("tag", self.of(union.switch)),)
                return type("U", (n.NDRUNION,), {"commonHdr": tag, "union": arms})
            case t.Array(string=True, element=t.Base(size=size)):
                return self.d.STR if size == 1 else self.d.WSTR
            case t.Array(bound=int(bound)):
                return type(
                    "F", (n.NDRUniFixedArray,), {"align": 1, "getDataLen": lambda self, data, offset=0: bound}
                )
            case t.Array(element=t.Base(code=code)):
                return type("A", (n.NDRUniConformantArray,), {"item": "<" + code})
            case t.Array(element=element):
                return type("A", (n.NDRUniConformantArray,), {"item": self.of(element)})
        raise AssertionError(type_)

    def put(self, holder: Any, name: str, type_: t.Type, value: Any) -> None:
        match type_:
            case t.Struct(members=members):
                for member in members:
                    self.put(holder.fields[name], member.name, member.type, value[member.name])
            case t.Pointer() if value is None:
                holder[name] = self.n.NULL if hasattr(self.n, "NULL") else self.n.NDRPOINTERNULL()
            case t.Pointer(target=inner):
                self.put(holder.fields[name], "Data", inner, value)
            case t.Switched(union=union):
                holder.fields[name]["tag"] = value["$case"]
                arm = next(arm for arm in union.arms if value["$case"] in arm.labels)
                self.put(holder.fields[name], arm.member.name, arm.member.type, value["$value"])
            case t.Array(string=True):
                holder.fields[name]["Data"] = value + "\0"
            case t.Array(bound=int()):
                holder.fields[name]["Data"] = bytes(value)
            case t.Array(element=t.Struct() as element):
                holder.fields[name]["Data"] = [self.element(element, part) for part in value]
            case _:
                holder.fields[name]["Data"] = value

    def element(self, struct: t.Struct, value: Any) -> Any:
        made = self.of(struct)()
        for member in struct.members:
            self.put(made, member.name, member.type, value[member.name])
        return made

    def get(self, type_: t.Type, made: Any) -> Any:
        match type_:
            case t.Struct(members=members):
                return {m.name: self.get(m.type, made.fields[m.name]) for m in members}
            case t.Pointer(target=inner):
                return self.get(inner, made.fields["Data"]) if made["ReferentID"] else None
            case t.Switched(union=union):
                arm = next(arm for arm in union.arms if made["tag"] in arm.labels)
                return self.get(arm.member.type, made.fields[arm.member.name])
            case t.Array(string=True):
                return made["Data"].rstrip("\0")
            case t.Array(element=t.Struct() as element):
                return [self.get(element, part) for part in made.fields["Data"]]
            case t.Array():
                return list(made.fields["Data"])
        return made["Data"]


# --- the comparison ---


PEERS = ("impacket", "scapy-ndr20", "scapy-ndr64")


def peer(name: str, types: dict[str, t.Type]) -> Scapy | Impacket:
    return Impacket(types) if name == "impacket" else Scapy(types, ndr64=name == "scapy-ndr64")


def comparable(data: bytes, like: list[Any]) -> list[Any]:
    """The bytes cut as our message was, gaps left out, of ids only whether they are null."""
    cut = [(row, data[row.offset : row.offset + len(row.data)]) for row in like if row.what != "padding"]
    return [any(part) if row.what.startswith("referent id") else part for row, part in cut]


def cases() -> Iterator[Any]:
    """Every shape with every peer; where a peer is known to differ, it must still do so."""
    for shape, name in product(SHAPES, PEERS):
        reason = DIFFER.get((shape, name))
        marks = [pytest.mark.xfail(reason=reason, raises=AssertionError)] if reason else []
        yield pytest.param(shape, name, id=f"{shape}-{name}", marks=marks)


@pytest.mark.parametrize(("shape", "name"), [*cases()])
def test_same_bytes(shape: str, name: str) -> None:
    syntax = "ndr64" if name.endswith("64") else "ndr20"
    session: Session = open_session(SHAPES[shape], transfer_syntax=syntax)
    types = {p.name: target(p.type) for p in session.interface.procedures["f"].parameters}
    other = peer(name, types)
    seen: dict[str, Any] = {}

    def look(call: ServerCall) -> None:
        seen.update(Reader(call.program.space).read({key: call.place(key) for key in types}))

    session.set_routine("f", look)
    random = Random(shape)
    for _ in range(ROUNDS):
        values = members(random, types)
        call = session.call("f", **values)
        theirs = other.data(values)
        rows = annotate(call, "request")
        assert len(theirs) == len(call.request), (theirs.hex(), call.request.hex(), values)
        assert comparable(theirs, rows) == comparable(call.request, rows), (
            theirs.hex(),
            call.request.hex(),
            values,
        )
        assert other.values(call.request) == plain(values)
        reply = session.server_stub.dispatch(0, theirs)
        assert (reply.status, plain(seen)) == (0, plain(values))
        assert comparable(reply.data, rows) == comparable(call.response, rows)
