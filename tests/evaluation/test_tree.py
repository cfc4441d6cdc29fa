from ntp.evaluation.tree import proof_tree, prune
from ntp.types import Crashed, Proved, Reached, Tactic, TacticError, Timeout, Transition


def step(state, tactic, outcome):
    return Transition(state, Tactic(tactic, log_prob=-1.0), outcome)


def test_states_with_the_same_key_are_one_node(state_of):
    root, middle = state_of(0, "P"), state_of(1, "Q")
    again = state_of(2, "Q")  # reached by another tactic, under another handle
    tree = proof_tree(
        [
            step(root, "cbn", Reached(middle)),
            step(middle, "auto", Proved()),
            step(root, "simpl", Reached(again)),
            step(again, "lia", TacticError("Not linear.")),
            step(root, "cbn", Reached(state_of(3, "Q"))),
            step(root, "loop", Timeout("1 s")),
            step(root, "loop", Reached(state_of(4, "R"))),
            step(state_of(4, "R"), "easy", Proved()),
            step(root, "boom", Crashed("killed")),
        ]
    )
    assert [(n.parent, n.tactic, n.outcome, n.merged_into, n.num_tries) for n in tree.nodes] == [
        (-1, "", "reached", -1, 1),
        (0, "cbn", "reached", -1, 2),
        (1, "auto", "proved", -1, 1),
        (0, "simpl", "reached", 1, 1),
        (1, "lia", "error", -1, 1),
        (0, "loop", "timeout", -1, 1),
        (0, "loop", "reached", -1, 1),
        (6, "easy", "proved", -1, 1),
        (0, "boom", "crashed", -1, 1),
    ]
    assert tree.nodes[1].text == "n : nat\n⊢ Q"
    assert tree.nodes[4].text == "Not linear."
    assert tree.children()[0] == [1, 3, 5, 6, 8]


def test_no_transitions_give_an_empty_tree():
    assert proof_tree([]).nodes == ()
    assert proof_tree([]).children() == []


def test_long_texts_are_cut_and_marked(state_of):
    tree = proof_tree([step(state_of(0, "x" * 5000), "auto", Proved())], max_chars=100)
    assert len(tree.nodes[0].text) < 150
    assert tree.nodes[0].text.endswith("more characters)")


def test_pruning_keeps_the_path_to_every_proof_and_counts_omitted_nodes(state_of):
    states = [state_of(i, f"goal {i}") for i in range(4)]
    steps = [step(states[0], f"bad{i}", TacticError("no")) for i in range(50)]
    steps += [step(states[i], f"t{i}", Reached(states[i + 1])) for i in range(3)]
    steps += [step(states[3], "auto", Proved())]
    tree = proof_tree(steps, max_nodes=8)
    assert len(tree.nodes) == 8
    assert tree.num_left_out == 55 - 8
    assert [n.tactic for n in tree.nodes] == ["", "bad0", "bad1", "bad2", "t0", "t1", "t2", "auto"]
    assert [n.parent for n in tree.nodes] == [-1, 0, 0, 0, 0, 4, 5, 6]
    again = prune(tree, 5)
    assert [n.tactic for n in again.nodes] == ["", "t0", "t1", "t2", "auto"]
    assert again.num_left_out == 50
