"""From the syntax tree to types: every name looked up, every attribute applied to the level it governs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lark import Token

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.apply import Applier
from rpcmemkit.idl.context import Context, VisibleNames, wrapped
from rpcmemkit.idl.conversions import check_conversion, converted
from rpcmemkit.idl.declared import Declared, Place, Subject
from rpcmemkit.idl.dialects import dialect_hint
from rpcmemkit.idl.expressions import (
    ExpressionError,
    read_real,
    unquote,
)
from rpcmemkit.idl.extents import DEEPEST, LARGEST, SHALLOWER, TOO_DEEP
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.levels import Level, assemble, copies
from rpcmemkit.idl.memory import apply_allocate
from rpcmemkit.idl.placement import check_attributes, check_serialization
from rpcmemkit.idl.report import Report
from rpcmemkit.idl.scope import Alias, Record, Scope, base_type
from rpcmemkit.idl.source import Source
from rpcmemkit.idl.switches import Switches
from rpcmemkit.idl.unions import UntypedUnions, check_arms, discriminates, switch_type
from rpcmemkit.types import (
    BASES,
    Arm,
    Base,
    ContextHandle,
    Converted,
    EncapsulatedUnion,
    EnumType,
    Member,
    Opaque,
    Struct,
    Type,
    Union,
)


class Resolver(Context):
    """Resolves the declarations of one compilation, in order."""

    def __init__(self, scope: Scope, report: Report, switches: Switches) -> None:
        super().__init__(scope, report, switches)
        self.members: dict[int, Declared] = {}  # by id of the types.Member, for diagnostics
        self.unsent_labels: dict[int, tuple[Source, Token, int]] = {}  # by id of the EnumType
        self.generic_handles: set[str] = set()  # types with [handle], by name
        self.untyped = UntypedUnions(self)
        self.open: set[int] = set()  # the structures and unions whose braces are open, by id
        self.applier = Applier(self)
        self.defaulted = False  # whether a pointer had to take the default of the mode

    # --- type specifiers ---------------------------------------------------------------------

    def core(self, core: s.Core, place: Place) -> tuple[list[Level], Type]:
        """The levels and the base that a type specifier stands for."""
        if isinstance(core, s.BaseSpec):
            return [], self._base(core, place)
        if isinstance(core, s.NamedSpec):
            return self._named(core, place)
        return [], self._tagged(core, place, s.NO_ATTRIBUTES)

    def _base(self, core: s.BaseSpec, place: Place) -> Type:
        if found := base_type(core.words):
            return found
        words = core.words
        self.report.add(Finding.NO_BASE_TYPE, place.source, core.at, len(words), words=repr(words))
        return Opaque("unknown", words)

    def _named(self, core: s.NamedSpec, place: Place) -> tuple[list[Level], Type]:
        alias = None if core.interface else self.scope.aliases.get(core.name.rpartition(".")[2])
        if alias is not None:
            return copies(alias.levels), alias.base
        plain = core.name.rpartition(".")[2]
        if plain in self.scope.interfaces or core.interface:
            return [], Opaque("interface", core.name)
        if plain in self.scope.tags:
            return [], self.scope.tags[plain]
        hint = dialect_hint(plain)
        self.report.add(Finding.UNKNOWN_TYPE, place.source, core, remedy=hint)
        self.scope.aliases[plain] = Alias(plain, [], Opaque("unknown", plain))  # one report per name
        return [], Opaque("unknown", core.name)

    def _tagged(self, core: s.Core, place: Place, attributes: s.Attributes) -> Type:
        if isinstance(core, s.EnumSpec):
            return self._enum(core, place, attributes)
        if isinstance(core, s.RecordSpec):
            return self._switched(core, place) if core.switch else self._record(core, place, attributes)
        assert isinstance(core, s.HolderSpec)
        levels, base = self.core(core.element, place)
        element = assemble(levels, base, place.fallback)
        found = Opaque(core.what, "SAFEARRAY" if core.what == "safearray" else "", element)
        self.extents.note(found, [self.extents.of(element)])
        return found

    # --- enumerations ------------------------------------------------------------------------

    def _enum(self, core: s.EnumSpec, place: Place, attributes: s.Attributes) -> Type:
        found = self._tag(core.tag, EnumType, core, core.labels is not None, place)
        if found is not None or core.labels is None:
            return found or Opaque("unknown", core.tag or "")
        enum = EnumType(core.tag or "", {}, v1="v1_enum" in attributes)
        self._remember(core.tag, enum)
        value = -1
        for label, run in core.labels:
            value = value + 1 if run is None else self.constant(run, place, value + 1)
            known = value if place.scoped_labels else self.scope.constants.get(str(label), value)
            if label in enum.labels or known != value:
                self.report.add(Finding.DEFINED_TWICE, place.source, label)
            enum.labels[str(label)] = value
            if not place.scoped_labels:
                self.scope.constants[str(label)] = value
            self._check_label(enum, label, value, place)
        return enum

    def _check_label(self, enum: EnumType, label: Token, value: int, place: Place) -> None:
        """A label is an int of C; one that is no 16-bit number is remembered until the type is sent (enum.md)."""
        if not -(1 << 31) <= value < 1 << 32:
            self.report.add(Finding.BAD_NUMBER, place.source, label, text=value)
        enum.labels[str(label)] = wrapped(value, _LONG)
        if not (enum.v1 or 0 <= value <= 0x7FFF):
            self.unsent_labels.setdefault(id(enum), (place.source, label, value))

    def _tag(self, tag: str | None, kind: type, core: s.Core, defines: bool, place: Place) -> Record | None:
        """The type already known by this tag, if it may be used or completed here."""
        found = self.scope.tags.get(tag) if tag else None
        if found is None:
            if not defines and kind is EnumType:
                self.report.add(Finding.UNKNOWN_TYPE, place.source, core.at, name=repr(f"enum {tag}"))
            return None
        if not isinstance(found, kind) or (defines and id(found) not in self.scope.incomplete):
            self.report.add(Finding.DEFINED_TWICE, place.source, core.at, len(tag or ""), name=repr(tag))
            return None
        return found

    def _remember(self, tag: str | None, record: Record) -> None:
        if tag:
            self.scope.tags[tag] = record

    # --- structures and unions -----------------------------------------------------------------

    def _record(self, core: s.RecordSpec, place: Place, attributes: s.Attributes) -> Type:
        kind: type[Struct] | type[Union] = Struct if core.keyword == "struct" else Union
        defines = core.members is not None
        known = self.scope.tags.get(core.tag or "")
        if isinstance(known, EncapsulatedUnion) and not defines:
            return known  # in C it is a structure with this tag: MS-RRASM writes `struct` where it uses one
        found = self._tag(core.tag, kind, core, defines, place)
        record = found if isinstance(found, (Struct, Union)) else self._new_record(core)
        if core.members is None:
            return record
        self.open.add(id(record))
        if isinstance(record, Struct):
            record.pack = place.source.pack_at(core.at)
            record.members = self._members(core.members, place)
            parts = record.members
        else:
            switch = switch_type(self, attributes, place)
            record.switch = switch or record.switch
            record.arms = self._arms(core.members, place)
            check_arms(self, record, core.members, place, stated=switch is not None)
            if switch is None:
                self.untyped.add(record, core.members, place)
            parts = [arm.member for arm in record.arms if arm.member]
        self.extents.note(record, (self.extents.of(part.type) for part in parts))
        self.scope.incomplete.discard(id(record))
        self.open.discard(id(record))
        return record

    def _new_record(self, core: s.RecordSpec) -> Struct | Union:
        name = core.tag or ""
        record = Struct(name, tagged=bool(name)) if core.keyword == "struct" else Union(name, _LONG)
        self.scope.incomplete.add(id(record))
        self._remember(core.tag, record)
        return record

    def _members(self, fields: list[s.Declaration], place: Place) -> list[Member]:
        inner = place.inner()
        for declared in (each for field_ in fields for each in self.declare(field_, inner)):
            name = declared.name or f"anonymous{len(inner.siblings) + 1}"
            if name in inner.siblings:
                self.report.add(Finding.DEFINED_TWICE, place.source, declared.at, len(name), name=repr(name))
            inner.siblings[name] = declared
        return [self._member(name, declared, inner) for name, declared in inner.siblings.items()]

    def _member(self, name: str, declared: Declared, place: Place) -> Member:
        check_attributes(self, "member", Subject(name, declared.at, place.source), declared.attributes)
        self.applier.apply(declared, place)
        self._complete(declared, place)
        member = Member(name, self.finish(declared, place))
        self.members[id(member)] = declared
        return member

    def _complete(self, declared: Declared, place: Place) -> None:
        """A type whose members are unknown may only stand behind a pointer."""
        if id(declared.base) not in self.scope.incomplete or any(level.pointer for level in declared.levels):
            return
        name = getattr(declared.base, "name", "")
        code = Finding.CONTAINS_ITSELF if id(declared.base) in self.open else Finding.NO_MEMBERS
        self.report.add(code, place.source, declared, name=repr(name or declared.name))

    def _arms(self, fields: list[s.Declaration], place: Place) -> list[Arm]:
        arms: list[Arm] = []
        for field_ in fields:
            case = field_.attributes.get("case")
            labels = tuple(self.constant(run, place) for run in case.arguments if run) if case else ()
            members = self._members([field_], place)
            arms.append(Arm(labels, members[0] if members else None, "default" in field_.attributes))
        return arms

    def _switched(self, core: s.RecordSpec, place: Place) -> Type:
        assert core.switch is not None
        assert core.members is not None
        self._tag(core.tag, EncapsulatedUnion, core, True, place)
        levels, base = self.core(core.switch.core, place)
        if levels or not discriminates(base):
            self.report.add(Finding.BAD_SWITCH_TYPE, place.source, core.switch.at)
            base = _LONG
        assert isinstance(base, (Base, EnumType))
        name = core.union_name or "tagged_union"
        union = Union(core.tag or "", base)
        result = EncapsulatedUnion(core.tag or "", core.switch_name, name, union)
        self._remember(core.tag, result)
        union.arms = self._arms(core.members, place)
        check_arms(self, union, core.members, place)
        parts = [self.extents.of(arm.member.type) for arm in union.arms if arm.member]
        self.extents.note(result, [self.extents.note(union, parts)])
        return result

    # --- declarations ------------------------------------------------------------------------

    def declare(
        self, declaration: s.Declaration, place: Place, targets: Iterable[s.Target] | None = None
    ) -> Iterator[Declared]:
        """Levels and base of each target; attributes are applied later, when all neighbours are known."""
        attributes, specifiers = declaration.attributes, declaration.specifiers
        targets = declaration.targets if targets is None else targets
        if not targets:
            return
        inner: list[Level] = []
        if isinstance(specifiers.core, (s.RecordSpec, s.EnumSpec)):
            base = self._tagged(specifiers.core, place, attributes)
        else:
            inner, base = self.core(specifiers.core, place)
        alias = (
            self.scope.aliases.get(specifiers.core.name) if isinstance(specifiers.core, s.NamedSpec) else None
        )
        const = specifiers.const or (alias is not None and alias.const)  # as LPCWSTR is
        generic = alias is not None and alias.name in self.generic_handles
        for target in targets:
            own = [self._level(layer, place) for layer in target.layers]
            levels, nested = self._nested(own + copies(inner), base, target, place)
            yield Declared(
                target.name,
                target.at,
                place.source,
                attributes,
                levels,
                nested,
                const=const,
                generic=generic and not own,
                bits=target.bits is not None,
            )

    def _nested(
        self, levels: list[Level], base: Type, target: s.Target, place: Place
    ) -> tuple[list[Level], Type]:
        """Levels and base, unless they are nested too deeply; that is reported where it becomes so."""
        height = self.extents.declared(levels, base).height
        if height <= DEEPEST:
            return levels, base
        if self.extents.of(base) != TOO_DEEP:
            self.report.add(Finding.TOO_DEEP, place.source, target, limit=DEEPEST, remedy=SHALLOWER)
        return [], self.extents.too_deep

    def _level(self, layer: s.Layer, place: Place) -> Level:
        if isinstance(layer, s.PointerLayer):
            return Level("pointer", default=place.default)
        if isinstance(layer, s.FunctionLayer):
            return Level("function")
        return Level("array", bound=self._bound(layer, place))

    def _bound(self, layer: s.ArrayLayer, place: Place) -> int | None:
        run = layer.bound
        if run is None or list(run) == ["*"]:
            return None
        dots = next((index for index, token in enumerate(run) if token == ".."), None)
        if dots is not None:
            return self._dce_bound(run[:dots], run[dots + 1 :], layer, place)
        bound = self.constant(run, place, 1)
        return self._checked_bound(bound, layer, place)

    def _dce_bound(self, low: s.Run, high: s.Run, layer: s.ArrayLayer, place: Place) -> int | None:
        """``[0..7]``: the bounds of DCE IDL, both included."""
        if not low or not high or self.constant(low, place) != 0:
            self.report.add(Finding.LOWER_BOUND, place.source, layer.at)
            return 1
        if list(high) == ["*"]:
            return None
        return self._checked_bound(self.constant(high, place) + 1, layer, place)

    def _checked_bound(self, bound: int, layer: s.ArrayLayer, place: Place) -> int:
        if 1 <= bound <= LARGEST:
            return bound
        self.report.add(Finding.BAD_BOUND, place.source, layer.at, text=bound)
        return 1

    # --- attributes --------------------------------------------------------------------------

    def finish(self, declared: Declared, place: Place, *, parameter: bool = False) -> Type:
        """The type itself."""
        self._note_default(declared, parameter)
        declared.type = assemble(declared.levels, declared.base, place.fallback, parameter=parameter)
        return declared.type

    def _note_default(self, declared: Declared, parameter: bool) -> None:
        for level in declared.levels[1 if parameter else 0 :]:
            if level.pointer and level.kind is None and level.default is None:
                self.defaulted = True

    # --- typedefs and constants ----------------------------------------------------------------

    def typedef(self, declaration: s.Declaration, place: Place) -> None:
        """Enter every name that a typedef declares."""
        for declared in self.declare(declaration, place):
            self.applier.apply(declared, place)
            self._enter(declared, place)

    def _enter(self, declared: Declared, place: Place) -> None:
        if place.own:
            declared.acf = self.acf.of_type(declared.name)
        self._note_handle(declared)
        self._check_placement(declared, place)
        declared.mark(declared.acf)
        apply_allocate(self, declared)
        base: Type = declared.base
        levels = declared.levels
        if isinstance(base, ContextHandle):
            base.is_type = True
        check_conversion(self, declared, place)
        conversion = converted(self, declared, place)
        if conversion is not None:
            levels, base = [], self._shallow(conversion, declared)
        self._name_anonymous(base, declared.name, levels)
        alias = Alias(declared.name, levels, base, place.source, declared.const)
        known = self.scope.aliases.get(declared.name)
        if known is not None and known.source is None:
            self._predefined(declared, known, levels, base)
            return
        if known is not None and not _alike(known.base, base):
            self.report.add(Finding.DEFINED_TWICE, place.source, declared)
        self.scope.aliases[declared.name] = alias

    def _shallow(self, conversion: Converted, declared: Declared) -> Type:
        """A conversion of a conversion of … has an end, too."""
        parts = [self.extents.of(part) for part in (conversion.presented, conversion.sent)]
        height = self.extents.note(conversion, parts).height
        if height <= DEEPEST:
            return conversion
        if height < TOO_DEEP.height:
            self.complain(Finding.TOO_DEEP, declared, limit=DEEPEST, remedy=SHALLOWER)
        return self.extents.too_deep

    def _predefined(self, declared: Declared, known: Alias, levels: list[Level], base: Type) -> None:
        """A predefined type may be defined as what it is, as C headers do; it stays what it is."""
        same = isinstance(known.base, Base) and isinstance(base, Base) and known.base.size == base.size
        if isinstance(known.base, Opaque):  # handle_t is a void * in C
            same = isinstance(base, Opaque) and (base is known.base or (base.what == "void" and bool(levels)))
        elif levels or (known.name in _AS_THE_PAGE_SAYS and base not in _AS_THE_PAGE_SAYS[known.name]):
            same = False
        if not same:
            code = {"wchar_t": Finding.OTHER_WCHAR, "error_status_t": Finding.OTHER_ERROR_STATUS}.get(
                known.name, Finding.DEFINED_TWICE
            )
            self.complain(code, declared)

    def _note_handle(self, declared: Declared) -> None:
        declared.generic = declared.generic or "handle" in declared.attributes
        if declared.generic:
            self.generic_handles.add(declared.name)

    def _check_placement(self, declared: Declared, place: Place) -> None:
        check_attributes(self, "type", declared, declared.both)
        check_serialization(self, declared, declared.both, declared.base if not declared.levels else None)
        if ignore := declared.attributes.get("ignore"):
            self.complain(Finding.DOES_NOT_APPLY, declared, ignore, attribute="ignore")

    def _name_anonymous(self, base: Type, name: str, levels: list[Level]) -> None:
        """``typedef struct { … } POINT``: the structure is called POINT."""
        if isinstance(base, (Struct, Union, EnumType, EncapsulatedUnion)) and not base.name and not levels:
            base.name = name
            if isinstance(base, EncapsulatedUnion):
                base.union.name = name

    def tagged(self, declaration: s.Declaration, place: Place) -> None:
        """``struct tag { … };`` without any declarator."""
        self._tagged(declaration.specifiers.core, place, declaration.attributes)

    def define_constant(self, declaration: s.Declaration, place: Place) -> None:
        """``const long LIMIT = 5;``"""
        plain = replace(declaration, attributes=s.NO_ATTRIBUTES)
        for target in declaration.targets:
            for declared in self.declare(plain, place, [target]) if target.value else ():
                value = self._constant_value(target.value or (), declared, place)
                if self.scope.constants.setdefault(target.name, value) != value:
                    self.report.add(Finding.DEFINED_TWICE, place.source, declared)

    def _constant_value(self, run: s.Run, declared: Declared, place: Place) -> object:
        base = declared.base
        if all(token.type == "STRING" for token in run):
            if not declared.levels and isinstance(base, (Base, Struct, EnumType)):
                self._not_of_type(Finding.CONSTANT_OF_OTHER_TYPE, run, declared, place, str(run[0]))
            return "".join(unquote(token) for token in run)
        if isinstance(base, Base) and base.code in "fd" and not declared.levels:
            return self._float(run, place)
        value = self.constant(run, place)
        bare = len(run) == 1 and value != 0  # a cast makes a pointer of anything
        if isinstance(base, Struct) if not declared.levels else bare:
            self._not_of_type(Finding.CONSTANT_OF_OTHER_TYPE, run, declared, place, value)
        if not isinstance(base, Base) or declared.levels:
            return value
        bits = 8 * base.size
        # numbers here have no width: ~0x80000000 is below the smallest long, and what ocidl.idl writes for a DWORD
        if base.code != "?" and not -(1 << bits) <= value < 1 << bits:
            self._not_of_type(Finding.VALUE_NOT_IN_TYPE, run, declared, place, value)
        return wrapped(value, base)

    def _not_of_type(
        self, finding: Finding, run: s.Run, declared: Declared, place: Place, value: object
    ) -> None:
        name = getattr(declared.base, "name", "") or "void"
        type_ = name + " *" * bool(declared.levels)
        self.report.add(finding, place.source, s.start(run[0]), len(run[0]), value=value, type=type_)

    def _float(self, run: s.Run, place: Place) -> float:
        try:
            return float(read_real(run, VisibleNames(self, {})))
        except ExpressionError as error:
            self.complain_at(error, run, place)
            return 0.0


_LONG = Base("long", "i", 4)
_AS_THE_PAGE_SAYS = {  # MIDL2014, MIDL2205
    "wchar_t": (BASES["wchar_t"], BASES["unsigned short"]),
    "error_status_t": (BASES["error_status_t"], BASES["unsigned long"]),
}


def _alike(one: Type, other: Type) -> bool:
    """Whether a second typedef of the same name says the same."""
    if isinstance(one, Struct) and isinstance(other, Struct):
        return [member.name for member in one.members] == [member.name for member in other.members]
    if isinstance(one, EnumType) and isinstance(other, EnumType):
        return one.labels == other.labels
    return one is other or (type(one) is type(other) and isinstance(one, (Opaque, Converted)))
