"""The comparer: what the memory models cost, against the facts of their pages."""

from __future__ import annotations

import gzip
import json
from itertools import product

import pytest

from exhibits.model_comparer import (
    ALL,
    ALL_CLIENT,
    ALL_SERVER,
    AXES,
    BYTE_COUNT,
    CONTEXT,
    FORCED,
    KEPT,
    MODELS,
    NODES,
    RECEIVE,
    RPCSS,
    SEND,
    SERVERS,
    Measured,
    comparer,
    comparison_table,
    measure,
    mistake,
    mistakes_table,
    models_table,
    run,
)
from rpcmemkit.contract import FreePlan

SETTINGS = list(product(MODELS, AXES["The client"], (1, 3, 8), SERVERS.values()))
STUB_BLOCKS = [NODES, ALL_SERVER, FORCED, KEPT, RPCSS]


def client(measured: Measured) -> tuple[int, int, int]:
    return measured.stub_calls, measured.stub_bytes, len(measured.list_blocks)


def server(measured: Measured) -> tuple[int, int, int, int]:
    return measured.server_stub_calls, measured.routine_calls, measured.server_frees, measured.left


@pytest.mark.parametrize("nodes", [1, 3, 8])
@pytest.mark.parametrize("model", STUB_BLOCKS)
def test_received_node_by_node(model: str, nodes: int) -> None:
    assert client(measure(model, RECEIVE, nodes)) == (nodes, 16 * nodes, nodes)


@pytest.mark.parametrize("nodes", [1, 3, 8])
@pytest.mark.parametrize("model", [ALL, ALL_CLIENT])
def test_received_as_one_block(model: str, nodes: int) -> None:
    assert client(measure(model, RECEIVE, nodes)) == (1, 16 * nodes, 1)


def test_received_in_the_application_s_buffer() -> None:
    found = measure(BYTE_COUNT, RECEIVE, 3)
    assert client(found) == (0, 0, 1)
    assert server(found) == (1, 2, 3, 0)


def test_a_buffer_does_not_take_input() -> None:
    found = measure(BYTE_COUNT, SEND)
    assert found.call is None
    assert found.diagnostic is not None
    assert "does not compile" in found.shown.text


@pytest.mark.parametrize(
    ("model", "bits", "expected"),
    [
        (NODES, 8, (3, 0, 3, 0)),
        (NODES, 4, (0, 0, 0, 0)),
        (ALL, 8, (1, 0, 1, 0)),
        (ALL, 4, (1, 0, 1, 0)),
        (ALL_CLIENT, 4, (0, 0, 0, 0)),
        (ALL_SERVER, 4, (1, 0, 1, 0)),
        (FORCED, 4, (3, 0, 3, 0)),
        (KEPT, 8, (3, 0, 0, 3)),
        (RPCSS, 8, (3, 0, 0, 0)),
        (CONTEXT, 8, (3, 3, 3, 3)),
    ],
)
def test_sent(model: str, bits: int, expected: tuple[int, ...]) -> None:
    assert server(measure(model, SEND, 3, bits)) == expected


@pytest.mark.parametrize(("way", "nodes"), list(product([RECEIVE, SEND], [1, 3, 8])))
def test_a_memory_model_changes_nothing_on_the_wire(way: str, nodes: int) -> None:
    sizes = {
        measure(model, way, nodes).wire
        for model in MODELS
        if model != CONTEXT and measure(model, way, nodes).call
    }
    assert len(sizes) == 1


def test_a_context_handle_keeps_the_list_on_the_server() -> None:
    found = measure(CONTEXT, RECEIVE, 8)
    assert (found.wire, found.left, client(found)) == (20, 8, (0, 0, 0))


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_call_succeeds_and_leaks_nothing(setting: tuple[str, str, int, int]) -> None:
    found = measure(*setting)
    if found.call is None:
        assert setting[:2] == (BYTE_COUNT, SEND)
        return
    assert found.call.status == 0
    assert found.audit.clean
    assert found.shown.text


@pytest.mark.parametrize("model", [model for model in MODELS if model not in (BYTE_COUNT, CONTEXT)])
def test_the_free_plan_frees_as_many_blocks(model: str) -> None:
    found = run(measure(model, RECEIVE, 8).setting)
    plan = FreePlan(found.session.interface, "Fetch", found.session.environment)
    assert plan.run(found.session).count == len(found.list_blocks)


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (NODES, "2 of 3 nodes stay allocated"),
        (ALL, "client: inside a block"),
        (ALL_CLIENT, "client: inside a block"),
        (ALL_SERVER, "server: inside a block"),
        (BYTE_COUNT, "RPC_X_BYTE_COUNT_TOO_SMALL"),
        (FORCED, "server: double free"),
        (KEPT, "30 blocks allocated"),
        (RPCSS, "server: use after free"),
        (CONTEXT, "3 blocks still allocated"),
    ],
)
def test_mistakes_have_their_consequences(model: str, what: str) -> None:
    assert what in mistake(model)[1]
    assert what in mistakes_table().text


def test_a_mistake_spoils_no_measurement() -> None:
    before = client(measure(NODES))
    mistake(NODES)
    assert client(measure(NODES)) == before


def test_every_model_has_its_lines_and_its_page() -> None:
    lines = models_table().text.splitlines()[2:]
    assert [line.split("  ")[0] for line in lines] == list(MODELS)
    assert "Fetch([byte_count(size)] list);" in lines[4]
    assert all(line.endswith(".md") for line in lines)


def test_the_table_has_every_setting() -> None:
    lines = comparison_table().text.splitlines()
    assert len(lines) == len(SETTINGS) + 2
    part = comparison_table(way=RECEIVE, nodes=8, server=8)
    assert len(part.text.splitlines()) == len(MODELS) + 2
    assert "nodes: 8" in part.text.splitlines()[0]
    assert "the client: receives it" in part.text


def test_the_widget_is_light_and_the_same_every_time() -> None:
    pytest.importorskip("ipywidgets")
    from ipywidgets.embed import dependency_state

    widget = comparer()
    state = json.dumps(dependency_state([widget], drop_defaults=False)).encode()
    assert len(gzip.compress(state)) < 150_000
    assert [one.description for one in widget.children[1].children] == list(AXES)
    assert repr(widget) == repr(comparer())
