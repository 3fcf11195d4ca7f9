"""A rate and its margin: none without ground, the more the sources differ the wider."""

import random

import pytest

from bec_core.admin.ratios import ratio, t95


def test_nothing_is_told_from_nothing():
    assert ratio([]) is None
    assert ratio([(0, 10), (0, 5)]) is None, "a rate of nothing is no rate"
    assert ratio([(5, 0)]) is None


def test_it_is_the_ratio_of_the_sums():
    found = ratio([(10, 1), (100, 100)])
    assert found.value == pytest.approx(110 / 101)
    assert found.margin is None, "two differ by who knows how much"


def test_alike_pairs_have_no_margin_and_unlike_ones_a_wide_one():
    assert ratio([(10, 5)] * 6).margin == pytest.approx(0)
    narrow, wide = ratio([(9, 5), (10, 5), (11, 5)]), ratio([(1, 5), (10, 5), (19, 5)])
    assert 0 < narrow.margin < wide.margin


def test_the_margin_holds_in_about_95_of_100_cases():
    chance = random.Random(1)
    within = 0
    for _ in range(400):
        pairs = [(chance.gauss(30, 6), 10.0) for _ in range(8)]
        found = ratio(pairs)
        within += abs(found.value - 3.0) <= found.margin
    assert 0.92 < within / 400 < 0.98


def test_students_t():
    assert t95(1) > t95(5) > t95(30) > t95(31) == 1.96
