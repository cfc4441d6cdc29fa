import shutil

import pytest

from ntp.data.dataset import METADATA, THEOREMS, Dataset, content_hash
from ntp.errors import DataError
from ntp.jsonl import SCHEMA_VERSION

pytestmark = pytest.mark.coq


@pytest.fixture(scope="module")
def small(small_extraction):
    return small_extraction[0]


def test_theorems_stream_in_order(small, small_project):
    records = list(small.iter_theorems())
    assert tuple(r.theorem for r in records) == small.theorems
    places = [(r.theorem.file, r.theorem.declaration.begin) for r in records]
    assert places == sorted(places)


def test_select_keeps_the_order_asked_for(small):
    ids = [theorem.id for theorem in small.theorems][:3][::-1]
    assert [record.theorem.id for record in small.select(ids)] == ids
    with pytest.raises(DataError, match="no theorem 'nothing'"):
        small.select(["nothing"])


def test_no_data_set(tmp_path):
    with pytest.raises(DataError, match=r"no data set here \(metadata.json is missing\); extract it first"):
        Dataset.load(tmp_path)


def test_another_schema_version(small, tmp_path):
    text = (small.directory / METADATA).read_text()
    (tmp_path / METADATA).write_text(text.replace(f'"schema_version":{SCHEMA_VERSION}', '"schema_version":0'))
    with pytest.raises(DataError, match=r"metadata\.json: schema version 0"):
        Dataset.load(tmp_path)


def test_a_corrupt_line_is_named(small, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(small.directory, copy)
    assert content_hash(copy) == small.metadata.content_hash
    lines = (copy / THEOREMS).read_text().splitlines()
    lines[4] = lines[4][:-7]
    (copy / THEOREMS).write_text("\n".join(lines))
    assert content_hash(copy) != small.metadata.content_hash
    with pytest.raises(DataError, match=r"theorems\.jsonl:5: not valid JSON"):
        _ = Dataset.load(copy).records
