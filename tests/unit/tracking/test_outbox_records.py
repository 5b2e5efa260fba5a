from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.tracking.outbox.records import (
    GAP,
    HEADER,
    KEY,
    METRIC,
    PARAMS,
    POINT,
    POINT_BYTES,
    TAGS,
    UPDATE,
    Contents,
    Facts,
    MetricName,
    RunUpdate,
    decode_texts,
    decode_update,
    encode_key,
    encode_point,
    encode_texts,
    encode_update,
    header,
    metric_word,
    read,
    read_header,
)

FACTS = Facts("http://somewhere", "r1", "0", 7, "here", 1_700_000_000_000, "ab12cd34", 3, 4096)

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(max_size=20)
NAMES = st.builds(MetricName, TEXT, st.none() | TEXT, st.none() | TEXT, st.none() | TEXT)
ENTRIES = st.lists(
    st.one_of(
        st.tuples(st.just(METRIC), NAMES, INT64, INT64, st.floats()),
        st.tuples(st.sampled_from([PARAMS, TAGS]), st.dictionaries(TEXT, TEXT, max_size=4)),
        st.tuples(st.just(UPDATE), st.builds(RunUpdate, st.none() | TEXT, st.none() | INT64, st.none() | TEXT)),
    ),
    max_size=12,
)


def records_of(entries: list[Any]) -> list[bytes]:
    """One record an entry, and one for each new name."""
    words: dict[MetricName, int] = {}
    made = []
    for kind, *values in entries:
        if kind == METRIC:
            name, timestamp, step, value = values
            if name not in words:
                words[name] = metric_word(len(words) + 1)
                made.append(encode_key(words[name], name))
            made.append(encode_point(words[name], timestamp, step, value))
        elif kind == UPDATE:
            made.append(encode_update(values[0]))
        else:
            made.append(encode_texts(kind, values[0]))
    return made


def entries_in(data: bytes, contents: Contents, begin: int = 0) -> list[Any]:
    """Everything that can be read, in order."""
    found: list[Any] = []
    position = begin

    def points(end: int) -> None:
        for word, timestamp, step, value, _ in POINT.iter_unpack(data[position:end]):
            found.append((METRIC, contents.names[word], timestamp, step, struct.pack("<d", value)))

    for mark in contents.marks:
        points(mark.position)
        record = data[mark.position:mark.end]
        if mark.kind in (PARAMS, TAGS):
            found.append((mark.kind, decode_texts(record)))
        elif mark.kind == UPDATE:
            found.append((UPDATE, decode_update(record)))
        position = mark.end
    points(contents.end)
    return found


def comparable(entries: list[Any]) -> list[Any]:
    return [(*entry[:4], struct.pack("<d", entry[4])) if entry[0] == METRIC else entry for entry in entries]


@given(ENTRIES)
def test_what_is_written_is_read_again(entries: list[Any]) -> None:
    data = b"".join(records_of(entries)) + bytes(64)
    contents = read(data, 0)
    assert entries_in(data, contents) == comparable(entries)
    assert contents.end == len(data) - 64
    assert contents.unreadable == 0


def sample() -> list[bytes]:
    name, other = MetricName("loss"), MetricName("accuracy", "m-1", "train", "abc")
    return records_of([
        (METRIC, name, 1, 0, 0.5), (METRIC, name, 2, 1, math.nan), (PARAMS, {"lr": "0.1", "é": "ü" * 9}),
        (METRIC, other, 3, -1, -math.inf), (METRIC, name, 2**62, 2**62, 5e-324), (TAGS, {"a": ""}),
        (UPDATE, RunUpdate("FINISHED", 5, None)), (METRIC, other, 4, 0, 1.0),
    ])


def test_a_crash_at_any_byte_leaves_what_was_complete_and_a_clean_end() -> None:
    records = sample()
    data = b"".join(records)
    ends = [sum(map(len, records[:count])) for count in range(len(records) + 1)]
    for cut in range(len(data) + 1):
        left = data[:cut] + bytes(200)
        contents = read(left, 0)
        assert contents.end == max(end for end in ends if end <= cut), cut
        assert contents.unreadable == 0, cut


