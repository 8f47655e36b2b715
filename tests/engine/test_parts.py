"""Each referent in the receive buffer, or in a block of many, has its own extent: what leaves it is out of bounds."""

import pytest

from rpcmemkit import Audit
from tests.engine.helpers import open_session

BODY = "void f([in, out] long *n, [in, out, size_is(*n)] long *a, [in, out] long *b);"
ENVIRONMENTS = [{}, {"server_pointer_size": 4}, {"transfer_syntax": "ndr64"}]


def audited(body, routine, acf=None, environment=None, **arguments):
    session = open_session(body, routine, acf, **(environment or {}))
    return Audit(session.try_call(next(iter(session.interface.procedures)), arguments))


def only_fault(audit):
    (fault,) = audit.faults
    assert fault.detail[0] == "out of bounds"
    return fault.detail[1]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_write_past_an_array_in_the_receive_buffer(environment):
    def routine(call, n, a, b):
        a[3] = 9

    audit = audited(BODY, routine, environment=environment, n=3, a=[1, 2, 3], b=7)
    why = only_fault(audit)

    assert "past the end of a" in why
    assert "where b lies" in why


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_read_far_past_it(environment):
    def routine(call, n, a, b):
        n[0] = a[5]

    assert "past the end of a" in only_fault(
        audited(BODY, routine, environment=environment, n=3, a=[1, 2, 3], b=7)
    )


def test_a_list_longer_than_the_array():
    def routine(call, n, a, b):
        call.operations.set(a._place, [1, 2, 3, 4])

    assert "past the end of a" in only_fault(audited(BODY, routine, n=3, a=[1, 2, 3], b=7))


def test_a_count_that_promises_more_than_the_array_has():
    """The stub reads past the array when it marshals: what a longer count makes it send is not the array's."""

    def routine(call, n, a, b):
        n[0] = 4

    assert "past the end of a" in only_fault(audited(BODY, routine, n=3, a=[1, 2, 3], b=7))


def test_what_stays_inside_is_no_fault():
    def routine(call, n, a, b):
        a[2] = 9
        b[0] = a[2]
        n[0] = 2

    audit = audited(BODY, routine, n=3, a=[1, 2, 3], b=7)

    assert audit.faults == []
    assert audit.call["b"] == 9


def test_in_a_block_of_all_nodes_too():
    def routine(call, t):
        t.a[2] = 9

    body = "typedef struct t { [size_is(2)] long *a; long *b; } t; typedef t *pt; void f([in] pt t);"
    why = only_fault(audited(body, routine, "typedef [allocate(all_nodes)] pt;", t={"a": [1, 2], "b": 7}))

    assert "past the end of t->a" in why
    assert "where t->b lies" in why


def test_the_last_one_has_no_neighbour():
    def routine(call, n, a, b):
        call.operations.program.space.write(b._address, bytes(8))

    why = only_fault(audited(BODY, routine, n=3, a=[1, 2, 3], b=7))

    assert "past the end of a block" in why
