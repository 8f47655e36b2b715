"""What a picture says, as data."""

from __future__ import annotations

import pytest

from rpcmemkit.audit import Audit
from rpcmemkit.call import Call, Session
from rpcmemkit.draw import Picture, draw, picture
from rpcmemkit.draw.fields import brief_path, clip
from rpcmemkit.draw.model import Block, Bytes, Field, Gap, fields, parts
from rpcmemkit.draw.panel import choose
from rpcmemkit.draw.wire import message
from tests.draw.conftest import (
    CALLS,
    HEAD,
    arrays,
    freed,
    kinds,
    long_list,
    many,
    never_sent,
    poor_client,
    prune,
    refused,
    ring,
    second,
    starved,
)


def blocks(shown: Picture, key: str) -> dict[str, Block]:
    return {item.label: item for item in shown.column(key).items if isinstance(item, Block)}


def test_the_columns_are_those_of_the_call(call: Call) -> None:
    assert [column.key for column in picture(call).columns] == [
        "before",
        "request",
        "server",
        "response",
        "after",
    ]


def test_the_same_call_gives_the_same_picture(call: Call) -> None:
    assert picture(call) == picture(call)


@pytest.mark.parametrize("name", CALLS)
def test_words_agree_with_the_audit(name: str) -> None:
    call = CALLS[name]()
    audit, shown = Audit(call), picture(call, limit=100)
    said = [word for block in shown.blocks for word in block.words]
    assert said.count("ORPHANED") == len(audit.orphaned)
    assert said.count("LEAKED") == audit.server_leaked
    assert said.count("NEW") == len(audit.new_places)


def test_every_arrow_joins_things_that_are_shown(call: Call) -> None:
    shown = picture(call)
    known = {item.id for column in shown.columns for item in column.items if isinstance(item, Block | Gap)}
    known |= {part.id for block in shown.blocks for part in block.parts}
    assert {end for arrow in shown.arrows for end in (arrow.source, arrow.target)} <= known


def test_before_and_after_show_the_same_storage_in_the_same_order() -> None:
    shown = picture(prune())
    before, after = list(blocks(shown, "before").values()), list(blocks(shown, "after").values())
    assert [(b.label, b.address) for b in after[: len(before)]] == [(b.label, b.address) for b in before]
    assert [b.label for b in after[len(before) :]] == ["root->right->left"]


def test_a_pruned_tree() -> None:
    shown = picture(prune())
    after, server = blocks(shown, "after"), blocks(shown, "server")
    assert after["root->left"].words == ("ORPHANED",)
    assert after["root->right->left"].words == ("NEW",)
    assert after["root->right->left"].duty == "the application must free it"
    assert server["root->left"].words == ("LEAKED",)
    assert server["root->right->left"].owner == "routine"
    value, left, _ = parts(after["root"])[0].fields
    assert (value.text, value.was) == ("7", "1")
    assert (left.text, left.was) == ("null", f"{after['root->left'].address:#x}")
    # count, a fixed [out] referent, lies on the stub's stack
    assert [str(counts) for counts in shown.counts] == [
        "Client: the stub allocated 1, freed 0; afterwards 5 blocks live, 1 orphaned, 0 leaked.",
        "Server: stub and routine allocated 4, freed 3; afterwards 1 block live, 1 leaked.",
    ]


def test_a_ring_has_an_arrow_back() -> None:
    shown = picture(ring())
    first, second = (parts(blocks(shown, "before")[name])[0].id for name in ("top", "root->left"))
    ways = {(arrow.source, arrow.target) for arrow in shown.arrows}
    assert {(first, second), (second, first)} <= ways


def test_a_dangling_pointer_and_freed_storage_are_said_in_words() -> None:
    shown = picture(freed())
    server = blocks(shown, "server")
    assert server["root->left"].words == ("FREED", "FAULT")
    assert server["root->left"].duty == "the routine freed it"
    assert parts(server["root"])[0].fields[1].dangling
    assert "DANGLING" in shown.words
    assert [arrow.dangling for arrow in shown.arrows if arrow.column == "server"].count(True) == 1


def test_calls_that_fail_say_how_far_they_came() -> None:
    assert picture(refused()).column("server").note == "the routine raised an exception"
    assert picture(starved()).column("server").note == "the routine never ran"
    assert "(1 failed)" in str(picture(starved()).counts[1])
    shown = picture(never_sent())
    assert shown.column("server").note == "Nothing arrived here."
    assert shown.column("request").note.startswith("No request")
    assert shown.column("response").note.startswith("No response")
    assert "fault" in picture(refused()).column("response").note
    assert shown.status == "RPC_X_NULL_REF_POINTER (1780)"


def test_the_receive_buffer_encloses_what_stayed_in_it() -> None:
    buffer = blocks(picture(kinds()), "server")["receive buffer"]
    assert buffer.compound
    assert {"name", "numbers"} <= {part.label for part in parts(buffer)}
    assert {part.rule for part in parts(buffer)} == {"server-reuses-buffer"}


