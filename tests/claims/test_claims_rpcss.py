"""Claims about the RpcSs package, the pairs of the client stubs, and COM's task allocator."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, MemoryFault, Program, RpcError, Session, UsageError
from rpcmemkit.rpcss import RpcSm, RpcSs
from rpcmemkit.stubs.client import ClientStub
from tests.claims.table import NODE, Fact, fact, prove, proving
from tests.engine.helpers import linked, open_session, serve

LIST = NODE + "void f([in, out] node *head);"
FULL = NODE + "void f([in, out, ptr] node *head);"
OUT_LIST = NODE + "void f([out] node **made);"
ENABLED = "[enable_allocate] f();"
HANG = "head.next = new({'value': 2, 'next': None})"
ONE = {"head": linked(1)}


def allocators(call: Any, side: str, actor: str = "stub") -> set[str]:
    return {event.detail for event in call.trace.select("allocate", side=side, actor=actor)}


def hang(call: Any, head: Any) -> None:
    head.next = call.new(linked(1))


def m_034(call):
    call.rpcss.allocate(500)


def m_237(head, new):
    head.next = new({"value": 2, "next": None})


def m_037(free, head):
    free(head.next)
    head.next = None


def m_041(call):
    call.rpcss.enable_allocate()
    call.rpcss.disable_allocate()


def m_041_b(call):
    call.rpcss.enable_allocate()


@pytest.mark.parametrize(
    "row",
    [
        fact("M-034", LIST, ONE, m_034, acf=ENABLED, server_leaked=0, server_frees=0, sizes=[16, 500]),
        fact("M-237", LIST, ONE, m_237, acf=ENABLED, server_leaked=0, server_frees=0, client_allocations=1),
        fact("M-037", LIST, {"head": linked(2)}, m_037, acf=ENABLED, server_frees=1, marked=1),
        fact("M-041", LIST, ONE, m_041, environments_left=0),
        fact("M-041", LIST, ONE, m_041_b, environments_left=1, server_leaked=0),
        fact("M-236", LIST, ONE, m_237, acf=ENABLED, client_allocations=1, client_frees=0),
    ],
)  # fmt: skip
def test_calls(row: Fact) -> None:
    prove(row)


@proving("M-028 M-033")
@pytest.mark.parametrize(
    ("acf", "allocator"),
    [
        (None, "midl_user_allocate"),
        (ENABLED, "RpcSsAllocate"),
        ("[enable_allocate] g();", "midl_user_allocate"),
    ],
)
def test_default_mode_enables_only_on_request(acf: str | None, allocator: str) -> None:
    session = open_session(NODE + "void f([in, out] node *head); void g();", hang, acf)
    call = session.call("f", head=linked(1))
    assert allocators(call, "server") == allocators(call, "server", "routine") == {allocator}


@proving("M-028")
def test_whole_interface_enabled() -> None:
    header = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i {\n"
    session = Session(header + LIST + "}", "[enable_allocate] interface i { }")
    serve(session, "f", hang)
    assert allocators(session.call("f", head=linked(1)), "server") == {"RpcSsAllocate"}


@proving("M-029")
@pytest.mark.parametrize("acf", [None, ENABLED])
def test_dce_mode_enables_by_itself(acf: str | None) -> None:
    call = open_session(FULL, hang, acf, osf=True).call("f", head=linked(2))
    assert allocators(call, "server") == {"RpcSsAllocate"}


@proving("M-031 M-032")
@pytest.mark.parametrize(
    ("acf", "osf", "expected"),
    [
        (None, False, ("midl_user_allocate", "midl_user_allocate")),
        (ENABLED, False, ("midl_user_allocate", "RpcSsAllocate")),
        (None, True, ("malloc", "RpcSsAllocate")),
        (ENABLED, True, ("malloc", "RpcSsAllocate")),
    ],
)
def test_when_a_client_stub_is_sensitive(acf: str | None, osf: bool, expected: tuple[str, str]) -> None:
    session = open_session(LIST, hang, acf, osf=osf)
    disabled = session.call("f", head=linked(1))
    session.client_rpcss.enable_allocate()
    enabled = session.call("f", head=linked(1))
    assert (allocators(disabled, "client"), allocators(enabled, "client")) == ({expected[0]}, {expected[1]})


@proving("M-035 M-036 M-040")
def test_out_of_memory() -> None:
    program = Program("client", fail_after=0)
    for failing in (RpcSs(program).enable_allocate, lambda: RpcSs(program).allocate(1)):
        with pytest.raises(RpcError) as caught:
            failing()
        assert caught.value.name == "RPC_S_OUT_OF_MEMORY"
    assert RpcSm(program).enable_allocate() == 14
    assert RpcSm(program).allocate(1) == (0, 14)
    assert program.environment is None


@proving("M-037")
@pytest.mark.parametrize(("osf", "until_disabled"), [(False, 8), (True, 0)])
def test_free_only_marks(osf: bool, until_disabled: int) -> None:
    program = Program("client", osf=osf)
    rpcss = RpcSs(program)
    rpcss.enable_allocate()
    block = rpcss.allocate(8)
    rpcss.free(block)
    assert program.space.capacity(block) == until_disabled
    rpcss.disable_allocate()
    assert program.space.capacity(block) == 0


@proving("M-039")
def test_environment_comes_first() -> None:
    program = Program("client")
    with pytest.raises(UsageError, match="RpcSmAllocate needs the RpcSs environment"):
        RpcSm(program).allocate(8)
    RpcSm(program).enable_allocate()
    assert RpcSm(program).allocate(8)[1] == 0


@proving("M-041")
def test_disable_without_enable() -> None:
    rpcsm = RpcSm(Program("client"))
    assert (rpcsm.enable_allocate(), rpcsm.disable_allocate()) == (0, 0)
    with pytest.raises(UsageError, match="as a pair"):
        rpcsm.disable_allocate()


@proving("M-042")
def test_disable_releases_everything_since_enable() -> None:
    program = Program("client")
    rpcss = RpcSs(program)
    rpcss.enable_allocate()
    blocks = [rpcss.allocate(size) for size in (1, 2, 3)]
    rpcss.free(blocks[1])
    rpcss.disable_allocate()
    assert [event.address for event in program.trace.select("free")] == blocks
    assert [program.space.capacity(address) for address in blocks] == [0, 0, 0]


@proving("M-043")
def test_environment_of_the_application_outlives_the_call() -> None:
    blocks: list[int] = []

    def routine(call: Any, head: Any) -> None:
        if not blocks:
            call.rpcss.enable_allocate()
            blocks.append(call.rpcss.allocate(40))
        else:
            call.rpcss.disable_allocate()

    session = open_session(LIST, routine)
    capacity = session.server.space.capacity
    audits = []
    for _ in range(2):
        audits.append(Audit(session.call("f", head=linked(1))))
        blocks.append(capacity(blocks[0]))
    assert blocks[1:] == [40, 0]
    assert [audit.server_leaked for audit in audits] == [0, 0]


@proving("M-044 M-046")
def test_environment_belongs_to_a_thread() -> None:
    program = Program("server")
    rpcss, rpcsm = RpcSs(program, "routine"), RpcSm(program, "routine")
    assert (rpcss.get_thread_handle(), rpcsm.get_thread_handle()) == (0, (0, 0))
    rpcss.enable_allocate()
    handle, status = rpcsm.get_thread_handle()
    assert (handle > 0, status) == (True, 0)
    with program.in_thread("spawned"):
        with pytest.raises(UsageError):
            rpcss.allocate(8)
        assert rpcsm.set_thread_handle(handle) == 0
        assert rpcss.allocate(8) > 0
    assert len(program.environments[handle].blocks) == 1


@proving("M-045")
@pytest.mark.parametrize("face", [RpcSs, RpcSm])
def test_free_under_another_handle(face: type[RpcSs] | type[RpcSm]) -> None:
    program = Program("client")
    RpcSs(program).enable_allocate()
    block = RpcSs(program).allocate(8)
    handle = RpcSs(program).get_thread_handle()
    with program.in_thread("other"):
        RpcSs(program).enable_allocate()
        with pytest.raises(MemoryFault, match="wrong thread handle"):
            face(program).free(block)
        RpcSs(program).set_thread_handle(handle)
        face(program).free(block)
    assert program.space.is_marked(block)


@proving("M-047")
def test_environment_saved_and_restored() -> None:
    program = Program("client")
    rpcss = RpcSs(program)
    rpcss.enable_allocate()
    saved, block = rpcss.get_thread_handle(), rpcss.allocate(8)
    rpcss.set_thread_handle(0)
    rpcss.enable_allocate()
    with pytest.raises(MemoryFault, match="wrong thread handle"):
        rpcss.free(block)
    rpcss.disable_allocate()
    rpcss.set_thread_handle(saved)
    rpcss.free(block)
    assert program.space.is_marked(block)


@proving("M-048 M-050")
def test_pair_of_the_client_stubs() -> None:
    session = open_session(LIST, hang)
    task, malloc = session.client.pairs["CoTaskMemAlloc"], session.client.pairs["malloc"]
    assert session.client_rpcsm.set_client_alloc_free(task.allocate, task.free) == 0
    assert allocators(session.call("f", head=linked(1)), "client") == {"CoTaskMemAlloc"}
    before, _ = session.client_rpcsm.swap_client_alloc_free(malloc.allocate, malloc.free)
    assert before == (task.allocate, task.free)
    assert allocators(session.call("f", head=linked(1)), "client") == {"malloc"}
    assert session.client_rpcsm.swap_client_alloc_free(None, task.free) == (None, 87)
    session.client.fail_after = 0
    assert session.client_rpcsm.set_client_alloc_free(task.allocate, task.free) == 14


@proving("M-052")
def test_the_scheme_in_force_is_a_matter_of_the_thread() -> None:
    """In DCE mode one thread sets a pair, another enables an environment; neither changes what the other's stubs call."""
    session = open_session(LIST, hang, osf=True)
    client, task = session.client, session.client.pairs["CoTaskMemAlloc"]
    used = {}
    session.client_rpcss.set_client_alloc_free(task.allocate, task.free)
    with client.in_thread("second"):
        session.client_rpcss.enable_allocate()
        used["second"] = allocators(session.call("f", head=linked(1)), "client")
    with client.in_thread("third"):
        used["third"] = allocators(session.call("f", head=linked(1)), "client")
    used["first"] = allocators(session.call("f", head=linked(1)), "client")
    assert used == {"first": {"CoTaskMemAlloc"}, "second": {"RpcSsAllocate"}, "third": {"malloc"}}


