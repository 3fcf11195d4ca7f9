"""Tables: ids whole or shortened in the middle, never wrapped; sentences fold; in a pipe everything is whole."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from bec_cli.tables import Column, lines_of
from bec_core.text import shortened

TASKS: list[Column] = ["ID", "Volume", "Status", ("Images", "right"), "Worker"]
ROWS = [
    (105, "W22084/I0886", "done", 200, "i-abc123"),
    (
        104,
        "W1KG13780/I1KG15541_of_the_second_printing",
        "retryable_failed",
        None,
        "ip-10-0-0-17.ec2.internal-0",
    ),
]
SENTENCE = "a sentence that is so long that it must be folded " * 20


@pytest.mark.parametrize("width", [200, 140, 100, 80, 60, 40])
def test_nothing_is_wider_than_the_terminal_and_no_id_goes_on_in_a_second_line(width: int) -> None:
    lines = list(lines_of("Tasks", TASKS, ROWS, width=width))
    assert max(map(len, lines)) <= width
    whole = "\n".join(lines)
    assert "retryable_failed" in whole  # a state is never shortened
    rows = [line for line in lines if "104" in line or "105" in line]
    assert len(rows) == 2
    if width >= 60:
        assert len(lines) == 1 + 3 + 2 + 1  # title, heading, a line a row, the end
    for line in rows:
        if "…" in line:
            assert "W1KG" in line  # of the long ones only, and both ends are there
            assert "ing" in line


def test_a_terminal_too_narrow_for_columns_gets_blocks() -> None:
    lines = list(lines_of(None, TASKS, ROWS, width=40))
    assert lines[:6] == [
        "ID: 105",
        "Volume: W22084/I0886",
        "Status: done",
        "Images: 200",
        "Worker: i-abc123",
        "",
    ]
    assert lines[7].startswith("Volume: W1KG")
    assert lines[7].endswith("printing")
    assert len(lines[7]) == 40


@pytest.mark.parametrize("width", [200, 100, 80])
def test_sentences_fold_before_ids_are_shortened_and_end_with_a_sign(width: int) -> None:
    columns = ["Volume", "Status", "Message"]
    lines = list(lines_of(None, columns, [("W1KG13780/I1KG15541", "failed", SENTENCE)], width=width))
    assert max(map(len, lines)) <= width
    assert "W1KG13780/I1KG15541" in lines[3]
    assert len(lines) == 3 + 3 + 1
    assert "…" in lines[5]


def test_in_a_pipe_a_message_is_whole_and_its_row_is_one_line() -> None:
    message = SENTENCE * 3 + "\nand a second line"
    lines = list(lines_of(None, ["Volume", "Message"], [("W1/I1", message)], width=None))
    assert len(lines) == 5
    assert message.replace("\n", "\\n") in lines[3]


def test_a_value_that_is_wider_than_those_before_it_stays_whole_in_a_pipe_and_in_its_place_on_a_terminal() -> (
    None
):
    def rows() -> Iterator[tuple[str, int]]:
        for number in range(300):
            yield "short", number
        yield "W1KG13780/I1KG15541", 10**9

    columns: list[Column] = ["Volume", ("Images", "right")]
    assert "W1KG13780/I1KG15541" in list(lines_of(None, columns, rows(), width=None))[-2]
    last = list(lines_of(None, columns, rows(), width=80))[-2]
    assert last == "│ W1K…41 │ 1000000000 │"


def test_tibetan_takes_the_cells_that_it_takes() -> None:
    from rich.cells import cell_len

    lines = list(lines_of(None, ["Title"], [("བཀྲ་ཤིས་བདེ་ལེགས་" * 9,), ("abc",)], width=60))
    assert {cell_len(line) for line in lines} == {cell_len(lines[0])}
    assert cell_len(lines[0]) <= 60
    assert cell_len(shortened("漢字" * 20, 9, cell_len)) <= 9


def test_rows_are_printed_before_the_last_is_known() -> None:
    seen = 0

    def rows() -> Iterator[tuple[int]]:
        nonlocal seen
        for seen in range(1, 10_001):
            yield (seen,)

    lines = lines_of(None, ["ID"], rows(), width=80)
    assert [next(lines) for _ in range(4)][-1] == "│ 1   │"
    assert seen <= 200


def on_a_terminal(command: list[str], *, columns: int, **environment: str) -> str:
    """What a command prints on a terminal that wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        command, stdout=theirs, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        env={**kept, "TERM": "xterm", **environment},
    ) as process:  # fmt: skip
        os.close(theirs)
        text = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the terminal's other side is gone
                break
            if not piece:
                break
            text += piece
        process.wait()
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


PRINTS = """
from bec_cli.tables import print_table
print_table(None, ["Volume", "Status"], [("W1KG13780/I1KG15541" * 3, "done"), ("W2/I2", "terminal_failed")])
"""


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_on_a_real_terminal_states_have_colours_and_lines_fit(columns: int) -> None:
    text = on_a_terminal([sys.executable, "-c", PRINTS], columns=columns)
    assert "\x1b[32mdone\x1b[0m" in text
    assert "\x1b[31mterminal_failed\x1b[0m" in text
    plain = on_a_terminal([sys.executable, "-c", PRINTS], columns=columns, NO_COLOR="1")
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= columns


def test_in_a_pipe_there_is_no_colour_and_ids_are_whole() -> None:
    ended = subprocess.run([sys.executable, "-c", PRINTS], capture_output=True, text=True, check=True)
    assert "\x1b" not in ended.stdout
    assert "W1KG13780/I1KG15541" * 3 in ended.stdout
