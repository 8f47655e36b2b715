"""Claims about context handles: what travels, who keeps what, who goes away, and what a failure leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, IdlError, RpcError, Session
from rpcmemkit.idl import Switches, compile_idl
from rpcmemkit.stubs.contexts import NULL
from tests.claims.table import proving
from tests.engine.helpers import idl_text, open_session, serve

TYPE = "typedef [context_handle] void *PH;\n"
FILES = (
    TYPE
    + """void Open([out] PH *h, [in, string] char *name);
[string] char *Name([in] PH h);
void Rename([in] PH h);
void Close([in, out] PH *h);"""
)
NAME = b"secret.txt\0"
H = {"$context": "h"}


def files() -> Session:
    """A server that keeps a file's name behind each handle."""
    session = open_session(FILES)
    serve(session, "Open", lambda call, h, name: h.__setitem__(0, call.new(name().encode() + b"\0")))
    serve(session, "Name", lambda call, h: call.new(bytes(h)[:-1].decode()))
    serve(session, "Rename", lambda call, h: h.__setitem__(0, ord("S")))
    serve(session, "Close", close)
    return session


def close(call: Any, h: Any) -> None:
    if h[0] is not None:
        call.free(h[0])
        h[0] = None


def opened() -> Session:
    session = files()
    session.call("Open", h=H, name="secret.txt")
    return session


def with_rundown(session: Session) -> list[str]:
    """Register a run-down routine that frees the state, and return the list of what it saw."""
    seen: list[str] = []

    @session.rundown
    def PH_rundown(call: Any, context: Any) -> None:
        seen.append(bytes(context)[:-1].decode())
        call.free(context)

    return seen


def status_of_use(session: Session) -> int:
    return session.try_call("Name", {"h": H}).status


# --- tokens, state, records ---


@proving("M-393 M-490")
def test_only_a_token_travels() -> None:
    session = files()
    call = session.call("Open", h=H, name="secret.txt")
    assert len(call.response) == 20
    assert b"secret" not in call.response
    assert (call.response[:4], any(call.response[4:])) == (bytes(4), True)
    space = session.client.space
    record = space.pointer_at(call["h"].variable)
    assert space.read(record, 20) == call.response
    assert b"secret.txt\0" not in bytes(space.data[record - space.base :])
    assert session.call("Close", h=H).response == NULL


@proving("M-394 M-395")
def test_state_is_allocated_by_the_routine_and_survives_the_call() -> None:
    session = files()
    call = session.call("Open", h=H, name="secret.txt")
    (made,) = call.trace.select("allocate", side="server", actor="routine")
    assert (made.size, made.detail) == (11, "midl_user_allocate")
    assert made.address not in [event.address for event in call.trace.select("free", side="server")]
    assert call.space("server after").read(made.address, 11) == NAME
    assert Audit(call).server_leaked == 0
    assert [event.rule for event in call.trace.select("keep")] == ["context-state-stays"]


@proving("M-147")
def test_later_calls_reach_what_is_kept() -> None:
    session = opened()
    assert session.call("Name", h=H).result == "secret.txt"
    session.call("Rename", h=H)
    assert session.call("Name", h=H).result == "Secret.txt"


@proving("M-396")
def test_closing_frees_and_nulls() -> None:
    session = opened()
    call = session.call("Close", h=H)
    assert (call["h"], Audit(call).server_frees, Audit(call).clean) == (None, 1, True)
    assert with_rundown(session) == []
    assert session.disconnect().rundowns == []


@proving("M-397")
def test_a_handle_that_is_freed_and_not_nulled_is_run_down_on_freed_memory() -> None:
    session = opened()
    serve(session, "Close", lambda call, h: call.free(h[0]))
    with_rundown(session)
    call = session.call("Close", h=H)
    assert call["h"] is not None
    assert [found.path for found in Audit(call).dangling] == ["*h"]
    departure = session.disconnect()
    assert departure.rundowns == ["PH"]
    assert [event.detail[0] for event in departure.trace.select("fault")] == ["double free"]


# --- clients that go away ---


