"""Cheap rivals of Task2Vec: compression, n-grams, hidden states, and the Vendi score."""

from __future__ import annotations

import lzma
import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ntp.formalization.alignment.measures import PairwiseMeasure, interval
from ntp.formalization.alignment.probe import Probe
from ntp.seeding import derive_seed
from ntp.types import Interval

Vectors = NDArray[np.float64]
_TOKEN = re.compile(r"\w+|[^\w\s]")
_LEVEL = 9
# Bytes that zlib looks back: what is farther away is not found again.
_WINDOW = 32_768
_VENDI_RESAMPLES = 100

_COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: zlib.compress(data, _LEVEL),
    "lzma": lambda data: lzma.compress(data, preset=_LEVEL),
}


@dataclass
class CompressionDistance(PairwiseMeasure[bytes]):
    """The normalised compression distance (Cilibrasi and Vitanyi 2005).

    Attributes:
        compressor: `gzip`, for batches of which two fit into its window of 32 KiB: of longer ones only the
            beginning is compared; or `lzma`, for batches of any length.
        name: Name in tables.
    """

    compressor: Literal["gzip", "lzma"] = "gzip"
    name: str = field(default="gzip", init=False)

    def __post_init__(self) -> None:
        self.name = self.compressor

    def represent(self, texts: Sequence[str]) -> bytes:
        """The texts of the batch, one after the other, as UTF-8."""
        data = "\n".join(texts).encode()
        return data[: _WINDOW // 2] if self.compressor == "gzip" else data

    def distance(self, one: bytes, other: bytes) -> float:
        """(C(ab) - min(C(a), C(b))) / max(C(a), C(b)), the mean over both orders, cut to [0, 1]."""
        size = self._size
        alone = sorted((size(one), size(other)))
        together = (size(one + b"\n" + other) + size(other + b"\n" + one)) / 2
        return min(1.0, max(0.0, (together - alone[0]) / alone[1]))

    def _size(self, data: bytes) -> int:
        return len(_COMPRESSORS[self.compressor](data))


@dataclass
class NgramOverlap(PairwiseMeasure[Mapping[tuple[str, ...], float]]):
    """1 - the shared part of the n-grams of words and symbols (Ruzicka's weighted Jaccard index).

    Attributes:
        n: Length of the n-grams.
        name: Name in tables.
    """

    n: int = 2
    name: str = field(default="ngrams", init=False)

    def represent(self, texts: Sequence[str]) -> Mapping[tuple[str, ...], float]:
        """The relative frequency of each n-gram; n-grams do not cross from one text to the next."""
        counts: Counter[tuple[str, ...]] = Counter()
        for text in texts:
            words = _TOKEN.findall(text)
            counts.update(zip(*(words[i:] for i in range(self.n)), strict=False))
        total = counts.total()
        return {ngram: count / total for ngram, count in counts.items()}

    def distance(self, one: Mapping[tuple[str, ...], float], other: Mapping[tuple[str, ...], float]) -> float:
        """1 - sum of minima / sum of maxima of the frequencies; 1 where a batch has no n-gram."""
        shared = sum(min(share, other[ngram]) for ngram, share in one.items() if ngram in other)
        return 1 - shared / (2 - shared) if one and other else 1.0


@dataclass
class EmbeddingSimilarity(PairwiseMeasure[Vectors]):
    """The cosine distance between mean hidden states of a model.

    Attributes:
        probe: The language model.
        name: Name in tables.
    """

    probe: Probe
    name: str = field(default="embeddings", init=False)

    def represent(self, texts: Sequence[str]) -> Vectors:
        """The mean over texts of the mean over tokens of what the head reads, (D,)."""
        return text_vectors(self.probe, texts).mean(0)

    def distance(self, one: Vectors, other: Vectors) -> float:
        """Half of 1 - cos, so that opposite vectors have distance 1."""
        cosine = one @ other / (np.linalg.norm(one) * np.linalg.norm(other))
        return float(min(1.0, max(0.0, (1 - cosine) / 2)))


@dataclass
class VendiScore:
    """The Vendi score (Friedman and Dieng 2023): the effective number of different texts.

    It is the exponential of the entropy of the eigenvalues of K / n, K the kernel of cosines of hidden
    states. Of two sets the same entropy gives the Jensen-Shannon divergence of their kernels: that of both
    sets together, each with half the weight, less the mean of those of the sets. It is 0 for equal sets and
    log 2 for sets with nothing in common, and alignment is 1 - its share of log 2.

    Attributes:
        probe: The language model.
        centre_D: The mean hidden state, which is subtracted; without it all cosines of a language model's
            states are near 1. None for no centring.
        seed: Seed of the bootstrap.
        name: Name in tables.
    """

    probe: Probe
    centre_D: Vectors | None = None
    seed: int = 0
    name: str = field(default="vendi", init=False)

    def represent(self, texts: Sequence[str]) -> Vectors:
        """The unit vectors of the texts, (N, D)."""
        vectors_ND = text_vectors(self.probe, texts)
        if self.centre_D is not None:
            vectors_ND = vectors_ND - self.centre_D
        return vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True).clip(1e-12)

    def diversity(self, batches: Sequence[Vectors]) -> Interval:
        """The Vendi score of the texts of all batches, with an interval over batches.

        A resample has batches twice, so its score is lower: the interval is moved to the score's own place.
        """
        return self._estimate(lambda a, _: float(np.exp(entropy(_second_moment(a)))), batches, batches)

    def alignment(self, source: Sequence[Vectors], target: Sequence[Vectors]) -> Interval:
        """1 - the Jensen-Shannon divergence of the kernels of two sets, over log 2."""
        return self._estimate(_similarity, source, target)

    def _estimate(
        self,
        statistic: Callable[[Sequence[Vectors], Sequence[Vectors]], float],
        source: Sequence[Vectors],
        target: Sequence[Vectors],
    ) -> Interval:
        value = statistic(source, target)
        random = np.random.default_rng(derive_seed(self.seed, "vendi", len(source), len(target)))
        resampled_S = np.array(
            [
                statistic(
                    [source[i] for i in random.integers(len(source), size=len(source))],
                    [target[i] for i in random.integers(len(target), size=len(target))],
                )
                for _ in range(_VENDI_RESAMPLES)
            ]
        )
        return interval(value, resampled_S + value - resampled_S.mean())


def text_vectors(probe: Probe, texts: Sequence[str]) -> Vectors:
    """The mean hidden state of each text, (N, D)."""
    return np.stack([probe.hidden_states(ids).mean(0).double().cpu().numpy() for ids in probe.encode(texts)])


def entropy(moment_DD: Vectors) -> float:
    """The entropy of the eigenvalues of a matrix of trace 1, in nats."""
    eigenvalues = np.linalg.eigvalsh(moment_DD)
    kept = eigenvalues[eigenvalues > 1e-12]
    return float(-(kept * np.log(kept)).sum())


def _second_moment(batches: Sequence[Vectors]) -> Vectors:
    # X'X / n has the eigenvalues of the kernel XX' / n, and the size of the model, not of the set.
    vectors_ND = np.concatenate(batches)
    return vectors_ND.T @ vectors_ND / len(vectors_ND)


def _similarity(source: Sequence[Vectors], target: Sequence[Vectors]) -> float:
    one, other = _second_moment(source), _second_moment(target)
    divergence = entropy((one + other) / 2) - (entropy(one) + entropy(other)) / 2
    return 1 - divergence / float(np.log(2))
