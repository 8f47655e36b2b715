"""Files, read and written so that nobody loses one."""

import os
from pathlib import Path

import pytest

from rpcmemkit.errors import UsageError, printable
from rpcmemkit.files import LARGEST, is_file, read_bytes, read_text, reason, write_text


def test_a_file_is_read_whole(tmp_path):
    file = tmp_path / "a"
    for data in (b"", b"x", b"\xff\r\n\x1a", bytes(100_000)):
        file.write_bytes(data)
        assert read_bytes(file) == data
        assert read_bytes(str(file)) == data
    file.write_bytes("ä".encode() + b"\xff")
    assert read_text(file) == "ä\ufffd"


def test_the_limit(tmp_path):
    file = tmp_path / "large"
    with file.open("wb") as stream:
        stream.truncate(LARGEST)
    assert len(read_bytes(file)) == LARGEST
    with file.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(UsageError, match="larger than 16 MiB"):
        read_bytes(file)


def test_what_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "no")
    with pytest.raises(UsageError, match="not the path of a file"):
        read_bytes("a\0b")
    assert not is_file(tmp_path)
    assert not is_file(Path("a\0b"))
    assert reason(FileNotFoundError(2, "No such file")) == "No such file"
    assert reason(UsageError("why")) == "why"


def test_a_file_is_replaced_whole(tmp_path, monkeypatch):
    file = tmp_path / "a.svg"
    write_text(file, "one\n")
    assert file.read_bytes() == b"one\n"
    write_text(file, "two → \ud800", inputs=[tmp_path / "other", tmp_path])
    assert file.read_bytes() == "two → ?".encode()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(file, "three")
    assert caught.value.filename == str(file)
    assert file.read_bytes() == "two → ?".encode()
    assert [each.name for each in tmp_path.iterdir()] == ["a.svg"]


def test_an_input_is_never_replaced(tmp_path):
    file = tmp_path / "a"
    file.write_text("mine")
    with file.open() as stream:
        for inputs in ([file], [str(file)], [stream.fileno()], [tmp_path / "no", file]):
            with pytest.raises(UsageError, match="write to another one"):
                write_text(file, "theirs", inputs)
    assert file.read_text() == "mine"


def test_a_sign_for_each_character_that_would_steer_a_terminal():
    assert printable("plain → ä\t\n") == "plain → ä\t\n"
    steering = "\0\x07\x1b\x7f\x80\x9b\u061c\u200e\u200f\u2028\u202a\u202e\u2066\u2069\ufeff\ud800"
    assert printable(steering) == "␀␇␛␡" + "\ufffd" * 12
