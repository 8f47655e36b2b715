"""YAML text: what is refused, where it is said to be, and what unquoted words mean."""

import math

import pytest

from rpcmemkit.errors import ScenarioError
from rpcmemkit.scenario.document import MAX_DEPTH, Document, path_string, scalar


def document(text):
    return Document(text, "file.yaml")


def laughs(levels=9):
    first = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"
    lines = [first, *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels))]
    return "\n".join(lines)


MALFORMED = [
    ("", 1, 1, "the file is empty"),
    ("---\n...\n", 1, 1, "the file is empty"),
    ("a: 1\n---\nb: 2\n", 2, 1, "a second document begins here"),
    ("a: 1\nb: 2\na: 3\n", 3, 1, "the key `a` stands here twice, first in line 1"),
    ("a:\n\tb: 1\n", 2, 1, "this is not YAML"),
    ("a: [1, 2\n", 1, 4, "this is not YAML"),
    ("a: 'x\n", 1, 4, "this is not YAML"),
    ("a: b: c\n", 1, 5, "this is not YAML"),
    ("a: \x01\n", 1, 4, "the character U+0001 is not allowed"),
    ("a: !!python/name:os.system x\n", 1, 4, "the tag"),
    ("a: !mine x\n", 1, 4, "the tag !mine"),
    ("a: &x [1, *x]\n", 1, 11, "*x contains itself"),
    ("a: *x\n", 1, 4, "no anchor &x"),
    ("[1]: 2\n", 1, 1, "a key is a single word"),
    ("{a: b}: 2\n", 1, 1, "a key is a single word"),
    ("a: " + "[" * 100_000, 1, 3 + MAX_DEPTH, "nested more than"),
    ("a: " + "{b: " * 100_000, 1, 5 + 4 * (MAX_DEPTH - 2), "nested more than"),
    ("%YAML 3.0\n---\na: 1\n", 1, 1, "this is not YAML"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), MALFORMED)
def test_malformed_text_is_refused_where_it_is(text, line, column, message):
    with pytest.raises(ScenarioError, match="error") as caught:
        document(text)

    error = caught.value
    assert (error.file, error.line, error.column) == ("file.yaml", line, column)
    assert message in error.message


def test_an_error_shows_the_line_a_caret_and_a_remedy():
    with pytest.raises(ScenarioError) as caught:
        document("a:\n\tb: 1\n")

    assert str(caught.value).splitlines()[1:] == [
        "    2 | \tb: 1",
        "      | ^",
        "      help: indent with spaces: YAML does not take tabs",
    ]


def test_a_very_long_line_is_shown_around_the_caret():
    with pytest.raises(ScenarioError) as caught:
        document("a: [" + "1, " * 500 + "!x 1]")

    shown, caret = str(caught.value).splitlines()[1:3]
    assert len(shown) < 140
    assert shown[caret.index("^")] == "!"


def test_aliases_that_multiply_without_end_are_refused():
    with pytest.raises(ScenarioError, match="stands for more than 1,000,000 values"):
        document(laughs())


def test_aliases_that_nest_too_deep_are_refused():
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH + 1)]

    with pytest.raises(ScenarioError, match="nested more than"):
        document("\n".join(lines))


def test_the_stack_of_who_asks_is_not_needed():
    def deep(level):
        return document("a: " + "[" * 390 + "]" * 390) if level == 0 else deep(level - 1)

    assert deep(600).find(("a",))


def test_an_alias_is_a_copy():
    data = document("a: &x {b: 1}\nc: *x\nd: [*x, *x]").data

    assert data == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": 1}]}
    assert data["a"] is not data["c"]


WORDS = [
    ("", None),
    ("~", None),
    ("null", None),
    ("true", True),
    ("False", False),
    ("7", 7),
    ("-12", -12),
    ("+3", 3),
    ("0x1F", 31),
    ("0o17", 15),
    ("1.5", 1.5),
    ("-2.5e3", -2500.0),
    (".inf", math.inf),
    ("-.inf", -math.inf),
    ("007", "007"),
    ("1e10", "1e10"),
    ("1_000", "1_000"),
    ("yes", "yes"),
    ("on", "on"),
    ("2001-01-01", "2001-01-01"),
    ("12:30", "12:30"),
    ("9" * 5000, "9" * 5000),
]


@pytest.mark.parametrize(("text", "value"), WORDS)
def test_unquoted_words(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_nan_is_a_number():
    assert math.isnan(scalar(".nan"))


def test_quoted_tagged_and_block_words_are_text():
    assert document("a: '7'\nb: \"null\"\nc: !!str 7\nd: |\n  7\n").data == {
        "a": "7",
        "b": "null",
        "c": "7",
        "d": "7\n",
    }


@pytest.mark.parametrize("key", ["$hex", "$label", "$alias"])
def test_bytes_and_labels_are_text_even_unquoted(key):
    assert document(f"{{{key}: 0102, b: [{{{key}: 1e10}}]}}").data == {key: "0102", "b": [{key: "1e10"}]}


def test_a_byte_order_mark_is_ignored():
    assert document("\ufeffa: 1").data == {"a": 1}


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        (("a", "b"), True, (2, 3)),
        (("a", "b"), False, (2, 6)),
        (("c", 1), False, (3, 10)),
        (("c", 9), False, (3, 4)),
        (("nothing", "below"), True, (1, 1)),
    ],
)
def test_places(path, key, place):
    spot = document("a:\n  b: text\nc: [one, two]\n").spot(path, key=key)

    assert (spot.line, spot.column) == place


def test_the_place_of_a_whole_word_has_its_length():
    assert document("a: text").spot(("a",)).length == 4


def test_find_and_raw():
    doc = document("a: {b: 0000}\nc: [1]")

    assert doc.raw(("a", "b")) == "0000"
    assert doc.raw(("a",)) is None
    assert doc.raw(("x", "y")) is None
    assert doc.find(("c", 0)).value == "1"


BLOCKS = [
    ("k: |\n  one\n  two\n", 2, 1, (3, 3)),
    ("k: |\n\n    one\n\n    two\n", 4, 2, (5, 6)),
    ("k: |2\n    one\n  two\n", 1, 3, (2, 5)),
    ("k: &a |-  # why\n  one\n", 1, 1, (2, 3)),
    ('k: "one two"\n', 1, 5, (1, 9)),
    ("k: one\n", 1, 2, (1, 5)),
    ("k: 'one\n\n  two'\n", 2, 1, (3, 3)),
]


@pytest.mark.parametrize(("text", "line", "column", "place"), BLOCKS)
def test_a_place_in_a_text_is_a_place_in_the_file(text, line, column, place):
    spot = document(text).text_spot(("k",), line, column, 1)

    assert (spot.line, spot.column) == place


def test_a_place_in_a_folded_text_cannot_always_be_told():
    assert document("k: >\n  one\n  two\n").text_spot(("k",), 1, 6, 1) is None
    assert document("k: [1]").text_spot(("k",), 1, 1, 1) is None


def test_paths_are_shown_as_people_write_them():
    assert path_string(("steps", 2, "server", 0, "set")) == "steps[2].server[0].set"
    assert path_string(()) == ""
