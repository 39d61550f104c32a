"""Numbers are spelled alike everywhere, and read back as themselves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability import text

finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (2.8123, "2.81"),
        (1234.5, "1230"),
        (-0.5, "-0.5"),
        (1e-4, "0.0001"),
        (1.2e-5, "1.2e-5"),
        (999_499, "999000"),
        (999_999, "1e6"),
        (1.234e24, "1.23e24"),
        (1e300, "1e300"),
        (math.inf, "inf"),
        (math.nan, "NaN"),
    ],
)
def test_a_measured_number_has_three_digits_and_a_short_exponent(value, expected):
    assert text.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.8123, "2.8"),
        (4e-9, "4e-9"),
        (1.2e14, "1e14"),
        (0, "0"),
        (1234.5, "1200"),
        (2.3e5, "230000"),
        (3e-15, "1e-15"),
        (math.inf, "inf"),
    ],
)
def test_a_rough_number_has_two_digits_or_is_only_an_order(value, expected):
    assert text.rough_number(value) == expected


def test_of_many_sentences_the_first_few_are_shown_and_the_others_counted():
    assert text.first_few(["a", "b"], 2) == ["a", "b"]
    assert text.first_few(["a", "b", "c"], 2) == ["a", "b", "And 1 more."]


@given(finite, st.integers(1, 6))
def test_a_number_reads_back_as_itself_to_its_digits(value, digits):
    assert float(text.number(value, digits)) == float(f"{value:.{digits}g}")


@given(finite)
def test_an_exact_number_reads_back_as_the_same_number(value):
    assert float(text.exact_number(value)) == value
    assert not text.exact_number(value).endswith(".0")


def test_a_small_exact_number_has_no_empty_digit_in_its_power():
    assert [text.exact_number(value) for value in (1e-5, 2.5e-7, -1e-12)] == [
        "1e-5", "2.5e-7", "-1e-12",
    ]  # fmt: skip


def test_a_large_exact_number_is_a_power_of_ten_not_a_row_of_zeros():
    exact = [text.exact_number(value) for value in (3.5e14, -1e6, 1234567.0, 999999.0, math.inf)]
    assert exact == ["3.5e14", "-1e6", "1234567", "999999", "inf"]


@pytest.mark.parametrize(
    ("exponent", "expected"),
    [(0.243, "1.75"), (-2.5, "0.00316"), (24.34, "10^24.3"), (-3, "10^-3.0")],
)
def test_a_number_known_by_its_logarithm_is_plain_where_that_is_short(exponent, expected):
    assert text.number_of_log10(exponent) == expected
    assert text.power_of_ten(-0.01) == "10^0.0"


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0, "none"),
        (0.004, "less than 1 %"),
        (0.47, "47 %"),
        (0.995, "more than 99 %"),
        (1 - 1e-9, "100 %"),
        (1, "100 %"),
    ],
)
def test_only_nothing_is_written_as_none_and_only_all_as_everything(share, expected):
    assert text.share_in_words(share) == expected


def test_formulas_charts_and_tables_spell_the_same_numbers_in_their_own_signs():
    assert text.latex_number(1234.5) == "1230"
    assert text.latex_number(-1.23e-7) == r"-1.23 \cdot 10^{-7}"
    assert text.superscript_powers("norm 10^-5.9, at most 10^3") == "norm 10⁻⁵·⁹, at most 10³"
    assert text.typographic_minus("-1e-5") == "−1e−5"
    assert text.typographic_minus("-0.0000") == "0.0000"


def test_words_and_layers_are_listed_as_in_a_sentence():
    listed = [text.join_words(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])]
    assert listed == ["", "a", "a and b", "a, b and c"]
    assert text.join_words(["a", "b"], "or") == "a or b"
    assert text.capitalize_first("xor, then ReLU") == "Xor, then ReLU"
    assert text.layer_range([3]) == "layer 3"
    assert text.layer_range([1, 2, 3]) == "layers 1 to 3"
    assert text.layer_range([2, 5, 9]) == "3 layers between 2 and 9"


def test_a_key_that_is_nearly_right_is_suggested():
    assert text.did_you_mean("relo", ["relu", "tanh"]) == " (did you mean relu?)"
    assert text.did_you_mean("zzz", ["relu", "tanh"]) == text.did_you_mean(None, ["relu"]) == ""


@given(st.text())
def test_the_number_in_any_text_is_finite_or_missing(written):
    assert not math.isinf(text.parse_number(written))


@given(st.text(max_size=200) | st.binary(max_size=200) | finite | st.none())
def test_a_value_is_quoted_on_one_short_line(value):
    assert len(text.quote(value)) <= 60
    assert "\n" not in text.quote(value)
