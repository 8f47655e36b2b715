"""Short ways to compile a text and to write a type down, for the tests of the front end."""

from __future__ import annotations

from rpcmemkit import types as t
from rpcmemkit.errors import Diagnostic, IdlError
from rpcmemkit.idl import Switches, compile_idl

HEADER = (
    "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), version(1.0), pointer_default(unique)]\ninterface i\n{\n"
)


def interface(body: str, header: str = HEADER) -> str:
    return f"{header}{body}\n}}\n"


def compiled(body: str, acf: str | None = None, *, osf: bool = False, header: str = HEADER) -> t.Interface:
    return compile_idl(interface(body, header), acf, switches=Switches(osf=osf)).interface


def findings(
    text: str, acf: str | None = None, *, osf: bool = False, switches: Switches | None = None
) -> list[Diagnostic]:
    """All errors and warnings of a whole text."""
    try:
        return compile_idl(text, acf, switches=switches or Switches(osf=osf)).warnings
    except IdlError as error:
        return error.diagnostics


def spell(expression: t.Expr | None) -> str:
    if isinstance(expression, t.Const):
        return str(expression.value)
    if isinstance(expression, t.Name):
        return expression.name
    if isinstance(expression, t.Unary):
        return expression.op + spell(expression.operand)
    if isinstance(expression, t.Binary):
        return f"({spell(expression.left)}{expression.op}{spell(expression.right)})"
    if isinstance(expression, t.Conditional):
        return f"({spell(expression.test)}?{spell(expression.yes)}:{spell(expression.no)})"
    return ""


def show(type_: t.Type | None) -> str:
    """A type in one line; structures, unions and enumerations by name."""
    if type_ is None:
        return "nothing"
    if isinstance(type_, t.Pointer):
        flags = ("all_nodes", "dont_free", "force_allocate", "ignore", "partial_ignore")
        marks = "".join(f" {flag}" for flag in flags if getattr(type_, flag))
        return f"{type_.kind.value}{marks} -> {show(type_.target)}"
    if isinstance(type_, t.Array):
        parts = {"size": spell(type_.size), "length": spell(type_.length), "first": spell(type_.first)}
        words = [f"{name} {text}" for name, text in parts.items() if text]
        words += ["string"] if type_.string else []
        words += [f"count {type_.count_range}"] if type_.count_range else []
        bound = "" if type_.bound is None else str(type_.bound)
        return f"[{', '.join([bound, *words])}] {show(type_.element)}"
    if isinstance(type_, t.Ranged):
        return f"{show(type_.target)} in {type_.low}..{type_.high}"
    if isinstance(type_, t.Switched):
        return f"{show(type_.union)} by {spell(type_.switch_is)}"
    if isinstance(type_, t.Opaque):
        return f"<{type_.what} {type_.name}>"
    if isinstance(type_, t.Converted):
        return f"<{type_.how} {type_.name}>"
    if isinstance(type_, t.ContextHandle):
        return f"<context {type_.name}>"
    return type_.name


def parameter(declaration: str, *, before: str = "", acf: str | None = None, osf: bool = False) -> str:
    """The type of the last parameter of ``void f(declaration)``."""
    procedure = compiled(f"{before}\nvoid f({declaration});", acf, osf=osf).procedures["f"]
    return show(procedure.parameters[-1].type)
