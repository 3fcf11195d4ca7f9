"""The OCR Parquet: the contract's columns as it says, ours behind them, and the reader."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bec_ocrv1.artifacts import CONTRACT, PageText, ReadLine, read_texts
from bec_ocrv1.records import to_parquet
from bec_ocrv1.text import characters, recorded

BOX = pa.list_(pa.struct([(name, pa.int16()) for name in "xywh"]))
CONTRACT_TYPES = {
    "img_file_name": pa.string(),
    "source_etag": pa.string(),
    "rotation_angle": pa.float32(),
    "tps_points": pa.list_(pa.list_(pa.float32())),
    "tps_alpha": pa.float32(),
    "line_bboxes": BOX,
    "line_texts": pa.list_(pa.string()),
    "nb_lines": pa.int32(),
    "ok": pa.bool_(),
    "error_stage": pa.string(),
    "error_type": pa.string(),
    "error_message": pa.string(),
}
LINE = ReadLine(
    "བོད་", 0.75, (10, 20, 300, 40), ((10, 20), (310, 20), (310, 60), (10, 60)), ((10, 40), (310, 40))
)
PAGE = PageText(
    "1.jpg",
    "ff",
    rotation_angle=1.5,
    tps_points=((1, 2, 3, 4), (5, 6, 7, 8)),
    tps_alpha=0.5,
    width=400,
    height=100,
    quarter_turns=3,
    flags=("curved",),
    lines=(LINE, ReadLine("", 0.0, (10, 70, 300, 20), LINE.polygon, LINE.baseline)),
)
BLANK = PageText("2.jpg", "ee", width=400, height=100, flags=("blank",))
FAILED = PageText("3.jpg", None, ok=False, error_stage="decode", error_type="X", error_message="m" * 200)


def table(*pages):
    return pq.read_table(pa.BufferReader(to_parquet(pages)))


def test_the_contracts_columns_come_first_with_its_types():
    schema = table(PAGE).schema
    assert tuple(schema.names[: len(CONTRACT)]) == CONTRACT == tuple(CONTRACT_TYPES)
    for name, kind in CONTRACT_TYPES.items():
        assert schema.field(name).type == kind, name
    assert (
        pq.ParquetFile(io.BytesIO(to_parquet([PAGE]))).metadata.row_group(0).column(0).compression == "ZSTD"
    )


def test_a_page_a_page_without_lines_and_a_failed_one():
    page, blank, failed = table(PAGE, BLANK, FAILED).to_pylist()
    assert page["line_texts"] == ["བོད་", ""]
    assert page["line_bboxes"][0] == {"x": 10, "y": 20, "w": 300, "h": 40}
    assert (page["nb_lines"], page["rotation_angle"], page["tps_alpha"]) == (2, 1.5, 0.5)
    assert (blank["ok"], blank["line_texts"], blank["line_bboxes"], blank["nb_lines"]) == (True, [], [], 0)
    assert (blank["rotation_angle"], blank["tps_points"], blank["tps_alpha"]) == (0, None, None)
    assert (failed["ok"], failed["line_texts"], failed["nb_lines"]) == (False, None, None)
    assert failed["error_message"] == "m" * 127 + "…"


def test_the_reader_gives_back_what_was_written():
    page, blank, failed = read_texts(to_parquet([PAGE, BLANK, FAILED]))
    assert (page, blank) == (PAGE, BLANK)
    assert (failed.ok, failed.lines, failed.error_stage) == (False, (), "decode")
    assert page.text == "བོད་\n"


def test_a_box_beyond_int16_is_cut_off_in_the_contracts_column_and_exact_in_ours():
    far = ReadLine("x", 1.0, (32_000, -5, 40_000, 50), LINE.polygon, LINE.baseline)
    (row,) = table(PageText("1.jpg", "ff", width=80_000, height=100, lines=(far,))).to_pylist()
    assert row["line_bboxes"] == [{"x": 32_000, "y": -5, "w": 767, "h": 50}]
    assert row["line_boxes"] == [{"x": 32_000, "y": -5, "w": 40_000, "h": 50}]
    (page,) = read_texts(to_parquet([PageText("1.jpg", "ff", width=80_000, height=100, lines=(far,))]))
    assert page.lines[0].bbox == far.bbox


def test_other_programs_files_are_read_as_far_as_they_go():
    rows = [
        {name: value for name, value in row.items() if name in CONTRACT} for row in table(PAGE).to_pylist()
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    (page,) = read_texts(sink.getvalue())
    assert [line.text for line in page.lines] == ["བོད་", ""]
    assert page.lines[0] == ReadLine("བོད་", bbox=(10, 20, 300, 40))
    assert (page.width, page.quarter_turns, page.flags) == (None, 0, ())


def test_what_is_no_text_is_refused():
    with pytest.raises(ValueError, match="no readable Parquet file"):
        read_texts(b"PAR1")
    sink = io.BytesIO()
    pq.write_table(table(PAGE).drop_columns(["line_texts", "ok"]), sink)
    with pytest.raises(ValueError, match="the columns line_texts, ok are missing"):
        read_texts(sink.getvalue())
    row = {**table(PAGE).to_pylist()[0], "line_confidences": [0.5]}
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row]), sink)
    with pytest.raises(ValueError, match=r"1\.jpg has 2 texts and 1 line_confidences"):
        read_texts(sink.getvalue())


def test_a_line_without_a_place_is_not_written():
    with pytest.raises(ValueError, match=r"line 1 of 1\.jpg has no box"):
        to_parquet([PageText("1.jpg", "ff", lines=(ReadLine("x", 0.5),))])


def test_many_pages_are_one_file_in_their_order():
    pages = [PageText(f"{number}.jpg", "ff", width=1, height=1) for number in range(150)]
    assert read_texts(to_parquet(pages)) == pages
    assert to_parquet(pages) == to_parquet(pages)
    assert read_texts(to_parquet([])) == []


def test_recorded_text_is_one_line_of_nfc():
    assert recorded("  e\u0301 \t\n b\x07\ud800 ") == "é   b \ufffd"
    assert recorded("\u0f73\u0f43") == "\u0f71\u0f72\u0f42\u0fb7"
    assert characters("ཀ ་\u00a0།") == 3