def test_values_of_every_kind() -> None:
    item = parts(blocks(picture(kinds()), "before")["item"])[0]
    texts = {field.name: field.text for field in item.fields}
    assert texts["mark"] == "01 02 03"
    assert texts["ready"] == "true"
    assert texts["choice"] == "case 1"
    assert texts["weight"] == "2.5"
    assert texts["…"] == "6 more fields"
    assert texts["grid[8]"] == "8"
    name = parts(blocks(picture(kinds()), "before")["name"])[0].fields
    assert name[0].text == '"<tea & co>"'


def test_characters_that_cannot_be_seen_are_escaped() -> None:
    """Graphviz takes a byte of zero for the end of the drawing."""
    idl = (
        HEAD % "unique"
        + "typedef struct { char a, b; wchar_t c; char d[3]; } item; void Put([in] item *item); }"
    )
    call = Session(idl).call("Put", item={"a": 0, "b": "'", "c": 10, "d": "a\\b"})
    shown = picture(call)
    texts = [field.text for field in parts(blocks(shown, "before")["item"])[0].fields]
    assert texts == [r"'\0'", r"'\''", r"'\x0a'", r'"a\\b"']
    assert draw(shown).rstrip().endswith("</svg>")


def test_long_arrays_are_cut_with_a_count() -> None:
    numbers = parts(blocks(picture(kinds()), "before")["numbers"])[0].fields
    assert [field.name for field in numbers] == ["[0]", "[1]", "[2]", "[3]", "…", "[19]"]
    assert numbers[4].text == "15 more elements"
    assert blocks(picture(arrays(0)), "before")["items"].parts[0].fields[0].text == "no elements"  # type: ignore[union-attr]


def test_bytes_are_told_by_their_kind() -> None:
    items = picture(kinds()).column("request").items
    assert {item.kind for item in items if isinstance(item, Bytes)} == {"value", "count", "gap"}
    assert isinstance(items[-1], Gap)
    pointers = [
        i for i in picture(prune()).column("request").items if isinstance(i, Bytes) and i.kind == "pointer"
    ]
    assert [pointer.brief for pointer in pointers][:3] == ["id 0x20000", "id 0x20004", "null"]


def test_a_long_list_is_cut_and_says_so() -> None:
    shown = picture(long_list(50), limit=6)
    for key in ("before", "server", "after"):
        items = shown.column(key).items
        assert len([item for item in items if isinstance(item, Block)]) == 6
        assert [item.text for item in items if isinstance(item, Gap)] == ["… 45 more blocks"]
    assert isinstance(shown.column("before").items[-1], Block)
    gap = next(item.id for item in shown.column("before").items if isinstance(item, Gap))
    assert {arrow.target == gap for arrow in shown.arrows if gap in (arrow.source, arrow.target)} == {
        True,
        False,
    }


def test_a_block_of_many_parts_is_cut() -> None:
    buffer = blocks(picture(many(30)), "server")["receive buffer"]
    assert len(parts(buffer)) == 12
    assert [part.text for part in buffer.parts if isinstance(part, Gap)] == ["… 18 more values"]


def test_storage_freed_too_early() -> None:
    left = blocks(picture(second()), "before")["root->left"]
    assert left.words == ("FREED",)
    assert left.duty == "freed before the call"
    assert "DANGLING" in picture(second()).words


def test_what_the_client_stub_could_not_attach_is_leaked() -> None:
    found = [block for block in picture(poor_client()).blocks if "NEW" in block.words]
    assert found
    assert "(1 failed)" in str(picture(poor_client()).counts[0])


@pytest.mark.slow
def test_a_long_list_is_cut() -> None:
    shown = picture(long_list(20_000, cut=True))
    assert len(shown.blocks) == 36
    assert len(shown.arrows) < 60


def test_choosing_keeps_the_last_and_what_is_marked() -> None:
    assert choose(3, 5) == [0, 1, 2]
    assert choose(100, 5) == [0, 1, 2, 3, 99]
    assert choose(100, 6, [50, 51, 52, 53, 54]) == [0, 1, 50, 51, 52, 99]


def test_paths_are_short() -> None:
    path = None
    for step in ["head", *[".next"] * 9, ".data"]:
        path = (path, step)
    assert brief_path(path) == "head(.next x9).data"
    assert brief_path((((None, "p"), "*"), "*")) == "**p"
    assert clip("abcdefghij", 6) == "abc…ij"


def test_fields_are_listed_for_the_whole_picture() -> None:
    assert all(isinstance(field, Field) for field in fields(picture(prune())))


def test_bytes_are_painted_by_what_they_are_not_by_how_a_name_begins() -> None:
    call = Session(f"{HEAD % 'unique'} void Put([in] short padding, [in] hyper end); }}").call(
        "Put", padding=7, end=1
    )
    assert [each.kind for each in message(call, "request", 9) if isinstance(each, Bytes)] == [
        "value",
        "gap",
        "value",
    ]