@proving("M-049")
def test_default_pair_in_a_manager_routine() -> None:
    inner, outer = (open_session(LIST, hang, osf=True) for _ in range(2))
    nested: list[str] = []

    def routine(call: Any, head: Any) -> None:
        space = outer.server.space
        node = space.add_block(16, "application", fill=0)
        frame = inner.procedures["f"]
        address = space.add_block(frame.plan.size, "stack", fill=0)
        space.set_pointer(address, node)
        before = len(outer.server.trace)
        ClientStub(outer.server, inner.planner, inner._transport, osf=True).call(frame, address)
        nested.extend(e.detail for e in list(outer.server.trace)[before:] if e.kind == "allocate")

    serve(outer, "f", routine)
    outer.call("f", head=linked(1))
    alone = inner.call("f", head=linked(1))
    assert (nested, allocators(alone, "client")) == (["RpcSsAllocate"], {"malloc"})


@proving("M-051")
@pytest.mark.parametrize("enabled", [False, True])
def test_client_free(enabled: bool) -> None:
    session = open_session(LIST, hang, ENABLED)
    if enabled:
        session.client_rpcss.enable_allocate()
    call = session.call("f", head=linked(1))
    (new,) = [event.address for event in call.trace.select("allocate", side="client", actor="stub")]
    with session.client.in_thread("other"):
        if enabled:
            session.client_rpcss.enable_allocate()
            with pytest.raises(MemoryFault, match="wrong thread handle"):
                session.client_rpcsm.client_free(new)
    assert session.client_rpcsm.client_free(new) == 0
    assert (session.client.space.is_marked(new), session.client.space.capacity(new)) == (
        enabled,
        16 * enabled,
    )


@proving("M-053")
@pytest.mark.parametrize(("attribute", "left"), [("object, ", (None, 0)), ("", (linked(1), 9))])
def test_proxy_of_a_failed_call(attribute: str, left: tuple[Any, int]) -> None:
    uuid = "uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)"
    body = NODE + "long f([in, out] node *head, [out] node **made, [out] long *n);"
    session = Session(f"[{attribute}{uuid}] interface i {{ {body} }}")
    serve(session, "f", lambda call, head, made, n: call.raise_exception(5))
    call = session.try_call("f", {"head": linked(1), "made": linked(1), "n": 9})
    assert (call.status, call["head"], call["made"], call["n"]) == (5, linked(1), *left)
