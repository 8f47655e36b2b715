"""Interfaces and their procedures: opnums, directions, defaults, and what the attribute file adds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lark import Token

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.acf import Acf
from rpcmemkit.idl.apply import POINTER_KINDS
from rpcmemkit.idl.attributes import row
from rpcmemkit.idl.check import Checker
from rpcmemkit.idl.declared import Declared, Place, Subject
from rpcmemkit.idl.expressions import ExpressionError, read_number, unquote
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.memory import apply_parameter, check_byte_count, check_orphaning
from rpcmemkit.idl.placement import StatusCheck, check_attributes, check_serialization
from rpcmemkit.idl.resolve import Resolver
from rpcmemkit.types import SERIALIZATION, Interface, Opaque, Parameter, PointerKind, Procedure, Type

_STATUS = ("HRESULT", "SCODE", "error_status_t")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_VERSION = re.compile(r"\d{1,5}(\.\d{1,5})?")


class InterfaceBuilder:
    """Builds one :class:`~rpcmemkit.types.Interface`, item by item."""

    def __init__(
        self, body: s.Block, resolver: Resolver, acf: Acf, place: Place, checker: Checker | None
    ) -> None:
        self.body = body
        self.resolver = resolver
        self.report = resolver.report
        self.acf = acf
        self.place = place
        self.checker = checker
        self.source = place.source
        self.local = "local" in body.attributes
        self.callbacks = 0
        self.statuses = StatusCheck(resolver)
        self.kind: bool | None = None  # whether the first procedure serializes
        self.interface = self._empty()
        self.next_opnum = len({procedure.opnum for procedure in self.interface.procedures.values()})

    # --- the interface itself ------------------------------------------------------------------

    def _empty(self) -> Interface:
        base = self._base()
        attributes = self.body.attributes + self.acf.of_interface(self.body.name)
        self._pointer_default(attributes)
        about = Subject(self.body.name, self.body.at, self.source)
        check_attributes(self.resolver, "interface", about, attributes)
        dispatch = self.body.keyword == "dispinterface"
        return Interface(
            name=self.body.name,
            uuid=self._uuid(),
            version=self._version(),
            procedures=dict(base.procedures) if base else {},
            types={},
            attributes=values(attributes),
            is_object=dispatch
            or attributes.get("object", "odl") is not None
            or bool(base and base.is_object),
            osf=self.resolver.osf,
        )

    def _pointer_default(self, attributes: s.Attributes) -> None:
        attribute = attributes.get("pointer_default")
        if attribute is not None and pointer_default(attributes) is None:
            self.resolver.lacks(attribute, self.source)

    def _base(self) -> Interface | None:
        if not self.body.bases:
            return None
        base = self.body.bases[0]
        if base.name.rpartition(".")[2] not in self.resolver.scope.interfaces:
            self.report.add(Finding.UNKNOWN_BASE_INTERFACE, self.source, base)
        return self.resolver.scope.interface(base.name)

    def _uuid(self) -> str | None:
        attribute = self.body.attributes.get("uuid")
        if attribute is None:
            return None
        text = "".join(attribute.argument)
        text = text.strip('"{}')
        if not _UUID.fullmatch(text):
            self.report.add(Finding.BAD_UUID, self.source, attribute, text=repr(text))
        return text.lower()

    def _version(self) -> tuple[int, int]:
        attribute = self.body.attributes.get("version")
        if attribute is None:
            return (0, 0)
        text = "".join(attribute.argument)
        if not _VERSION.fullmatch(text):
            self.report.add(Finding.BAD_VERSION, self.source, attribute, text=repr(text))
            return (0, 0)
        major, _, minor = text.partition(".")
        return (int(major), int(minor or 0))

    # --- procedures ----------------------------------------------------------------------------

    def add(self, declaration: s.Declaration, target: s.Target) -> None:
        """Add the procedure that ``target`` declares, unless it stays on its own machine."""
        if not (target.layers and isinstance(target.layers[0], s.FunctionLayer)):
            self._variable(declaration, target)
            return
        local = self.local or "local" in declaration.attributes
        if local and not self.interface.is_object:
            return
        name = target.name
        if name in self.interface.procedures and not self.interface.is_object:
            self.report.add(Finding.DEFINED_TWICE, self.source, target)
        opnum = self._opnum(declaration.attributes)
        extra = self.acf.of_procedure(self.body.name, name)
        attributes = declaration.attributes + extra
        about = Subject(name, target.at, self.source)
        check_attributes(self.resolver, "procedure", about, attributes)
        parameters = self._parameters(target.layers[0], name)
        result = self._result(declaration, target)
        self.statuses = StatusCheck(self.resolver)
        built = [self._finish_parameter(declared, name) for declared in parameters]
        returned = self._result_type(result)
        caption = self.source.quote(declaration.at, declaration.end)
        more = self._procedure_attributes(attributes)
        self.interface.procedures[name] = Procedure(name, opnum, built, returned, caption, more)
        check_serialization(self.resolver, about, attributes, result.base)
        self.statuses.procedure(about, attributes, returned)
        if self.checker is not None and not local:
            result.acf = extra
            self.checker.procedure(parameters, built, result, returned)
            self._check_memory(parameters, built)
            self._check_one_way(declaration, parameters, result)
            self._check_pipes(attributes, parameters)
            self._check_serialization(target)

    def _check_serialization(self, target: s.Target) -> None:
        """A procedure is remote or serializes, and so are its neighbours (encode.md, MIDL2277)."""
        serializes = self.interface.procedures[target.name].serializes
        if serializes:
            code = Finding.SERIALIZES_OBJECT if self.interface.is_object else Finding.SERIALIZES
            self.report.add(code, self.source, target)
        if self.kind not in (None, serializes):
            self.report.add(Finding.SERIALIZES_MIXED, self.source, target)
        self.kind = serializes if self.kind is None else self.kind

    def _check_pipes(self, attributes: s.Attributes, parameters: list[Declared]) -> None:
        """No pipes in COM, in calls that may be repeated, nor over a binding that the stub finds (pipe.md)."""
        about = (
            (self.interface.is_object, "in an [object] interface"),
            ("idempotent" in attributes, "of an [idempotent] procedure"),
            ("auto_handle" in self.interface.attributes, "of an interface with [auto_handle]"),
        )
        where = next((words for holds, words in about if holds), "")
        for declared in parameters if where else ():
            if isinstance(declared.base, Opaque) and declared.base.what == "pipe":
                self.resolver.complain(Finding.PIPE_NOT_HERE, declared, None, where=where)

    def _check_one_way(
        self, declaration: s.Declaration, parameters: list[Declared], result: Declared
    ) -> None:
        """A call with [maybe] or [message] has no response (maybe.md)."""
        attribute = declaration.attributes.get("maybe", "message")
        if attribute is None:
            return
        core = declaration.specifiers.core
        status = not result.levels and isinstance(core, s.NamedSpec) and core.name in _STATUS
        back = [declared for declared in parameters if "out" in declared.attributes]
        for declared in back + ([] if status or _is_void(result) else [result]):
            self.resolver.complain(Finding.ONE_WAY, declared, attribute=attribute.name)

    def _variable(self, declaration: s.Declaration, target: s.Target) -> None:
        """What an interface does not have, apart from the properties of a dispinterface."""
        external = {"extern", "static"} & set(declaration.specifiers.qualifiers)
        if self.checker is None or external or self.body.keyword == "dispinterface":
            return
        array = isinstance(target.layers[0], s.ArrayLayer) if target.layers else False
        procedures = array and any(isinstance(layer, s.FunctionLayer) for layer in target.layers)
        code = Finding.ARRAY_OF_PROCEDURES if procedures else Finding.VARIABLE
        self.report.add(code, self.source, target)

    def _procedure_attributes(self, attributes: s.Attributes) -> Mapping[str, object]:
        """With /rpcss every procedure has [enable_allocate] (-rpcss.md)."""
        implied = {"enable_allocate": True} if self.resolver.switches.rpcss else {}
        implied |= {name: True for name in SERIALIZATION if name in self.interface.attributes}
        return {**implied, **values(attributes)}

    def _check_memory(self, parameters: list[Declared], built: list[Parameter]) -> None:
        by_name = {
            declared.name: (declared, parameter)
            for declared, parameter in zip(parameters, built, strict=True)
        }
        for declared, parameter in by_name.values():
            check_byte_count(self.resolver, declared, parameter, by_name)
            check_orphaning(self.resolver, declared, parameter)

    def _opnum(self, attributes: s.Attributes) -> int:
        """The next number; [callback] procedures count on their own, [call_as] takes the number it stands for."""
        if "callback" in attributes:
            self.callbacks += 1
            return self.callbacks - 1
        replaced = attributes.get("call_as")
        if replaced and replaced.argument and self.interface.is_object:
            known = self.interface.procedures.get(str(replaced.argument[0]))
            if known is not None:
                return known.opnum
        self.next_opnum += 1
        return self.next_opnum - 1

    def _parameters(self, function: s.FunctionLayer, procedure: str) -> list[Declared]:
        """The parameters, declared but without their attributes."""
        place = self.place.inner()
        self.inner = place
        for parameter in function.parameters:
            if not parameter.targets:
                self.report.add(Finding.VARIABLE_ARGUMENTS, self.source, parameter.at, len("..."))
            elif not _is_void_alone(function):
                for declared in self.resolver.declare(parameter, place):
                    self._enter(declared, place, len(place.siblings) + 1)
        ends = [parameter.at for parameter in function.parameters[1:]] + [function.at]
        captions = [
            self.source.quote(p.at, end).rstrip(" ,")
            for p, end in zip(function.parameters, ends, strict=False)
        ]
        self.captions = dict(zip(place.siblings, captions, strict=False))
        for declared in place.siblings.values():
            self.resolver.applier.apply(declared, place, declared.name)
        return list(place.siblings.values())

    def _enter(self, declared: Declared, place: Place, number: int) -> None:
        if not declared.name:
            if self.resolver.osf:
                self.report.add(Finding.NAMELESS_PARAMETER, self.source, declared.at)
            declared.name = f"parameter{number}"
        if declared.name in place.siblings:
            self.report.add(Finding.DEFINED_TWICE, self.source, declared, parameter=declared.name)
        place.siblings[declared.name] = declared

    def _finish_parameter(self, declared: Declared, procedure: str) -> Parameter:
        declared.acf = self.acf.of_parameter(self.body.name, procedure, declared.name)
        apply_parameter(self.resolver, declared)
        is_out = "out" in declared.attributes
        is_in = "in" in declared.attributes or not is_out
        parameter = Parameter(
            declared.name,
            self.resolver.finish(declared, self.inner, parameter=True),
            is_in,
            is_out,
            self.captions[declared.name],
            self._parameter_attributes(declared),
        )
        check_attributes(self.resolver, "parameter", declared, declared.both)
        check_serialization(self.resolver, declared, declared.both, declared.base)
        self.statuses.parameter(declared, parameter.type, is_in)
        return parameter

    def _parameter_attributes(self, declared: Declared) -> Mapping[str, object]:
        """With maybenull_sizeis every sized parameter has [disable_consistency_check] (-backward-compat.md)."""
        found = dict(values(declared.both))
        maybe_null = self.resolver.switches.maybenull_sizeis
        if any(
            "unchecked" in level.flags or (maybe_null and level.size is not None) for level in declared.levels
        ):
            found["disable_consistency_check"] = True
        return found

    def _result(self, declaration: s.Declaration, target: s.Target) -> Declared:
        returned = target._replace(layers=target.layers[1:])
        declared = next(self.resolver.declare(declaration, self.place, [returned]))
        self.resolver.applier.apply(declared, self.inner)
        return declared

    def _result_type(self, declared: Declared) -> Type | None:
        found = self.resolver.finish(declared, self.inner)
        return None if isinstance(found, Opaque) and found.what == "void" else found


def _is_void(declared: Declared) -> bool:
    return not declared.levels and isinstance(declared.base, Opaque) and declared.base.what == "void"


def _is_void_alone(function: s.FunctionLayer) -> bool:
    if len(function.parameters) != 1:
        return False
    only = function.parameters[0]
    core = only.specifiers.core
    named = any(target.layers or target.name for target in only.targets)
    return isinstance(core, s.BaseSpec) and core.words == "void" and not named


# --- attribute values ------------------------------------------------------------------------------


def pointer_default(attributes: s.Attributes) -> PointerKind | None:
    """The value of [pointer_default], if there is one."""
    attribute = attributes.get("pointer_default")
    run = attribute.argument if attribute else ()
    return POINTER_KINDS.get(str(run[0])) if run else None


def values(attributes: s.Attributes) -> Mapping[str, object]:
    """The attributes that the model has by name. The value is ``True``, a number, a text, or a tuple of several."""
    return {item.name: _value(item) for item in attributes.items if row(item.name).kept}


def _value(attribute: s.Attribute) -> object:
    if not attribute.arguments:
        return True
    parts = tuple(_part(run) for run in attribute.arguments)
    return parts[0] if len(parts) == 1 else parts


def _part(run: s.Run | None) -> object:
    if not run:
        return None
    if len(run) > 1:
        return " ".join(run)
    return _single(run[0])


def _single(token: Token) -> object:
    if token.type == "STRING":
        return unquote(token)
    try:
        return read_number(token) if token.type == "NUMBER" else str(token)
    except ExpressionError:
        return str(token)
