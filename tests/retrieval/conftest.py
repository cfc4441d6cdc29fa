"""Small corpora: one written out, others drawn at random."""

import random
from types import SimpleNamespace

import pytest

from ntp.data.records import FileRecord, PremiseRecord, PremiseUse, StepRecord, TheoremRecord
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.encoder_factory import TinyEncoderFactory
from ntp.types import Goal, Span, Theorem


def file_record(path, *imports, module=""):
    return FileRecord(path, module or path.removesuffix(".v"), tuple(imports), "", 1, 1)


def premise(full_name, file, begin=None, statement="", kind="Lemma"):
    span = None if begin is None else Span(begin, begin + 5)
    return PremiseRecord(full_name, kind, statement or f"Lemma {full_name} : True.", file, span)


def theorem(name, file, begin, end=None, context=""):
    declaration = Span(begin, begin + 5)
    return Theorem(name, file, f"Lemma {name}.", declaration, Span(begin + 5, end or begin + 9), context)


def record(of, steps):
    """A theorem record from (state, uses) pairs."""
    made = tuple(
        StepRecord("t.", Span(0, 1), Goal((), state), 0, None, 0, tuple(PremiseUse(*use) for use in uses))
        for state, uses in steps
    )
    return TheoremRecord(of, "coq", "", "Lemma", "Qed", made)


@pytest.fixture
def build():
    """Makers of records."""
    return SimpleNamespace(file=file_record, premise=premise, theorem=theorem, record=record)


@pytest.fixture
def random_project():
    """A function of a seed: files, premises and theorem records of a project with a random import graph."""

    def make(seed):
        rng = random.Random(seed)
        num = rng.randrange(2, 12)
        names = [f"f{i}.v" for i in rng.sample(range(num), num)]
        files, premises, records = [], [], []
        for i, name in enumerate(names):
            imports = rng.sample(names[:i], rng.randrange(i + 1)) + ["Outside"] * rng.randrange(2)
            files.append(file_record(name, *imports))
            begins = sorted(rng.sample(range(0, 2000, 10), 12))
            for begin in begins[:6]:
                premises.append(premise(f"{name}.p{begin}", name, begin))
            derived = [premise(f"{name}.d{k}", name, kind="derived") for k in range(3)]
            premises += derived
            for begin in begins[6:]:
                used = [(d.full_name, d.file) for d in rng.sample(derived, rng.randrange(3))]
                records.append(record(theorem(f"{name}.t{begin}", name, begin), [("True", used)]))
        premises.append(premise("Outside.x", "Outside", kind="external"))
        for mixed in (files, premises, records):
            rng.shuffle(mixed)
        return files, premises, records

    return make


@pytest.fixture
def small_corpus():
    """Ten premises of two files, each about a word of its own, and the theorems that use them."""
    words = ["apple", "brick", "cloud", "daisy", "eagle", "flute", "grape", "honey", "igloo", "jelly"]
    files = [file_record("a.v"), file_record("b.v", "a.v")]
    premises = [
        premise(f"M.{w}_rule", "ab"[i % 2] + ".v", 10 * i, f"Lemma {w}_rule : forall x, {w} x.")
        for i, w in enumerate(words)
    ]
    records = [
        record(
            theorem(f"T.{w}{j}", "b.v", 1000 + 100 * i + 10 * j),
            [(f"exists y{j}, {w} (y{j} + {j})", [(f"M.{w}_rule", "ab"[i % 2] + ".v")])],
        )
        for i, w in enumerate(words)
        for j in range(4)
    ]
    return PremiseCorpus(premises, files, records), records


@pytest.fixture(scope="session")
def tiny_encoder():
    """Makes an encoder of a few thousand weights for some texts."""
    factory = TinyEncoderFactory(
        vocab_size=400, hidden_size=32, num_layers=1, num_heads=2, intermediate_size=32, dropout=0.0
    )
    return factory.create
