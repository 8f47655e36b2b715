"""[comm_status] and [fault_status]: an exception becomes a value (comm-status.md, fault-status.md)."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, RpcError, Session
from rpcmemkit.contract import as_data, as_text, contract
from rpcmemkit.story import tell
from tests.engine.helpers import idl_text, open_session

BODY = """error_status_t Both([in] long x, [out] long *n); error_status_t Comm([in] long x);
    void Split([in] long x, [out] error_status_t *comm, [out] error_status_t *fault);"""
ACF = "interface test { [comm_status, fault_status] Both(); [comm_status] Comm(); Split([comm_status] comm, [fault_status] fault); }"
UNAVAILABLE, DENIED, FAILED = 1722, 5, 1726


def session() -> Session:
    text = idl_text(BODY)
    here = Session(text, ACF.replace("test", text.split("interface ")[1].split()[0]))

    def end(x: int) -> int:
        if x > 0:
            raise RpcError(x)
        return -x

    @here.routine
    def Both(call: Any, x: int, n: Any) -> int:
        n[0] = 9
        return end(x)

    @here.routine
    def Comm(call: Any, x: int) -> int:
        return end(x)

    @here.routine
    def Split(call: Any, x: int, comm: Any, fault: Any) -> None:
        end(x)

    return here


@pytest.mark.claims("M-475")
@pytest.mark.parametrize("code", [UNAVAILABLE, DENIED, FAILED])
def test_the_code_is_the_result_and_out_data_is_not_valid(code: int) -> None:
    call = session().call("Both", x=code, n=4)
    assert (call.status, call.result, call["n"]) == (0, code, 4)
    assert call.stored is not None
    assert call.stored.code == code
    assert not Audit(call).clean


@pytest.mark.claims("M-475")
def test_each_parameter_takes_its_own_kind() -> None:
    values = [session().call("Split", x=code).values for code in (UNAVAILABLE, FAILED)]
    assert [(each["comm"], each["fault"]) for each in values] == [(UNAVAILABLE, 0), (0, FAILED)]


def test_what_no_attribute_covers_is_raised() -> None:
    assert session().call("Comm", x=UNAVAILABLE).result == UNAVAILABLE
    with pytest.raises(RpcError):
        session().call("Comm", x=FAILED)


def test_without_an_exception_the_value_is_the_routines() -> None:
    call = session().call("Both", x=-7)
    assert (call.result, call["n"], call.stored, Audit(call).clean) == (7, 9, None, True)


def test_every_face_tells_of_it() -> None:
    here = session()
    told = contract(here.interface, "Split")
    assert "[comm_status]: an exception of communication is not raised; comm is its code" in " ".join(
        as_text(told).split()
    )
    assert as_data(told)["statuses"] == {"comm_status": "comm", "fault_status": "fault"}
    assert "The call returns normally; the code is" in str(tell(here.call("Both", x=DENIED)))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_the_stub_raises_when_a_call_begins_is_a_value(asynchronous: bool) -> None:
    """A status attribute holds for asynchronous calls too, where there is an exception: when they begin."""
    text = "void f([in, ref] long *p, [out] error_status_t *status);"
    here = open_session(text, acf=f"{'[async]' if asynchronous else ''} f([fault_status] status);")
    if not asynchronous:
        assert here.call("f", p=None)["status"] == 1780
        return
    pending = here.begin("f", p=None)
    assert (pending.call.status, pending.call["status"], pending.call.stored.code) == (0, 1780, 1780)
    pending.cancel()
    assert (pending.status, pending.complete()) == (1914, 1914)
    assert "RpcAsyncCompleteCall returns the code" in as_text(contract(here.interface, "f"), 1000)


def test_what_an_asynchronous_call_ends_with_is_returned_not_stored() -> None:
    """RpcAsyncCompleteCall returns an error code: there is no exception that could become a value (error-handling.md)."""
    kept = []
    here = open_session(
        "void f([out] error_status_t *status);",
        lambda call, status: kept.append(call),
        "[async] f([comm_status, fault_status] status);",
    )
    pending = here.begin("f")
    kept[0].abort(FAILED)
    assert pending.complete() == FAILED
    assert (pending.call.status, pending.call["status"], pending.call.stored) == (FAILED, 0, None)
