"""Texts whose order of diversity and alignment is known."""

import random

WORDS = ["lemma", "proof", "nat", "group", "ring", "field", "order", "limit", "sum", "prime", "even", "odd"]
OTHER = [
    "tree",
    "river",
    "stone",
    "cloud",
    "horse",
    "apple",
    "bread",
    "chair",
    "north",
    "winter",
    "song",
    "lamp",
]


def sentences(words, num, seed, length=12):
    draw = random.Random(seed)
    return [" ".join(draw.choices(words, k=length)) for _ in range(num)]


def batches(texts, size=4):
    return [texts[i : i + size] for i in range(0, len(texts), size)]