@proving("M-398")
def test_the_run_down_comes_for_every_open_handle_in_order() -> None:
    session = files()
    seen = with_rundown(session)
    for name in ("one", "two", "three"):
        session.call("Open", h={"$context": name}, name=name)
    session.call("Close", h={"$context": "two"})
    departure = session.disconnect()
    assert (departure.rundowns, seen) == (["PH", "PH"], ["one", "three"])
    assert len(list(departure.trace.select("free", side="server"))) == 2
    assert session.disconnect().rundowns == []
    assert session.try_call("Name", {"h": {"$context": "one"}}).status == 6


@proving("M-399")
def test_a_run_down_waits_for_the_call_that_is_executing() -> None:
    session = opened()
    seen = with_rundown(session)

    def linger(call: Any, h: Any) -> None:
        session.disconnect()
        assert seen == []
        h[0] = ord("S")  # the state is still there

    serve(session, "Rename", linger)
    call = session.try_call("Rename", {"h": H})
    assert (call.status, seen) == (1726, ["Secret.txt"])
    events = [
        (event.kind, event.actor) for event in call.trace.select("write", "run-down", "free", side="server")
    ]
    assert events == [("write", "routine"), ("run-down", "stub"), ("free", "routine")]
    assert len(session.contexts) == 0


def test_without_a_run_down_routine_the_state_leaks() -> None:
    from rpcmemkit.audit import leaked_in

    departed = opened().disconnect()
    assert (departed.rundowns, departed.lost) == ([], ["PH"])
    assert [block.size for block in leaked_in(departed.trace)] == [11]
    session = opened()
    with_rundown(session)
    assert leaked_in(session.disconnect().trace) == []


def test_a_handle_parameter_without_a_type_has_no_run_down() -> None:
    session = open_session("void Open([out, context_handle] void **h);")
    serve(session, "Open", lambda call, h: h.__setitem__(0, call.new(b"x")))
    session.call("Open")
    session.server_stub.rundowns["h"] = lambda call: pytest.fail("no run-down was declared")
    assert session.disconnect().lost == ["h"]


# --- null, unknown and foreign handles ---


@proving("M-402")
def test_null_is_refused_where_a_handle_is_in_only() -> None:
    session = files()
    call = session.try_call("Name", {"h": None})
    assert (call.status, call.request, call.error.rule) == (1775, b"", "context-in-not-null")
    assert session.server_stub.dispatch(1, NULL).status == 1775


@proving("M-403")
def test_null_in_out_reaches_the_routine() -> None:
    session = files()
    seen = []
    serve(session, "Close", lambda call, h: seen.append(h[0]))
    call = session.call("Close", h={"$context": "never opened"})
    assert (call.request, call.response, seen) == (NULL, NULL, [None])


@proving("M-404")
def test_an_unknown_token_is_a_mismatch() -> None:
    session, stranger = opened(), opened()
    stranger.call("Open", h={"$context": "second"}, name="x")
    record = stranger.client.space.pointer_at(stranger.call("Open", h=H, name="y")["h"].variable)
    request = stranger.client.space.read(record, 20)
    assert session.server_stub.dispatch(1, request) == (6, b"")
    assert stranger.server_stub.dispatch(1, request).status == 0
    session.disconnect()
    with pytest.raises(RpcError, match=r"RPC_X_SS_CONTEXT_MISMATCH \(6\)"):
        session.call("Name", h=H)


OTHER = """[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1803), version(1.0)]
interface j { typedef [context_handle] void *PH; void Use([in] PH h); }"""
STRICT = "[strict_context_handle] interface %s { }"


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [(None, None, 0), (STRICT % "i", None, 6), (None, STRICT % "j", 6), (STRICT % "i", STRICT % "j", 6)],
)
@proving("M-414")
def test_strict_handles_belong_to_their_interface(one: str | None, other: str | None, status: int) -> None:
    session = Session(idl_text(FILES), one)
    serve(session, "Open", lambda call, h, name: h.__setitem__(0, call.new(b"state")))
    session.call("Open", h=H, name="x")
    second = session.also(OTHER, other)
    call = second.try_call("Use", {"h": H})
    assert (call.status, "server entry" in call.trace.snapshots) == (status, not status)
    assert session.call("Rename", h=H).status == 0


TWO = TYPE + "typedef [context_handle] void *PX; void Open([out] PX *h); void Use([in] PH h);"


