"""The RpcSs package: environments, marks, threads, the client stubs' pair, and allocators that do not match."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from rpcmemkit import Audit, MemoryFault, Program, RpcError, Session, UsageError
from rpcmemkit.audit import balance, returned
from rpcmemkit.operations import Operations
from rpcmemkit.rpcss import RpcSm, RpcSs
from rpcmemkit.stubs.client import ClientStub
from rpcmemkit.trace import PackageCall
from tests.engine.helpers import NODE, linked, open_session, serve

OUT_LIST = NODE + "void f([out] node **made);"
LIST = NODE + "void f([in, out] node *head);"
ENABLED = "[enable_allocate] f();"


def kinds(program: Program) -> list[tuple[str, Any]]:
    """What happened to memory in a program: the kinds of the events and what did it."""
    wanted = ("allocate", "free", "mark", "fault")
    return [(event.kind, event.detail) for event in program.trace.select(*wanted)]


def live(program: Program) -> int:
    return sum(map(bool, program.space.ledger.live))


# --- the environment ---


def test_marked_memory_returns_with_the_environment() -> None:
    program = Program("client")
    rpcss = RpcSs(program)
    rpcss.enable_allocate()
    block, other = rpcss.allocate(16), rpcss.allocate(8)
    program.space.write(block, b"x" * 16)
    rpcss.free(block)
    assert program.space.is_marked(block)
    assert program.space.read(block, 16) == b"x" * 16
    assert rpcss.allocate(16) not in (block, other)
    assert live(program) == 3
    rpcss.disable_allocate()
    assert live(program) == 0
    assert kinds(program) == [
        *[("allocate", "RpcSsAllocate")] * 2,
        ("mark", "RpcSsFree"),
        ("allocate", "RpcSsAllocate"),
        *[("free", "RpcSsDisableAllocate")] * 3,
    ]


def test_dce_frees_at_once_and_only_once() -> None:
    program = Program("client", osf=True)
    rpcss = RpcSs(program)
    rpcss.enable_allocate()
    block = rpcss.allocate(16)
    rpcss.free(block)
    assert live(program) == 0
    with pytest.raises(MemoryFault, match="double free"):
        rpcss.free(block)
    rpcss.disable_allocate()
    assert [kind for kind, _ in kinds(program)] == ["allocate", "free", "fault"]


def test_marked_twice_is_a_double_free() -> None:
    program = Program("client")
    rpcss = RpcSs(program)
    rpcss.enable_allocate()
    block = rpcss.allocate(1)
    rpcss.free(block)
    with pytest.raises(MemoryFault, match="double free"):
        rpcss.free(block)


def test_each_disable_releases_what_its_enable_began() -> None:
    program = Program("client")
    rpcss = RpcSs(program)
    rpcss.enable_allocate()
    outer = rpcss.allocate(1)
    rpcss.enable_allocate()
    inner = [rpcss.allocate(1) for _ in range(2)]
    rpcss.disable_allocate()
    assert [program.space.capacity(address) for address in (outer, *inner)] == [1, 0, 0]
    assert program.environment is not None
    rpcss.disable_allocate()
    assert program.environment is None
    assert (live(program), balance(program.trace)) == (0, 0)


def test_functions_without_an_environment() -> None:
    program = Program("client")
    for action in (lambda face: face.allocate(8), lambda face: face.free(0x10000)):
        for face in (RpcSs(program), RpcSm(program)):
            with pytest.raises(UsageError, match=r"RpcS[sm](Allocate|Free) needs the RpcSs environment"):
                action(face)
    assert len(program.space.ledger) == 0
    with pytest.raises(UsageError, match="RpcSmDisableAllocate goes with RpcSmEnableAllocate, as a pair"):
        RpcSm(program).disable_allocate()


def test_routine_cannot_disable_the_environment_of_its_stub() -> None:
    def routine(call: Any, made: Any) -> None:
        with pytest.raises(UsageError, match="the environment is the stub's"):
            call.rpcss.disable_allocate()
        call.rpcss.enable_allocate()
        call.rpcss.disable_allocate()

    assert open_session(OUT_LIST, routine, ENABLED).call("f").status == 0


# --- two faces ---


def test_one_face_raises_and_the_other_returns() -> None:
    program = Program("client", fail_after=1)
    rpcss, rpcsm = RpcSs(program), RpcSm(program)
    assert rpcsm.enable_allocate() == 0
    address, status = rpcsm.allocate(8)
    assert (bool(address), status) == (True, 0)
    assert rpcsm.allocate(8) == (0, 14)
    for failing in (lambda: rpcss.allocate(8), rpcss.enable_allocate):
        with pytest.raises(RpcError) as caught:
            failing()
        assert caught.value.code == 14
    assert rpcsm.enable_allocate() == 14
    assert rpcsm.free(address) == 0
    assert rpcsm.disable_allocate() == 0
    assert returned(program.trace) == [
        "RPC_S_OK",
        "RPC_S_OK",
        "RPC_S_OUT_OF_MEMORY",
        "RPC_S_OUT_OF_MEMORY",
        "RPC_S_OK",
        "RPC_S_OK",
    ]


def test_events_name_the_function_that_was_called() -> None:
    program = Program("client")
    rpcsm = RpcSm(program)
    rpcsm.enable_allocate()
    block, _ = rpcsm.allocate(8)
    rpcsm.free(block)
    rpcsm.disable_allocate()
    assert [name for _, name in kinds(program)] == ["RpcSmAllocate", "RpcSmFree", "RpcSmDisableAllocate"]
    assert [event.of(PackageCall).name for event in program.trace.select("rpcss")] == [
        "RpcSmEnableAllocate",
        "RpcSmAllocate",
        "RpcSmFree",
        "RpcSmDisableAllocate",
    ]


@pytest.mark.parametrize("face", [RpcSs, RpcSm])
def test_sizes_that_nobody_has(face: type[RpcSs] | type[RpcSm]) -> None:
    program = Program("client")
    RpcSs(program).enable_allocate()
    with pytest.raises(UsageError, match="expected a number of bytes, 0 or more, got -1"):
        face(program).allocate(-1)
    assert RpcSm(program).allocate(1 << 60) == (0, 14)
    assert len(program.space.ledger) == 0


@pytest.mark.parametrize("osf", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_any_sequence_of_calls_keeps_the_books(seed: int, osf: bool) -> None:
    """Random calls in three threads against a model: which blocks are live, and in which environment they are."""
    random = Random(seed)
    program = Program("client", osf=osf)
    rpcss, space = RpcSs(program), program.space
    handles: dict[str, int] = dict.fromkeys("abc", 0)
    levels: dict[int, list[set[int]]] = {}
    freed: set[int] = set()
    for _ in range(300):
        name = random.choice("abc")
        with program.in_thread(name):
            mine = levels.get(handles[name])
            action = random.choice(["enable", "disable", "allocate", "allocate", "free", "free", "share"])
            if action == "enable":
                rpcss.enable_allocate()
                handles[name] = rpcss.get_thread_handle()
                levels.setdefault(handles[name], []).append(set())
            elif action == "share":
                handles[name] = random.choice([0, *levels])
                rpcss.set_thread_handle(handles[name])
            elif mine is None:
                with pytest.raises(UsageError):
                    rpcss.allocate(8) if action == "allocate" else rpcss.disable_allocate()
            elif action == "allocate":
                mine[-1].add(rpcss.allocate(random.randrange(40)))
            elif action == "disable":
                rpcss.disable_allocate()
                mine.pop()
                if not mine:
                    del levels[handles[name]]
            elif blocks := sorted(address for each in levels.values() for level in each for address in level):
                block = random.choice(blocks)
                if block in freed or not any(block in level for level in mine):
                    with pytest.raises(MemoryFault):
                        rpcss.free(block)
                else:
                    rpcss.free(block)
                    freed.add(block)
        there = {address for each in levels.values() for level in each for address in level}
        expected = there - freed if osf else there
        ledger = space.ledger
        assert {start for start, alive in zip(ledger.starts, ledger.live, strict=True) if alive} == expected
        assert balance(program.trace) == sum(map(len, levels.values()))
        assert set(program.environments) == set(levels)


# --- threads ---


def test_handle_shares_an_environment() -> None:
    program = Program("server")
    rpcss = RpcSs(program, "routine")
    rpcss.enable_allocate()
    handle = rpcss.get_thread_handle()
    with program.in_thread("worker"):
        assert rpcss.get_thread_handle() == 0
        rpcss.set_thread_handle(handle)
        block = rpcss.allocate(4)
    rpcss.free(block)
    rpcss.disable_allocate()
    assert live(program) == 0
    with program.in_thread("worker"):
        assert rpcss.get_thread_handle() == 0
        with pytest.raises(UsageError, match=f"{handle} is not the thread handle"):
            rpcss.set_thread_handle(handle)


def test_block_of_another_handle() -> None:
    program = Program("client")
    rpcss = RpcSs(program)
    rpcss.enable_allocate()
    first = rpcss.get_thread_handle()
    block = rpcss.allocate(4)
    with program.in_thread("worker"):
        rpcss.enable_allocate()
        with pytest.raises(MemoryFault, match=rf"under {first}: RpcSmSetThreadHandle\({first}\)") as caught:
            rpcss.free(block)
        assert caught.value.kind == "wrong thread handle"
    assert not program.space.is_marked(block)
    rpcss.free(block)
    assert program.space.is_marked(block)


def test_handle_saves_and_restores() -> None:
    program = Program("client")
    rpcss = RpcSs(program)
    rpcss.enable_allocate()
    mine = rpcss.get_thread_handle()
    rpcss.set_thread_handle(0)
    rpcss.enable_allocate()
    assert rpcss.get_thread_handle() not in (0, mine)
    rpcss.disable_allocate()
    rpcss.set_thread_handle(mine)
    assert (rpcss.get_thread_handle(), RpcSm(program).get_thread_handle()) == (mine, (mine, 0))


def test_stub_ends_its_own_environment_whatever_the_routine_set() -> None:
    blocks: list[int] = []

    def routine(call: Any, made: Any) -> None:
        blocks.append(call.rpcss.allocate(24))
        call.rpcss.set_thread_handle(0)

    session = open_session(OUT_LIST, routine, ENABLED)
    session.call("f")
    assert session.server.space.capacity(blocks[0]) == 0
    assert session.server.environments == {}


def test_stub_gives_the_thread_back_the_environment_it_had() -> None:
    session = open_session("void f(); void g();", None, "[enable_allocate] g();")
    handles: list[int] = []

    def first(call: Any) -> None:
        if not handles:
            call.rpcss.enable_allocate()
        handles.append(call.rpcss.get_thread_handle())

    serve(session, "f", first)
    serve(session, "g", lambda call: handles.append(call.rpcss.get_thread_handle()))
    for name in "fgf":
        session.call(name)
    assert handles == [1, 2, 1]
    assert list(session.server.environments) == [1]


# --- the pair in force ---


@pytest.mark.parametrize(
    ("acf", "environment", "allocator", "deallocator"),
    [
        (None, {}, "midl_user_allocate", "midl_user_free"),
        (ENABLED, {}, "RpcSsAllocate", "RpcSsFree"),
        (None, {"osf": True}, "RpcSsAllocate", "RpcSsFree"),
    ],
)
def test_routine_allocates_like_its_stub(
    acf: str | None, environment: dict[str, Any], allocator: str, deallocator: str
) -> None:
    def routine(call: Any, made: Any) -> None:
        made[0] = call.new({"value": 1, "next": None})
        call.free(made[0])
        made[0] = None

    call = open_session(OUT_LIST, routine, acf, **environment).call("f")
    done = [event.detail for event in call.trace.select("allocate", "free", "mark", actor="routine")]
    assert done == [allocator, deallocator]


def test_name_means_itself() -> None:
    def routine(call: Any, made: Any) -> None:
        made[0] = call.new({"value": 1, "next": None}, "midl_user_allocate")

    call = open_session(OUT_LIST, routine, ENABLED).call("f")
    assert [block.kind for block in Audit(call).leaked] == ["midl_user"]


@pytest.mark.parametrize(
    ("gave", "takes", "why"),
    [
        (
            "RpcSmAllocate",
            "midl_user_free",
            "it came from an RpcSs environment: RpcSmFree, or RpcSmDisableAllocate for the whole",
        ),
        (
            "midl_user_allocate",
            "RpcSsFree",
            "RpcSsFree cannot free the block at 0x.*came from midl_user_allocate: midl_user_free",
        ),
        ("CoTaskMemAlloc", "midl_user_free", "it came from CoTaskMemAlloc: CoTaskMemFree would be right"),
        (
            "midl_user_allocate",
            "CoTaskMemFree",
            "CoTaskMemFree cannot free .* midl_user_allocate: midl_user_free would be right",
        ),
        (
            "malloc",
            "midl_user_free",
            "it came from the application's malloc: the application's free would be right",
        ),
        ("private", "RpcSmFree", "RpcSmFree .* an allocator of the routine's own: the deallocator of that"),
    ],
)
def test_allocators_that_do_not_match(gave: str, takes: str, why: str) -> None:
    def routine(call: Any, head: Any) -> None:
        head.next = call.new(linked(1), gave)
        with pytest.raises(MemoryFault, match=why) as caught:
            call.free(head.next, takes)
        assert caught.value.kind == "mismatched free"
        head.next = None

    call = open_session(LIST, routine, ENABLED).call("f", head=linked(1))
    assert [event.detail[0] for event in Audit(call).faults] == ["mismatched free"]


def test_no_such_deallocator() -> None:
    with pytest.raises(
        UsageError, match="no deallocator is called 'delete'; there are: midl_user_free, RpcSsFree"
    ):
        Operations(Program("client"), "application").free_at(0x10000, "delete")


@pytest.mark.parametrize("allocator", ["midl_user_allocate", "RpcSsAllocate", "CoTaskMemAlloc", "malloc"])
def test_no_bytes_are_a_block_too(allocator: str) -> None:
    program = Program("client")
    program.enable_environment("application")
    pair = program.pairs[allocator]
    one, other = (program.try_allocate(0, "application", "", pair) for _ in range(2))
    assert 0 < one < other
    assert program.calls == 2
    program.free(one, "application", "", pair)
    assert [event.size for event in program.trace] == [0, 0, 0]


# --- audits ---


def test_application_environment_leaks_nothing_but_stays() -> None:
    def routine(call: Any, head: Any) -> None:
        call.rpcss.enable_allocate()
        call.rpcss.allocate(100)

    session = open_session(LIST, routine)
    audit = Audit(session.call("f", head=linked(1)))
    assert (audit.server_leaked, audit.environments_left, audit.faults) == (0, 1, [])
    (environment,) = session.server.environments.values()
    assert (environment.owner, list(environment.blocks.values())) == ("application", [100])


def test_stub_that_is_not_sensitive_cannot_free_rpcss_memory() -> None:
    def routine(call: Any, head: Any) -> None:
        call.rpcss.enable_allocate()
        head.next = call.new(linked(1), "RpcSsAllocate")

    audit = Audit(open_session(LIST, routine).call("f", head=linked(1)))
    assert [event.detail[0] for event in audit.faults] == ["mismatched free"]
    assert (audit.server_allocations, audit.server_frees) == (2, 2)


def test_marked_block_that_is_still_named_dangles() -> None:
    def routine(call: Any, head: Any) -> None:
        head.next = call.new(linked(1))
        call.free(head.next)

    audit = Audit(open_session(LIST, routine, ENABLED).call("f", head=linked(1)))
    assert [(each.side, each.path) for each in audit.dangling] == [("server", "head->next")]
    assert (audit.server_leaked, audit.server_frees, audit.faults) == (0, 1, [])


def test_marked_block_that_the_client_still_names_dangles() -> None:
    def routine(call: Any, head: Any) -> None:
        if head.next is None:
            head.next = call.new(linked(1))

    session = open_session(LIST, routine, ENABLED)
    session.client_rpcss.enable_allocate()
    first = session.call("f", head=linked(1))
    (new,) = [event.address for event in first.trace.select("allocate", side="client", actor="stub")]
    session.client_rpcss.client_free(new)
    audit = Audit(session.call("f", head={"$alias": "head"}))
    assert [(each.side, each.path, each.address) for each in audit.dangling] == [
        ("client", "head->next", new)
    ]


# --- the client stubs' pair ---


def calls_of(session: Session) -> list[str]:
    call = session.call("f")
    return [event.detail for event in call.trace.select("allocate", side="client", actor="stub")]


def answering(acf: str | None = None, **environment: Any) -> Session:
    return open_session(
        OUT_LIST, lambda call, made: made.__setitem__(0, call.new(linked(2))), acf, **environment
    )


def test_set_pair_is_used_from_then_on() -> None:
    session = answering()
    task = session.client.pairs["CoTaskMemAlloc"]
    assert session.client_rpcsm.set_client_alloc_free(task.allocate, task.free) == 0
    assert calls_of(session) == ["CoTaskMemAlloc"] * 2
    with session.client.in_thread("worker"):
        assert calls_of(session) == ["midl_user_allocate"] * 2


def test_swap_hands_back_the_pair_before() -> None:
    session = answering()
    task, malloc = session.client.pairs["CoTaskMemAlloc"], session.client.pairs["malloc"]
    session.client_rpcss.set_client_alloc_free(malloc.allocate, malloc.free)
    before, status = session.client_rpcsm.swap_client_alloc_free(task.allocate, task.free)
    assert (before, status) == ((malloc.allocate, malloc.free), 0)
    assert calls_of(session) == ["CoTaskMemAlloc"] * 2
    assert before is not None
    session.client_rpcss.swap_client_alloc_free(*before)
    assert calls_of(session) == ["malloc"] * 2


def test_swap_of_nothing() -> None:
    session = answering()
    assert session.client_rpcsm.swap_client_alloc_free(None, None) == (None, 87)
    with pytest.raises(RpcError, match="RPC_S_INVALID_ARG"):
        session.client_rpcss.swap_client_alloc_free(None, None)


def test_pair_without_memory_to_set_it() -> None:
    program = Program("client", fail_after=0)
    task = program.pairs["CoTaskMemAlloc"]
    assert RpcSm(program).set_client_alloc_free(task.allocate, task.free) == 14
    assert program.thread.client_pair is None


@pytest.mark.parametrize(
    ("acf", "environment", "enabled", "disabled"),
    [
        (None, {}, "midl_user_allocate", "midl_user_allocate"),
        (ENABLED, {}, "RpcSsAllocate", "midl_user_allocate"),
        (None, {"osf": True}, "RpcSsAllocate", "malloc"),
    ],
)
def test_sensitive_client_stub(
    acf: str | None, environment: dict[str, Any], enabled: str, disabled: str
) -> None:
    session = answering(acf, **environment)
    assert calls_of(session) == [disabled] * 2
    session.client_rpcss.enable_allocate()
    assert calls_of(session) == [enabled] * 2
    session.client_rpcss.disable_allocate()
    assert calls_of(session) == [disabled] * 2


@pytest.mark.parametrize("allocator", ["midl_user_allocate", "CoTaskMemAlloc", "malloc"])
def test_client_free_needs_no_knowledge_of_the_pair(allocator: str) -> None:
    session = answering()
    pair = session.client.pairs[allocator]
    session.client_rpcss.set_client_alloc_free(pair.allocate, pair.free)
    call = session.call("f")
    new = [event.address for event in call.trace.select("allocate", side="client", actor="stub")]
    for address in new:
        assert session.client_rpcsm.client_free(address) == 0
    assert [session.client.space.capacity(address) for address in new] == [0, 0]
    assert [event.detail for event in call.trace.select("free", side="client")] == [pair.free_name] * 2


def test_user_functions_have_names_in_the_trace() -> None:
    session = answering()
    space = session.client.space

    def pool_take(size: int) -> int:
        return space.add_block(size, "private")

    session.client_rpcss.set_client_alloc_free(pool_take, space.drop_block)
    assert calls_of(session) == ["pool_take"] * 2


@pytest.mark.parametrize(("osf", "allocator"), [(True, "RpcSsAllocate"), (False, "midl_user_allocate")])
def test_nested_call_in_a_manager_routine(osf: bool, allocator: str) -> None:
    """The server program is the client of a second session while its own stub serves."""
    inner = answering(osf=osf)
    outer = answering(osf=osf)
    used: list[str] = []

    def routine(call: Any, made: Any) -> None:
        program = outer.server
        stub = ClientStub(program, inner.planner, inner._transport, osf)
        frame = inner.procedures["f"]
        address = program.space.add_block(frame.plan.size, "stack", fill=0)
        storage = program.space.add_block(8, "stack", fill=0)
        program.space.set_pointer(address, storage)
        before = len(program.trace)
        stub.call(frame, address)
        used.extend(event.detail for event in list(program.trace)[before:] if event.kind == "allocate")
        made[0] = call.new(linked(1))

    serve(outer, "f", routine)
    call = outer.call("f")
    assert used == [allocator] * 2
    after = [event.detail for event in call.trace.select("allocate", side="server", actor="routine")]
    assert after == [outer.server.pairs[allocator].name]


# --- COM ---

OBJECT = """[object, uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i {
    typedef struct node { long value; struct node *next; } node;
    long f([in, out] node *head, [out] node **made, [out] long *count); }"""


def com(routine: Any) -> Session:
    session = Session(OBJECT)
    serve(session, "f", routine)
    return session


def test_object_interfaces_use_the_task_allocator() -> None:
    def routine(call: Any, head: Any, made: Any, count: Any) -> int:
        made[0] = call.new(linked(1))
        call.free(head.next)
        head.next = None
        return 0

    session = com(routine)
    call = session.call("f", head=linked(2))
    done = {event.detail for event in call.trace.select("allocate", "free") if event.actor != "application"}
    assert done == {"CoTaskMemAlloc", "CoTaskMemFree"}
    assert Audit(call).server_leaked == 0
    assert Audit(call).server_storage["head"] == "allocated"
    (new,) = [event.address for event in call.trace.select("allocate", side="client", actor="stub")]
    assert session.client.space.block(new)[2:] == ("task", True)


def failing(call: Any, head: Any, made: Any, count: Any) -> int:
    call.raise_exception(5)
    return 0


def prepared(session: Session) -> dict[str, Any]:
    return {"head": linked(1), "made": {"value": 7, "next": None}, "count": 9}


def test_proxy_clears_out_parameters_of_a_failed_call() -> None:
    session = com(failing)
    call = session.try_call("f", prepared(session))
    assert call.status == 5
    assert (call["head"], call["made"], call["count"]) == (linked(1), None, 0)
    rules = [event.rule for event in call.trace.select("write", side="client", actor="stub")]
    assert rules == ["proxy-zeroes-out"] * 2 + ["proxy-clears-out"] * 2
    assert Audit(call).client_frees == 0


def test_raw_client_leaves_out_parameters_alone() -> None:
    session = open_session(
        NODE + "long f([in, out] node *head, [out] node **made, [out] long *count);", failing
    )
    call = session.try_call("f", prepared(session))
    assert (call.status, call["made"], call["count"]) == (5, {"value": 7, "next": None}, 9)


def test_proxy_frees_what_it_had_unmarshalled() -> None:
    session = com(lambda call, head, made, count: made.__setitem__(0, call.new(linked(3))) or 0)
    session.client.fail_after = 2
    call = session.try_call("f", {"head": linked(1)})
    assert (call.status, call["made"]) == (14, None)
    assert Audit(call).client_frees == 2
    assert [event.rule for event in call.trace.select("free", side="client")] == ["proxy-clears-out"] * 2


NAMES = "long GetName([out, string] wchar_t **name);"


def named(header: str) -> Session:
    session = Session(
        f"[{header}uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i {{ {NODE} {NAMES} }}"
    )

    @session.routine
    def GetName(call: Any, name: Any) -> int:
        name[0] = call.new("new")
        return 0

    return session


@pytest.mark.claims("M-296")
def test_proxy_zeroes_out_storage_before_the_call() -> None:
    call = named("object, ").call("GetName", name="old value")
    audit = Audit(call)
    assert (call["name"], audit.client_allocations, audit.orphaned) == ("new", 1, ["*name"])
    (zeroed,) = call.trace.select("write", side="client", actor="stub")
    variable = call.client_frame.place("name", call.frame_address).address
    assert (zeroed.address, zeroed.size) == (call.space("client before").pointer_at(variable), 8)
    assert zeroed.rule == "proxy-zeroes-out"
    (old,) = audit.orphaned_places
    assert call.space("client after").read(old.address, 20) == "old value\0".encode("utf-16-le")


@pytest.mark.claims("M-156")
def test_raw_client_writes_over_what_out_storage_names() -> None:
    call = named("").call("GetName", name="old value")
    assert (call["name"], Audit(call).client_allocations, Audit(call).orphaned) == ("new", 0, [])
    assert list(call.trace.select("write", side="client", actor="stub")) == []


def test_proxy_zeroes_arrays_by_their_size_attribute_and_inputs_not_at_all() -> None:
    session = Session(
        f"[object, uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i {{ {NODE}"
        "long f([in] long n, [out, size_is(n)] node *all, [in, out] node *kept, [out] node *one); }"
    )
    old = {"value": 1, "next": {"value": 2, "next": None}}
    session.set_routine("f", lambda call: None)
    call = session.call("f", n=2, all=[dict(old)] * 3, kept=dict(old), one=dict(old))
    zeroed = [event.size for event in call.trace.select("write", side="client", actor="stub")]
    assert zeroed == [32, 16]
    assert call["kept"] == {"value": 1, "next": {"value": 2, "next": None}}
    third = call.arguments["all"].address
    storage = call.space("client after").pointer_at(third)
    assert (
        call.space("client after").read(storage + 32, 4) == b"\1\0\0\0"
    )  # beyond size_is: not the parameter's
    assert call.space("client after").read(storage, 32) == bytes(32)


def test_proxy_given_a_pointer_to_nowhere() -> None:
    session = named("object, ")
    place = session.call("GetName").arguments["name"]
    nowhere = place._replace(address=0x7777)
    call = session.try_call("GetName", {"name": nowhere})
    assert isinstance(call.error, MemoryFault)
    assert call.request == b""
