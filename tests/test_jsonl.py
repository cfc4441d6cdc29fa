import dataclasses
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ntp.data.records import PremiseRecord, PremiseUse, StepRecord, TheoremRecord
from ntp.errors import DataError
from ntp.jsonl import SCHEMA_VERSION, atomic_write, dump_record, load_record, read_jsonl, write_jsonl
from ntp.types import Goal, Span, Theorem

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
spans = st.builds(Span, st.integers(0, 99), st.integers(0, 99))
goals = st.builds(Goal, st.lists(texts, max_size=3).map(tuple), texts)
uses = st.lists(st.builds(PremiseUse, texts, texts), max_size=2).map(tuple)
steps = st.builds(
    StepRecord, texts, spans, goals, st.integers(0, 5), goals | st.none(), st.integers(0, 5), uses
)
theorems = st.builds(Theorem, texts, texts, texts, spans, spans)
records = st.builds(
    TheoremRecord, theorems, texts, texts, texts, texts, st.lists(steps, max_size=2).map(tuple)
)
PREMISES = [PremiseRecord(f"A.b{i}", "Lemma", "x ⊢\n\u2028 y", "A.v", Span(i, i + 1)) for i in range(3)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(record=records)
def test_a_record_survives_the_round_trip(tmp_path, record):
    path = tmp_path / "x.json"
    path.write_text(dump_record(record))
    assert load_record(path, TheoremRecord) == record


def test_records_are_lines_whatever_they_hold(tmp_path):
    path = tmp_path / "sub" / "premises.jsonl"
    assert write_jsonl(path, iter(PREMISES)) == 3
    assert list(read_jsonl(path, PremiseRecord)) == PREMISES
    assert path.read_bytes().count(b"\n") == 3


def _change(**changes):
    line = json.loads(dump_record(PREMISES[0]))
    line.update(changes)
    return json.dumps({key: value for key, value in line.items() if value != "drop"})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"full_name": "A', "not valid JSON"),
        ("", "not valid JSON"),
        ("[1]", "not a JSON object"),
        (_change(kind="drop"), "PremiseRecord lacks the key 'kind'"),
        (_change(extra=1), "PremiseRecord has the unknown key 'extra'"),
        (_change(kind=3), "expected str, found int"),
        (_change(span=[1, 2]), "expected an object (Span), found list"),
        (_change(span={"begin": 1}), "Span lacks the key 'end'"),
        (_change(span={"begin": True, "end": 2}), "expected int, found bool"),
        (_change(schema_version=SCHEMA_VERSION + 1), f"schema version {SCHEMA_VERSION + 1}"),
        (_change(schema_version="drop"), "schema version None"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = tmp_path / "premises.jsonl"
    path.write_text("\n".join([dump_record(PREMISES[0]), line, dump_record(PREMISES[1])]) + "\n")
    reader = read_jsonl(path, PremiseRecord)
    assert next(reader) == PREMISES[0]
    with pytest.raises(DataError) as error:
        next(reader)
    assert str(error.value).startswith(f"{path}:2: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_truncated_file_is_an_error(tmp_path):
    path = tmp_path / "premises.jsonl"
    write_jsonl(path, PREMISES)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"premises\.jsonl:3: not valid JSON"):
        list(read_jsonl(path, PremiseRecord))


def test_bytes_that_are_not_utf8_are_an_error(tmp_path):
    path = tmp_path / "premises.jsonl"
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match="not UTF-8"):
        list(read_jsonl(path, PremiseRecord))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.jsonl: cannot be read"):
        list(read_jsonl(tmp_path / "nothing.jsonl", PremiseRecord))


def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "premises.jsonl"
    write_jsonl(path, PREMISES[:1])

    def interrupted():
        yield PREMISES[1]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_jsonl(path, interrupted())
    assert list(read_jsonl(path, PremiseRecord)) == PREMISES[:1]
    assert [p.name for p in tmp_path.iterdir()] == ["premises.jsonl"]


def test_a_directory_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written \(.*\); choose another one"):
        write_jsonl(tmp_path / "file" / "premises.jsonl", PREMISES)


def test_a_written_file_is_readable_by_others(tmp_path):
    with atomic_write(tmp_path / "x") as stream:
        stream.write("é")
    assert (tmp_path / "x").stat().st_mode & 0o444 == 0o444


def test_the_schema_has_no_field_the_reader_does_not_know():
    for kind in (TheoremRecord, StepRecord, PremiseRecord, PremiseUse):
        assert dataclasses.is_dataclass(kind)
        assert kind.__dataclass_params__.frozen


def test_a_blank_end_and_a_byte_order_mark_are_no_damage(tmp_path):
    path = tmp_path / "premises.jsonl"
    path.write_text("\ufeff" + dump_record(PREMISES[0]) + "\r\n\n  \n", encoding="utf-8")
    assert list(read_jsonl(path, PremiseRecord)) == PREMISES[:1]
    path.write_text("\ufeff" + dump_record(PREMISES[1]) + "\n\n", encoding="utf-8")
    assert load_record(path, PremiseRecord) == PREMISES[1]
