"""What all steps of one compilation share: the names there are, where findings go, and the questions that all ask.

It lies below the steps. The resolver is a context that can also read declarations; attributes, conversions and checks
only ask.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from lark import Token

from rpcmemkit.errors import UsageError
from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.acf import Acf
from rpcmemkit.idl.attributes import row
from rpcmemkit.idl.declared import Place, Subject
from rpcmemkit.idl.expressions import ExpressionError, read_constant
from rpcmemkit.idl.extents import TOO_DEEP, Extents
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.levels import assemble, copies
from rpcmemkit.idl.report import Named, Report
from rpcmemkit.idl.scope import Scope, base_type
from rpcmemkit.idl.source import Source
from rpcmemkit.idl.switches import Switches
from rpcmemkit.plan import ArrayPlan, Planner, StructPlan
from rpcmemkit.types import Base, Const, Converted, Expr, Name, PointerKind, Type


class Context:
    """One compilation, as far as single steps need it."""

    def __init__(self, scope: Scope, report: Report, switches: Switches) -> None:
        self.scope = scope
        self.report = report
        self.switches = switches
        self.osf = switches.osf
        self.mode_default = PointerKind.FULL if self.osf else PointerKind.UNIQUE
        self.acf = Acf()
        self.extents = Extents()
        self.sizes = Sizes()
        self.conversions: list[Converted] = []

    # --- findings ------------------------------------------------------------------------------

    def complain(
        self, finding: Finding, about: Subject, attribute: s.Attribute | None = None, /, **details: Any
    ) -> None:
        """Report a finding at a name, or at an attribute in the text that gives it."""
        details.setdefault("name", repr(about.name))
        source = about.source
        if attribute is not None:
            details.setdefault("attribute", attribute.name)
            source = self.acf.source if attribute.acf and self.acf.source is not None else source
        self.report.add(finding, source, attribute or about, parameter=about.parameter, **details)

    def complain_in(self, source: Source, where: Token | Named, finding: Finding, /, **details: Any) -> None:
        """Report a finding in a text; with the text and the place first, so that a function can be bound to them."""
        self.report.add(finding, source, where, **details)

    def complain_at(
        self, error: ExpressionError, run: s.Run, place: Place, parameter: str | None = None
    ) -> None:
        """Report what is wrong with an expression, at its token."""
        token = error.token if error.token is not None else run[0]
        self.report.add(error.finding, place.source, token, parameter=parameter, **error.details)

    def lacks(self, attribute: s.Attribute, source: Source, parameter: str | None = None) -> None:
        """Report an attribute without the argument that its row asks for."""
        name, what = attribute.name, row(attribute.name).needs
        self.report.add(Finding.BAD_ARGUMENT, source, attribute, parameter=parameter, name=name, what=what)

    # --- constants and types -------------------------------------------------------------------

    def constant(self, run: s.Run, place: Place, otherwise: int = 0) -> int:
        """The number that a run of tokens spells; problems are reported."""
        try:
            return read_constant(run, VisibleNames(self, {}))
        except ExpressionError as error:
            self.complain_at(error, run, place)
            return otherwise

    def type_argument(self, attribute: s.Attribute, place: Place) -> Type | None:
        """The type named in ``switch_type(unsigned long)`` and its kin."""
        run = attribute.argument
        if not run:
            self.lacks(attribute, place.source)
            return None
        words = " ".join(word for word in run if word != "const")
        found = self.type_of(words.rstrip("* "))
        if found is None:
            self.report.add(Finding.UNKNOWN_TYPE, place.source, s.start(run[0]), len(words), name=repr(words))
        return found

    def type_of(self, words: str) -> Type | None:
        """A type given by words only, without any level."""
        base = base_type(words)
        if base is not None:
            return base
        if words.partition(" ")[0] in ("enum", "struct", "union"):
            return self.scope.tags.get(words.partition(" ")[2])
        alias = self.scope.aliases.get(words)
        if alias is None:
            return self.scope.tags.get(words)
        return assemble(copies(alias.levels), alias.base, self.mode_default)


class VisibleNames:
    """The names an expression may use: constants, and the parameters or members beside it."""

    def __init__(self, context: Context, siblings: Container[str], attribute: str = "") -> None:
        self.context = context
        self.siblings = siblings
        self.attribute = attribute

    def value(self, name: Token) -> Expr:
        if name in self.siblings:
            return Name(str(name))
        known = self.context.scope.constants.get(str(name))
        if isinstance(known, (int, float)):
            return Const(known)  # type: ignore[arg-type]  # a fraction only reaches read_real
        if self.attribute:
            raise ExpressionError(
                Finding.UNKNOWN_IN_ATTRIBUTE, name, name=repr(str(name)), attribute=self.attribute
            )
        raise ExpressionError(Finding.UNKNOWN_NAME, name, name=repr(str(name)))

    def is_type(self, words: str) -> bool:
        return words not in self.siblings and self.context.type_of(words.rstrip("* ")) is not None

    def size_of(self, words: str) -> int | None:
        if words in self.siblings:
            return None
        if words.endswith("*"):
            return 8 if self.context.type_of(words.rstrip("* ")) else None
        found = self.context.type_of(words)
        if found is not None and self.context.extents.of(found) == TOO_DEEP:
            return 0  # which has been reported
        return None if id(found) in self.context.scope.incomplete else self.context.sizes.of(found)


class Sizes:
    """What ``sizeof`` says. Layouts are remembered, and the types with them: a plan is found by the id of its type."""

    def __init__(self) -> None:
        self._planner = Planner()
        self._asked: list[Type] = []

    def of(self, found: Type | None) -> int | None:
        """Return the bytes of a type of fixed size in the memory of a 64-bit program, or ``None``."""
        if found is None:
            return None
        self._asked.append(found)
        try:
            plan = self._planner.plan(found)
        except UsageError:  # void, a function
            return None
        open_ = isinstance(plan, ArrayPlan) and plan.conformant
        return None if open_ or (isinstance(plan, StructPlan) and plan.tail) else plan.size


def wrapped(value: int, base: Base) -> int:
    """``value`` as the base type holds it: ``const unsigned long ALL = -1``."""
    if base.code == "?":
        return int(bool(value))
    value &= (1 << 8 * base.size) - 1
    signed = base.code.islower()
    return value - (1 << 8 * base.size) if signed and value >> (8 * base.size - 1) else value
