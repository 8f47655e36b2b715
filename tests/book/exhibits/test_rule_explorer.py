"""The rule explorer: every combination has a leaf and a row, and some cells are the facts of the documentation."""

from __future__ import annotations

import gzip
import json
from itertools import product
from typing import Any

import pytest

from exhibits.rule_explorer import (
    ANY,
    AXES,
    BEHIND,
    CLEAR,
    MEMBER,
    NOTHING,
    NULL,
    PARAMETER,
    REPLACE,
    RESULT,
    STORAGE,
    WRITE,
    cells,
    choices,
    explore,
    explorer,
    explorer_rows,
    explorer_table,
)
from rpcmemkit import UsageError


def facts(*options: str) -> dict[str, Any]:
    found = explore(*options)
    audit = found.audit
    assert found.call is not None
    return {
        "status": found.call.error.name if found.call.error else "ok",  # type: ignore[union-attr]
        "after": found.client_after,
        "new": audit.client_allocations,
        "orphaned": audit.orphaned,
        "leaked": audit.server_leaked,
    }


def test_all_combinations_are_there() -> None:
    assert len(choices()) == 3 * 4 * 4 * 2 * 4
    for choice in choices():
        one = explore(*choice).shown
        assert one.text
        assert one.html.startswith('<div class="rpcmemkit-step"><pre ')


def test_each_combination_is_told_by_one_row_of_the_table() -> None:
    rows = explorer_rows()
    assert set(AXES["Direction"]) > {"[in]"}
    for choice in choices():
        told = [
            row for row in rows if all(cell in (ANY, own) for cell, own in zip(row[:5], choice, strict=False))
        ]
        assert len(told) == 1, choice
    assert explorer_table().text.count("\n") == len(rows) + 1


@pytest.mark.parametrize(("direction", "routine"), list(product(AXES["Direction"], AXES["The routine"])))
def test_a_top_level_ref_pointer_is_never_null(direction: str, routine: str) -> None:
    found = facts(direction, "[ref]", PARAMETER, NULL, routine)
    assert (found["status"], found["new"]) == ("RPC_X_NULL_REF_POINTER", 0)


@pytest.mark.parametrize("attribute", ["[unique]", "[ptr]"])
def test_an_out_parameter_that_may_be_null_is_refused(attribute: str) -> None:
    found = explore("[out]", attribute, PARAMETER, STORAGE, WRITE)
    assert found.call is None
    assert found.diagnostic is not None
    assert found.diagnostic.midl == 2121
    assert "MIDL2121" in found.shown.text


def test_a_result_is_new_storage() -> None:
    found = facts("[in]", "none", RESULT, NULL, REPLACE)
    assert (found["after"], found["new"]) == ("new storage", 1)
    assert (
        explore("[in]", "none", RESULT, NULL, REPLACE).shown
        == explore("[out]", "none", RESULT, NULL, REPLACE).shown
    )


def test_a_ref_result_is_refused_and_a_result_has_no_storage_before() -> None:
    refused = explore("[out]", "[ref]", RESULT, NULL, NOTHING)
    assert refused.diagnostic is not None
    assert refused.diagnostic.midl == 2177
    no_call = explore("[out]", "none", RESULT, STORAGE, NOTHING)
    why = "A result names nothing before the call: there is no storage to pass"
    assert repr(no_call).splitlines()[-1] == f"{why}."
    assert cells(no_call)[0] == why


@pytest.mark.parametrize("attribute", ["none", "[unique]", "[ptr]"])
@pytest.mark.parametrize("level", [MEMBER, BEHIND])
def test_null_to_non_null_is_new_storage(attribute: str, level: str) -> None:
    found = facts("[in, out]", attribute, level, NULL, REPLACE)
    assert found == {"status": "ok", "after": "new storage", "new": 1, "orphaned": [], "leaked": 0}


@pytest.mark.parametrize("attribute", ["[unique]", "[ptr]"])
@pytest.mark.parametrize("level", [MEMBER, BEHIND])
def test_non_null_to_null_is_orphaned(attribute: str, level: str) -> None:
    found = facts("[in, out]", attribute, level, STORAGE, CLEAR)
    assert (found["after"], found["orphaned"], found["new"]) == ("null", ["old"], 0)


@pytest.mark.parametrize("routine", [WRITE, REPLACE])
def test_a_block_that_is_there_is_written_over(routine: str) -> None:
    found = facts("[in, out]", "[unique]", MEMBER, STORAGE, routine)
    assert (found["after"], found["new"], found["orphaned"]) == ("the same storage", 0, [])


@pytest.mark.parametrize("attribute", ["none", "[ref]", "[unique]", "[ptr]"])
def test_a_top_level_pointer_cannot_be_changed(attribute: str) -> None:
    found = facts("[in, out]", attribute, PARAMETER, STORAGE, CLEAR)
    assert (found["status"], found["after"], found["orphaned"]) == ("ok", "the same storage", [])


def test_what_the_routine_does_wrong_is_told() -> None:
    found = explore("[in, out]", "[unique]", MEMBER, NULL, WRITE)
    assert found.call is not None
    assert "null" in str(found.call.error)
    assert "RPC_S_CALL_FAILED" in found.shown.text


def test_rules_have_their_statements() -> None:
    one = explore("[in, out]", "[unique]", MEMBER, STORAGE, CLEAR).shown
    assert "client-never-frees-orphans: The client stub frees nothing" in one.text
    assert "1 block orphaned on the client" in one.text
    assert "ORPHANED" in one.html
    calm = explore("[in, out]", "[unique]", MEMBER, STORAGE, WRITE).shown
    assert "client-never-frees-orphans" not in calm.text


def test_unknown_options_are_refused() -> None:
    with pytest.raises(UsageError, match="Attribute: 'ref' is none of none, "):
        explore("[in]", "ref", PARAMETER, NULL, WRITE)
    with pytest.raises(UsageError, match="one option of each"):
        explore("[in]")


def test_the_widget_is_light() -> None:
    pytest.importorskip("ipywidgets")
    from ipywidgets.embed import dependency_state

    widget = explorer()
    state = json.dumps(dependency_state([widget], drop_defaults=False)).encode()
    assert len(gzip.compress(state)) < 200_000
    assert [one.description for one in widget.children[1].children] == list(AXES)
    assert "First shown:" in repr(widget)


def test_every_choice_leads_to_its_own_leaf() -> None:
    """What the browser shows: a list that makes no difference has no stack."""
    pytest.importorskip("ipywidgets")
    from ipywidgets.widgets.widget import _instances

    widget = explorer()
    links = [one for one in _instances.values() if type(one).__name__ == "Link"]
    followed = {one.target[0].model_id: one.source[0].description for one in links}
    for choice in choices():
        chosen = dict(zip(AXES, choice, strict=True))
        below = widget.children[2]
        while hasattr(below, "children"):
            axis = followed[below.model_id]
            below = below.children[AXES[axis].index(chosen[axis])]
        assert below.value == explore(*choice).shown.html


def test_one_choice_shows_itself() -> None:
    found = explore("[in]", "[ref]", PARAMETER, STORAGE, NOTHING)
    bundle = found._repr_mimebundle_()
    assert bundle["text/plain"] == repr(found) == found.shown.text
    assert bundle["text/html"].startswith("<style>")
