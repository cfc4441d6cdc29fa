from xml.etree import ElementTree

import pytest

from ntp.evaluation.plots import all_plots, method_colours


@pytest.fixture
def groups(result_of):
    return {
        "one_shot": [result_of(n, "one_shot", successes=[True], independent=False) for n in "ab"],
        "sft": [result_of(n, "sft", successes=[True, False, True, False]) for n in "ab"],
    }


def test_plots_are_svg_with_every_method_and_no_requests(groups):
    for svg in all_plots(groups).values():
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg")
        assert "one_shot" in svg
        assert "sft" in svg
        assert "<image" not in svg
        assert "currentColor" in svg


def test_plots_are_a_function_of_the_results(groups):
    assert all_plots(groups) == all_plots(groups)


def test_plots_of_unsolved_theorems(result_of):
    empty = {"sft": [result_of("a", "sft"), result_of("b", "sft")]}
    for svg in all_plots(empty).values():
        ElementTree.fromstring(svg)


def test_a_method_has_one_colour():
    colours = method_colours(["a", "b", "c"])
    assert len(set(colours.values())) == 3
    assert method_colours(["a"])["a"] == colours["a"]