@pytest.mark.parametrize(
    ("attribute", "status"), [("", 0), ("[strict_context_handle]", 0), ("[type_strict_context_handle]", 6)]
)
def test_type_strict_handles_belong_to_their_type(attribute: str, status: int) -> None:
    session = Session(idl_text(TWO), f"{attribute} interface i {{ }}")
    serve(session, "Open", lambda call, h: h.__setitem__(0, call.new(b"state")))
    session.call("Open", h=H)
    assert session.try_call("Use", {"h": H}).status == status


# --- the client's reset ---


@proving("M-409")
def test_client_reset() -> None:
    session = opened()
    seen = with_rundown(session)
    space = session.client.space
    variable = session.labels.address("h")
    record = space.pointer_at(variable)
    session.destroy_client_context("h")
    assert (space.pointer_at(variable), space.block(record).live) == (0, False)
    assert (seen, len(session.contexts)) == ([], 1)
    assert session.try_call("Name", {"h": H}).status == 1775
    assert session.disconnect().rundowns == ["PH"]
    assert seen == ["secret.txt"]


@proving("M-410")
def test_the_two_forms_of_the_reset() -> None:
    session = opened()
    assert session.try_destroy_client_context("h") == 0
    assert session.try_destroy_client_context("h") == 6
    with pytest.raises(RpcError, match="RPC_X_SS_CONTEXT_MISMATCH"):
        session.destroy_client_context("h")


# --- the twelve failures ---

FAILING = (
    "typedef enum { A } kind;\n"
    + TYPE
    + """void Raises([in, out] PH *h);
void After([in, out] PH *h, [out] kind *k);
void Before([out] kind *k, [in, out] PH *h);
PH Make([out] kind *k);
void Open([out] PH *h);
[string] char *Name([in] PH h);"""
)
FAILS = {"Raises": 5, "After": 1781, "Before": 1781}


def failing(name: str, deed: Any, *, was_open: bool) -> tuple[Session, Any, list[str]]:
    """Let ``deed(call, h)`` happen in a call that fails in its own way; return the session, the call, the run-downs."""
    session = open_session(FAILING)
    serve(session, "Open", lambda call, h: h.__setitem__(0, call.new(NAME)))
    serve(session, "Name", lambda call, h: call.new(bytes(h)[:-1].decode()))
    seen = with_rundown(session)
    if was_open:
        session.call("Open", h=H)

    def routine(call: Any, *given: Any) -> None:
        values = dict(
            zip([p.name for p in session.interface.procedures[name].parameters], given, strict=True)
        )
        deed(call, values["h"])
        if name == "Raises":
            call.raise_exception(5)
        values["k"][0] = 40000  # no 16 bits hold it: the marshalling fails here

    serve(session, name, routine)
    call = session.try_call(name, {"h": H})
    assert call.status == FAILS[name]
    return session, call, seen


def nothing(call: Any, h: Any) -> None:
    pass


def make(call: Any, h: Any) -> None:
    h[0] = call.new(b"made\0")


def change(call: Any, h: Any) -> None:
    h[0][0] = ord("S")


def variable_is_null(session: Session) -> bool:
    return session.client.space.pointer_at(session.labels.address("h")) == 0


@proving("M-416")
def test_case_1_null_and_the_routine_raises() -> None:
    session, call, seen = failing("Raises", make, was_open=False)
    assert (seen, len(session.contexts), variable_is_null(session)) == ([], 0, True)
    assert Audit(call).server_leaked == 1  # nobody else cleans up what the routine made

    def careful(call: Any, h: Any) -> None:
        make(call, h)
        call.free(h[0])

    assert Audit(failing("Raises", careful, was_open=False)[1]).server_leaked == 0


@proving("M-417")
def test_case_2_closed_and_the_routine_raises() -> None:
    session, _, seen = failing("Raises", close, was_open=True)
    assert not variable_is_null(session)
    assert (status_of_use(session), seen, len(session.contexts)) == (6, [], 0)


@pytest.mark.parametrize(("deed", "name"), [(nothing, "secret.txt"), (change, "Secret.txt")])
@proving("M-418")
def test_case_3_not_closed_and_the_routine_raises(deed: Any, name: str) -> None:
    session, _, seen = failing("Raises", deed, was_open=True)
    assert (session.call("Name", h=H).result, seen) == (name, [])


