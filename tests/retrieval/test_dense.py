import numpy as np
import pytest
import torch

from ntp.errors import DataError
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.dense import DenseRetriever, premise_vectors


def test_retrieval_is_brute_force_over_what_each_theorem_can_see(random_project, tiny_encoder, tmp_path):
    files, premises, records = random_project(3)
    corpus = PremiseCorpus(premises, files, records)
    encoder = tiny_encoder(corpus.documents).eval()
    retriever = DenseRetriever(encoder, corpus, premise_vectors(encoder, corpus, tmp_path, 4), 3)
    theorems = [record.theorem for record in records for _ in range(2)]
    states = [f"x{i} : nat\n⊢ f{i % 5}.v p{i}" for i in range(len(theorems))]
    vectors = encoder.encode_premises(corpus.documents).detach().numpy()
    for num in (1, 4, 1000):
        for state, theorem, found in zip(
            states, theorems, retriever.retrieve(states, theorems, num), strict=True
        ):
            scores = vectors @ encoder.encode_states([state])[0].detach().numpy()
            allowed = np.flatnonzero(corpus.mask(theorem)).tolist()
            wanted = sorted((float(scores[i]) for i in allowed), reverse=True)[:num]
            assert [hit.score for hit in found] == pytest.approx(wanted, abs=1e-4)
            assert len({hit.number for hit in found}) == len(found)
            assert all(hit.number in allowed for hit in found)
            assert [scores[hit.number] for hit in found] == pytest.approx(wanted, abs=1e-4)
            assert all(hit.premise is corpus.premises[hit.number] for hit in found)


def test_no_state_is_no_work(small_corpus, tiny_encoder, tmp_path):
    corpus, _ = small_corpus
    encoder = tiny_encoder(corpus.documents).eval()
    retriever = DenseRetriever(encoder, corpus, premise_vectors(encoder, corpus, tmp_path, 64), 64)
    assert retriever.retrieve([], [], 3) == []


def test_vectors_are_kept_until_the_corpus_or_the_encoder_changes(
    small_corpus, tiny_encoder, build, tmp_path
):
    corpus, records = small_corpus
    encoder = tiny_encoder(corpus.documents).eval()
    first = premise_vectors(encoder, corpus, tmp_path, 64)
    (directory,) = tmp_path.iterdir()
    np.save(directory / "vectors.npy", first + 1)  # to be told apart from vectors computed anew
    done = []
    assert premise_vectors(encoder, corpus, tmp_path, 64, on_encoded=done.append) == pytest.approx(first + 1)
    assert done == [len(corpus)]
    changed = list(corpus.premises)
    changed[2] = build.premise(changed[2].full_name, changed[2].file, changed[2].span.begin, "Lemma other.")
    other = PremiseCorpus(changed, [build.file("a.v"), build.file("b.v", "a.v")], records)
    assert premise_vectors(encoder, other, tmp_path, 64)[3] == pytest.approx(first[3], abs=1e-5)
    before = encoder.model.shared.weight.detach().clone()
    with torch.no_grad():
        encoder.model.shared.weight[5, 3] += 0.5
    premise_vectors(encoder, corpus, tmp_path, 64)
    assert len(list(tmp_path.iterdir())) == 3
    (directory / "vectors.npy").write_bytes(b"1")
    with torch.no_grad():
        encoder.model.shared.weight.copy_(before)
    with pytest.raises(DataError, match=r"is corrupt .*delete it"):
        premise_vectors(encoder, corpus, tmp_path, 64)


def test_an_interrupted_index_leaves_nothing(small_corpus, tiny_encoder, tmp_path):
    corpus, _ = small_corpus

    def interrupt(num):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        premise_vectors(tiny_encoder(corpus.documents).eval(), corpus, tmp_path, 64, on_encoded=interrupt)
    assert list(tmp_path.iterdir()) == []
