// Theorems to begin with: each is a whole file that ends with the statement to prove.

export const EXAMPLES = {
  "Zero on the right": "Lemma plus_zero (n : nat) : n + 0 = n.",
  "Conjunction commutes": "Lemma and_swap (A B : Prop) : A /\\ B -> B /\\ A.",
  "Double negation of the excluded middle": "Lemma not_not_em (P : Prop) : ~ ~ (P \\/ ~ P).",
  "Appending nothing": "Require Import List.\nImport ListNotations.\n\nLemma append_nil (A : Type) (l : list A) : l ++ [] = l.",
  "Length of an append":
    "Require Import List.\n\nLemma length_append (A : Type) (l m : list A) :\n  length (l ++ m) = length l + length m.",
  "A sum of integers": "Require Import ZArith Lia.\nOpen Scope Z_scope.\n\nLemma between (a b : Z) : a < b -> 2 * a + 1 < 2 * b.",
};