def test_an_append_that_is_copied_from_its_end_may_be_interrupted_too() -> None:
    records = sample()
    before, last = b"".join(records[:-1]), records[-1]
    # No processor writes less than the first word at once.
    for missing in range(4, len(last)):
        contents = read(before + bytes(missing) + last[missing:] + bytes(200), 0)
        assert contents.end == len(before)
        assert contents.unreadable == 0


def test_damage_in_the_middle_is_a_gap_and_what_follows_is_read() -> None:
    records = sample()
    data = b"".join(records)
    everything = entries_in(data, read(data, 0))
    for position in range(len(data)):
        broken = data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1:]
        contents = read(broken, 0)
        found = entries_in(broken, contents)
        assert all(entry in everything for entry in found), position
        assert len(found) < len(everything) or any(mark.kind == KEY for mark in contents.marks)
        if position < len(data) - len(records[-1]):
            assert contents.unreadable > 0, position
            assert any(entry[0] == UPDATE for entry in found) or position >= len(data) - len(b"".join(records[-2:]))


def test_a_page_of_zeros_in_the_middle_costs_that_page_only() -> None:
    name = MetricName("loss")
    word = metric_word(1)
    data = bytearray(encode_key(word, name) + b"".join(encode_point(word, 1, step, 0.5) for step in range(1000)))
    data[4096:8192] = bytes(4096)
    contents = read(bytes(data), 0)
    steps = [entry[3] for entry in entries_in(bytes(data), contents)]
    assert steps == sorted(steps) and steps[-1] == 999
    assert 1000 - len(steps) in (4096 // POINT_BYTES, 4096 // POINT_BYTES + 1)
    assert 4096 <= contents.unreadable <= 4096 + 2 * POINT_BYTES


def test_points_whose_key_is_lost_are_damage_and_not_invented() -> None:
    name = MetricName("loss")
    records = records_of([(METRIC, name, 1, 0, 0.5), (TAGS, {"a": "b"})])
    data = b"\xff" * len(records[0]) + b"".join(records[1:])
    contents = read(data, 0)
    assert entries_in(data, contents) == [(TAGS, {"a": "b"})]
    assert contents.unreadable == len(records[0]) + POINT_BYTES


@given(st.binary(max_size=400))
def test_foreign_bytes_are_read_without_trouble(data: bytes) -> None:
    contents = read(data, 0)
    assert contents.end <= len(data)
    assert read_header(data) is None


@given(st.binary(max_size=64), st.integers(0, 300))
def test_a_tail_of_rubbish_does_not_touch_what_stands_before_it(rubbish: bytes, zeros: int) -> None:
    data = b"".join(sample())
    longer = data + rubbish + bytes(zeros)
    contents = read(longer, 0)
    assert entries_in(longer, contents)[:8] == entries_in(data, read(data, 0))


def test_the_header_is_read_again() -> None:
    made = header(FACTS)
    heading = read_header(made + b"records")
    assert heading is not None
    assert heading.facts == FACTS
    assert heading.begin == heading.acknowledged == len(made)


def test_a_damaged_header_is_nobodys() -> None:
    made = header(FACTS)
    length = HEADER.unpack_from(made)[4]
    for position in range(HEADER.size + length):
        if 8 <= position < 16:
            continue  # the acknowledged offset changes in a file's life
        broken = made[:position] + bytes([made[position] ^ 0x10]) + made[position + 1:]
        assert read_header(broken) is None, position
    for short in range(HEADER.size + length):
        assert read_header(made[:short]) is None


def test_an_impossible_acknowledgement_counts_as_none() -> None:
    made = bytearray(header(FACTS))
    struct.pack_into("<Q", made, 8, 3)
    heading = read_header(bytes(made))
    assert heading is not None and heading.acknowledged == heading.begin


def test_boundaries_of_records_are_known() -> None:
    records = sample()
    data = b"".join(records)
    contents = read(data, 0)
    ends = {sum(map(len, records[:count])) for count in range(len(records) + 1)}
    assert {position for position in range(len(data) + 40) if contents.is_boundary(position, 0)} == ends


def test_gaps_are_marks() -> None:
    data = b"\xff" * 8 + b"".join(sample())
    assert read(data, 0).marks[0] == (0, 8, GAP)


def test_a_text_that_fits_into_no_record_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        encode_texts(PARAMS, {"a": "x" * (1 << 24)})