@pytest.mark.parametrize(
    "procedure",
    [
        pytest.param("After", marks=proving("M-419")),
        pytest.param("Before", marks=proving("M-423")),
    ],
)
def test_cases_4_and_8_closed_and_the_marshalling_fails(procedure: str) -> None:
    session, call, seen = failing(procedure, close, was_open=True)
    assert not variable_is_null(session)
    assert (status_of_use(session), seen) == (6, [])
    assert [event.rule for event in call.trace.select("close")] == ["context-closed-by-null"]


@pytest.mark.parametrize(
    "procedure",
    [
        pytest.param("After", marks=proving("M-420")),
        pytest.param("Before", marks=proving("M-424")),
    ],
)
def test_cases_5_and_9_made_and_the_marshalling_fails(procedure: str) -> None:
    session, call, seen = failing(procedure, make, was_open=False)
    assert (seen, len(session.contexts), variable_is_null(session)) == (["made"], 0, True)
    assert Audit(call).server_leaked == 0
    assert session.disconnect().rundowns == []


@pytest.mark.parametrize(("deed", "name"), [(nothing, "secret.txt"), (change, "Secret.txt")])
@pytest.mark.parametrize(
    "procedure",
    [
        pytest.param("After", marks=proving("M-421")),
        pytest.param("Before", marks=proving("M-425")),
    ],
)
def test_cases_6_and_10_kept_and_the_marshalling_fails(procedure: str, deed: Any, name: str) -> None:
    session, _, seen = failing(procedure, deed, was_open=True)
    assert (session.call("Name", h=H).result, seen) == (name, [])


@proving("M-422")
def test_case_7_null_stays_null_and_the_call_fails() -> None:
    session, _, seen = failing("Before", nothing, was_open=False)
    assert (seen, len(session.contexts), variable_is_null(session)) == ([], 0, True)


@pytest.mark.parametrize(
    ("made", "run_down"),
    [
        pytest.param(None, [], marks=proving("M-426")),
        pytest.param(b"made\0", ["made"], marks=proving("M-427")),
    ],
)
def test_cases_11_and_12_a_result_and_the_call_fails(made: bytes | None, run_down: list[str]) -> None:
    session = open_session(FAILING)
    seen = with_rundown(session)

    def routine(call: Any, k: Any) -> Any:
        k[0] = 40000
        return made and call.new(made)

    serve(session, "Make", routine)
    call = session.try_call("Make", {})
    assert (call.status, seen, len(session.contexts)) == (1781, run_down, 0)
    assert session.client.space.pointer_at(call.arguments["return"].address) == 0
    assert list(call.trace.select("open")) == []


# --- what does not compile ---


def rejected(claims: str, body: str, number: int) -> Any:
    return pytest.param(body, number, marks=proving(claims))


@pytest.mark.parametrize(
    ("body", "number"),
    [
        rejected("M-405", TYPE + "void f([out] PH h);", 2044),
        rejected("M-407", "typedef [context_handle, transmit_as(long)] void *PT; void f([in] PT h);", 2045),
        rejected("M-408", "typedef [context_handle] long PT; void f([in] PT h);", 2237),
        rejected("M-259", TYPE + "void f([in, out, unique] PH *h);", 2181),
    ],
)
def test_declarations_that_do_not_compile(body: str, number: int) -> None:
    with pytest.raises(IdlError) as caught:
        open_session(body)
    assert number in [found.midl for found in caught.value.diagnostics]


@proving("M-408")
def test_typed_handles_are_microsofts() -> None:
    body = "typedef struct s { long a; } s; typedef [context_handle] s *PT; void f([in] PT h);"
    open_session(body)
    with pytest.raises(IdlError) as caught:
        open_session(body, osf=True)
    assert 2068 in [found.midl for found in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("typedef struct { PH h; } holder; void f([in] holder *p);", 2135),
        ("void f([in] PH h[2]);", 2136),
    ],
)
@proving("M-406")
def test_handles_inside_data_depend_on_the_target(body: str, number: int) -> None:
    with pytest.raises(IdlError) as caught:
        compile_idl(idl_text(TYPE + body), None, switches=Switches(target="NT51"))
    assert number in [found.midl for found in caught.value.diagnostics]
    compile_idl(idl_text(TYPE + body), None, switches=Switches(target="NT60"))
