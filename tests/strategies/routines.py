"""Random server routines: what they do is drawn while they run, and written down as the actions of a scenario file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from rpcmemkit.errors import RpcError
from rpcmemkit.memory import AddressSpace
from rpcmemkit.operations import Operations
from rpcmemkit.paths import path_text, resolve
from rpcmemkit.plan import ArrayPlan, BasePlan, PointerPlan
from rpcmemkit.stubs.server import ServerCall
from rpcmemkit.walk import Place, pointers_in, reach
from tests.strategies.types import Again, Array, Interface, Pointer, Record, Scalar, Text
from tests.strategies.values import Values

VERBS = ("null", "allocate", "allocate", "set", "free", "free", "point", "point", "shrink")
ALLOCATORS = ("midl_user", "RpcSs", "task")


def chain(path: Any) -> Iterator[str]:
    """Yield the steps of a path, the last one first."""
    while path is not None:
        path, step = path
        yield step


class Player:
    """A routine that draws what it does. A ``careful`` one breaks no rule of C or RPC; it may well lose memory.

    ``actions`` are what it did; ``frees_given`` says whether it freed what came with the request, which is right only
    where the stub has allocated it.
    """

    def __init__(self, draw: Any, interface: Interface, careful: bool) -> None:
        self.draw = draw
        self.interface = interface
        self.careful = careful
        self.values = Values(draw, interface, depth=2)
        self.actions: list[dict[str, Any]] = []
        self.frees_given = False
        self.shared = False

    def __call__(self, call: ServerCall) -> None:
        self.call = call
        self.operations = Operations(call.program, "routine")
        self.given = set(reach(self.space, self.roots))
        for _ in range(self.draw(st.integers(0, 6))):
            self.act(self.pick(*VERBS))
        if self.careful:
            self.fill()
        if self.draw(st.integers(0, 9)) == 9:
            code = self.pick(5, 1722)
            self.note({"raise": code})
            raise RpcError(code, rule="server-exception-reaches-client")
        if call.result is not None:
            self.give_result()

    @property
    def space(self) -> AddressSpace:
        return self.call.program.space

    @property
    def roots(self) -> list[Place]:
        return [self.call.place(name) for name, _, _ in self.call.frame.all if name != "return"]

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def note(self, action: dict[str, Any]) -> None:
        self.actions.append(action)

    # --- what there is ---

    def pointers(self) -> list[Place]:
        """The pointers below the parameters that a path leads to."""
        places = [p for p in reach(self.space, self.roots).values() if self.space.capacity(p.address)]
        values = [root for root in self.roots if not isinstance(root.plan, PointerPlan)]
        found = [each for place in (*values, *places) for each in pointers_in(self.space, place)]
        return [each for each in found if self.leads_to(each)]

    def leads_to(self, place: Place, value: bool = False) -> bool:
        """Whether the text of a place's path leads to it, or to what points to it if it is a ``value``."""
        names = {name for name, _, _ in self.call.frame.all}
        try:
            found = resolve(
                self.space,
                path_text(place.path),
                lambda name: self.call.place(name) if name in names else None,
            )
            while value and isinstance(found.plan, PointerPlan):
                found = Place(found.plan.target, self.held(found), found.scope, None)
        except Exception:  # noqa: BLE001 (whatever it is: this place cannot be spoken of)
            return False
        return found.address == place.address and (value or found.plan == place.plan)

    def type_of(self, place: Place) -> Pointer:
        type_ = self.interface.at(place.path)
        assert isinstance(type_, Pointer), (path_text(place.path), type_)
        return type_

    def held(self, place: Place) -> int:
        return self.space.pointer_at(place.address)

    def times_held(self, address: int) -> int:
        tops = [root for root in self.roots if isinstance(root.plan, PointerPlan)]
        return sum(self.held(each) == address for each in (*tops, *self.pointers()))

    # --- what is done ---

    def act(self, verb: str) -> None:
        pointers = self.pointers()
        if verb in ("set", "shrink") or not pointers:
            self.write(shrinks=verb == "shrink")
        else:
            getattr(self, verb)(self.draw(st.sampled_from(pointers)))

    def null(self, place: Place) -> None:
        if self.type_of(place).kind == "ref" and self.careful:
            return
        self.operations.set(place, None)
        self.note({"set": path_text(place.path), "to": None})

    def allocate(self, place: Place) -> None:
        value = self.new_value(place)
        allocator = (
            ""
            if self.careful or self.draw(st.integers(0, 9)) < 9
            else self.pick("private", "malloc", "CoTaskMemAlloc")
        )
        self.note(
            {"allocate": path_text(place.path), "value": value} | ({"with": allocator} if allocator else {})
        )
        self.operations.allocate(place, value, allocator)

    def new_value(self, place: Place) -> Any:
        """A value for what a pointer points to, of the size that its counts give."""
        type_, plan = self.type_of(place), place.plan.target
        beside: dict[str, Any] = {}
        target = type_.target
        if isinstance(target, Array) and target.size and isinstance(plan, ArrayPlan):
            count = max(plan.count(self.space, place.scope), 0)
            first, length = plan.range(self.space, place.scope, count) if plan.varying else (0, count)
            count, first = min(count, 8), min(first, 8)
            beside[target.size.name] = count - target.size.plus
            if target.length:
                beside[target.length.name] = length
            if target.first:
                beside[target.first.name] = first
        elif isinstance(target, Text) and target.size and isinstance(plan, ArrayPlan):
            count = min(max(plan.count(self.space, place.scope), 1), 8)
            beside[target.size.name] = count - target.size.plus
        return self.values.value(target, beside, 1, sized=bool(beside))

    def free(self, place: Place) -> None:
        address = self.held(place)
        block = self.space.block(address) if address else None
        fit = block is not None and block.live and block.address == address and block.kind in ALLOCATORS
        if self.careful and (not fit or self.times_held(address) > 1 or self.holds_shared(place)):
            return
        path = path_text(place.path)
        if self.careful and self.interface.in_copy(path):
            return  # clearing a copy changes nothing for the stub, which frees it again
        self.frees_given = self.frees_given or address in self.given
        self.note({"free": path})
        self.operations.free(place)
        if self.careful or self.draw(st.booleans()):
            self.note({"set": path, "to": None})
            self.operations.set(place, None)

    def holds_shared(self, place: Place) -> bool:
        """Whether something below a pointer is held elsewhere too: freeing its holder would lead pointers astray."""
        below = reach(self.space, [place])
        outside = {self.held(each) for each in self.pointers() if each.address != place.address}
        inside = [
            p for b in below.values() if self.space.capacity(b.address) for p in pointers_in(self.space, b)
        ]
        return any(self.held(each) in below for each in inside) and bool(outside)

    def point(self, place: Place) -> None:
        """Let a pointer point where another one of its type does; full pointers may, unique ones are freed twice."""
        type_ = self.type_of(place)
        if type_.kind == "ref" or (self.careful and type_.kind != "ptr"):
            return
        if not isinstance(type_.target, Record | Again | Scalar) or (self.careful and self.in_state(place)):
            return
        same = [
            each
            for each in self.pointers()
            if each.address != place.address
            and self.held(each)
            and self.type_of(each).kind == type_.kind
            and each.plan.target is place.plan.target
            and (type_.kind == "ptr" or not self.leads_back(each, place))
            and not (self.careful and self.in_state(each))
        ]
        if same:
            other = self.draw(st.sampled_from(same))
            self.shared = True
            self.note({"point": path_text(place.path), "at": path_text(other.path)})
            self.operations.point(place, other)

    def in_state(self, place: Place) -> bool:
        """Whether a pointer is a context handle or part of its state, which stays when the call has ended."""
        *_, root = chain(place.path)
        return any(p.member.name == root and self.interface.holds(p) for p in self.interface.parameters)

    def leads_back(self, start: Place, place: Place) -> bool:
        """Whether a pointer lies below another one: a ring of unique pointers would never end."""
        below = [p for p in reach(self.space, [start]).values() if self.space.capacity(p.address)]
        return any(each.address == place.address for p in below for each in pointers_in(self.space, p))

    def write(self, shrinks: bool) -> None:
        """Set a number: any, or a count to something less."""
        targets = [
            place
            for place in self.scalars()
            if self.is_count(place) == shrinks and (place.path or (0, ""))[1] != "t"
        ]
        if not targets:
            return
        place = self.draw(st.sampled_from(targets))
        type_ = self.interface.at(place.path)
        while isinstance(type_, Pointer):
            type_ = type_.target
        if shrinks:
            now = int.from_bytes(self.space.read(place.address, place.plan.size), "little", signed=True)
            if now <= 0:
                return
            value = self.draw(st.integers(0, now - 1))
        else:
            value = self.values.value(type_, {}, 1)
        self.note({"set": path_text(place.path), "to": value})
        self.operations.set(place, value)

    def is_count(self, place: Place) -> bool:
        step = (place.path or (None, ""))[1]
        return step.endswith(("_n", "_l"))

    def scalars(self) -> list[Place]:
        """The base values below the pointers among the parameters; those of unions are left alone."""
        places = [p for p in reach(self.space, self.roots).values() if self.space.capacity(p.address)]
        found = []
        for place in places:
            if isinstance(place.plan, BasePlan):
                found.append(place)
            for member in getattr(place.plan, "members", ()):
                step = "." + member.name
                if isinstance(member.plan, BasePlan) and not step.endswith(("_t", "_f")):
                    found.append(
                        Place(member.plan, place.address + member.offset, place.address, (place.path, step))
                    )
        return [each for each in found if self.leads_to(each, value=True)]

    def fill(self) -> None:
        """Give every reference pointer something to point to: without it nothing could be marshalled."""
        for _ in range(20):
            empty = [p for p in self.pointers() if self.type_of(p).kind == "ref" and not self.held(p)]
            if not empty:
                return
            for place in empty:
                self.allocate(place)

    def give_result(self) -> None:
        type_ = self.interface.result
        assert type_ is not None
        if isinstance(type_, Pointer):
            value = self.values.value(type_.target, {}, 1) if self.draw(st.booleans()) else None
        else:
            value = self.values.value(type_, {}, 0)
        self.note({"return": value})
        assert self.call.result is not None
        self.operations.result_storage(self.call.result, value)
