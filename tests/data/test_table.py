import gzip
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest

from bnrenorm.data import table
from bnrenorm.data.content import opened
from bnrenorm.errors import InputError


def read(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with opened(path) as content:
        return table.read(content)


@pytest.mark.parametrize(
    "text",
    [
        "label,pixel0,pixel1\n7,0,255\n8,1,2\n",
        "7,0,255\n8,1,2",
        "pixel1,pixel2,class\r\n0,255,7\r\n1,2,8\r\n",
        '"Label","a","b"\n"7","0","255"\n"8","1","2"\n',
        "\ufefflabel,a,b\n7,0,255\n8,1,2\n",
        ",label,a,b\n0,7,0,255\n1,8,1,2\n",
        "Unnamed: 0,a,label,b\n0,0,7,255\n1,1,8,2\n",
        gzip.compress(mtime=0, data=b"label,a,b\n7,0,255\n8,1,2\n"),
    ],
)
def test_the_label_is_the_first_column_or_a_named_one(tmp_path, text):
    images, labels = read(tmp_path / "a.csv", text)
    assert images.dtype == np.uint8
    assert images.tolist() == [[0, 255], [1, 2]]
    assert labels.tolist() == [7, 8]


@pytest.mark.parametrize("pixel", [0.5, 256, -1, 1e300])
def test_pixels_that_are_no_bytes_stay_numbers(tmp_path, pixel):
    images, _ = read(tmp_path / "a.csv", f"7,0,{pixel}\n")
    assert images.tolist() == [[0, pixel]]


def test_a_header_without_a_label_is_told(tmp_path):
    assert read(tmp_path / "a.csv", "pixel0,pixel1\n1,2\n") == "pixel0, pixel1"
    assert read(tmp_path / "a.csv", "a,b,c,d,e,f,g\n1,2,3,4,5,6,7\n") == "a, b, c, d, e, f, ..."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nlabel,a\n1,2\n", "line 1 is empty, expected a header or a row of numbers$"),
        (" \n1,2\n", "line 1 is empty, expected a header or a row of numbers$"),
        ("label,pixel0\n", "has a header, but no rows"),
        ("Id,label,a\n1,0,5\n", "has a column id, expected pixels and labels; remove it"),
        ("0.5,1\n0.25,0\n", "the first column has 0.5, expected labels, .*, or a header with a column label"),
        ("a,label\n1,1\n1,nan\n", "column 2 has nan, expected labels, which are whole numbers$"),
        ("label,pixel0\n \n", "has a header, but no rows"),
        ("label,class,a\n1,1,2\n", "has the columns label, class, expected one of them; remove the others$"),
        ("1,2\n3,x\n", "line 2 has 'x' in column 2, expected a number$"),
        ("label,a\n1,2\n\n3,\n", "line 4 has '' in column 2, expected a number$"),
        ("1,2\n3,4#5\n", "line 2 has '4#5' in column 2, expected a number$"),
        (f"1,2\n3,{'x' * 99}\n", f"line 2 has '{'x' * 20}' in column 2, expected a number$"),
        ("1,2\n3,4_5\n", "could not convert string '4_5'"),
        ("1,2\n3,4,5\n", "line 2: 3 cells, expected 2 as in line 1$"),
        ("label,a\n1,2\n3\n", "line 3: 1 cells, expected 2 as in line 1$"),
        ("label,a\n1,2,3\n", "line 2: 3 cells, expected 2 as in line 1$"),
        (",label,a\n0,1,2\n3,1,2\n", "has a first column without a name, expected pixels or labels; remove it$"),
        (b"1,2\n3,\xff\n", "cannot be read: .*utf-8"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=f"a.csv: {message}"):
        read(tmp_path / "a.csv", text)


def test_a_table_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "_LIMIT", 10)
    with pytest.raises(InputError, match=r"a.csv: has more than 10 bytes of text"):
        read(tmp_path / "a.csv", "1,2\n30,4000")
    assert read(tmp_path / "a.csv", "1,2\n30,400") is not None


@pytest.mark.parametrize(
    ("text", "limit"),
    [(b"1,2\n", table._LIMIT), (gzip.compress(b"1,2\n" * 2**20, mtime=0), 10)],
    ids=["small file", "gzipped"],
)
def test_no_memory_is_taken_for_more_than_the_file_or_the_limit(tmp_path, monkeypatch, text, limit):
    monkeypatch.setattr(table, "_LIMIT", limit)
    (tmp_path / "a.csv").write_bytes(text)
    tracemalloc.start()
    try:
        with suppress(InputError), opened(tmp_path / "a.csv") as content:
            table.read(content)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
