"""One setting: what it admits, what it says when it does not, and how a link spells it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pytest

from stability.i18n import speaking
from stability.page.settings import settings_matching
from stability.records.choice_list import MOST_ENTRIES, MOST_TEXT, ChoiceList
from stability.records.experiment import Experiment
from stability.records.knobs import Choice, Flag, Integer, Real, setting
from stability.records.pasted_network import PastedNetwork
from stability.records.product import Product
from stability.records.record import VERSION, Record
from stability.records.sweep import Sweep
from stability.records.view import View

FRUITS = {"apple": 1, "pear": 2, "fig": 3}


def fruit(text: str) -> str:
    if str(text).strip().lower() not in FRUITS:
        raise ValueError("one of " + ", ".join(FRUITS))
    return text.strip().lower()


@dataclass(frozen=True, repr=False)
class Basket(Record):
    """A record of one knob of each kind, with a pair that can disagree."""

    many: int = setting(3, Integer, "A", "Many", "How many.", low=1, high=9)
    weight: float = setting(0.5, Real, "A", "Weight", "How heavy.", low=0, high=2)
    ripe: bool = setting(False, Flag, "B", "Ripe", "Whether it is ripe.")
    best: str = setting("pear", Choice, "B", "Best", "Which is best.", rows=FRUITS)
    inside: tuple = setting(
        ("fig",),
        ChoiceList,
        "B",
        "Inside",
        "What is in it.",
        rows=FRUITS,
        canonical=fruit,
        identity=str,
        most=2,
    )

    @staticmethod
    def disagreements(settings) -> Iterator[tuple[str, str, object]]:
        if settings["weight"] > settings["many"]:
            yield "weight must be at most many", "weight", float(settings["many"])


@pytest.mark.parametrize("value", [1, 9, np.int64(4), np.uint8(7)])
def test_an_integer_takes_any_kind_of_whole_number_and_keeps_a_plain_one(value):
    assert type(Basket(many=value).many) is int


@pytest.mark.parametrize(
    "value", [0, 10, -1, 10**400, 3.0, 3.5, True, False, "3", None, math.nan, math.inf, [3], 3j]
)
def test_an_integer_refuses_what_is_no_whole_number_in_its_range(value):
    with pytest.raises(ValueError, match=r"^many must be a whole number from 1 to 9, not "):
        Basket(many=value)


@pytest.mark.parametrize("value", [0, 2, 1, 0.25, np.float32(0.5), np.int64(1)])
def test_a_real_takes_any_kind_of_number_and_keeps_a_plain_float(value):
    assert type(Basket(weight=value).weight) is float


@pytest.mark.parametrize(
    "value", [-1e-300, 2.0000001, math.nan, math.inf, -math.inf, 10**400, True, "1", None, [1], 1j]
)
def test_a_real_refuses_what_is_no_number_in_its_range(value):
    with pytest.raises(ValueError, match=r"^weight must be a number from 0 to 2, not "):
        Basket(weight=value)


def test_minus_zero_and_zero_are_one_setting():
    assert math.copysign(1, Basket(weight=-0.0).weight) == 1


@pytest.mark.parametrize("value", [0, 1, "true", None, 0.0])
def test_a_flag_refuses_what_is_neither_true_nor_false(value):
    with pytest.raises(ValueError, match=r"^ripe must be true or false, not "):
        Basket(ripe=value)


@pytest.mark.parametrize("text", ["true", "TRUE", " 1 ", "yes", "on"])
def test_a_link_may_spell_yes_in_several_ways(text):
    assert Basket.from_query({"ripe": text}) == (Basket(ripe=True), [])


@pytest.mark.parametrize("value", ["plum", "", None, 3, ["pear"], b"pear"])
def test_a_choice_refuses_what_is_no_row_and_lists_the_rows(value):
    with pytest.raises(ValueError, match=r"^best must be one of apple, pear, fig.*, not "):
        Basket(best=value)


def test_a_choice_forgives_capitals_and_spaces_and_suggests_the_nearest_row():
    assert Basket(best=" Apple ").best == "apple"
    with pytest.raises(ValueError, match=r"did you mean apple\?"):
        Basket(best="aple")


@pytest.mark.parametrize(
    "value", [(), [], ("plum",), "plum", None, {"fig"}, ("apple", "pear", "fig"), (None,), (3,)]
)
def test_several_refuses_what_is_no_short_sequence_of_rows(value):
    with pytest.raises(ValueError, match=r"^inside must be .*apple, pear, fig.*, not "):
        Basket(inside=value)


def test_several_drops_duplicates_and_keeps_the_order_of_first_appearance():
    assert Basket(inside=["fig", "Apple", "FIG", "apple"]).inside == ("fig", "apple")


def test_a_link_with_one_bad_entry_keeps_the_good_ones_and_names_the_bad_one():
    basket, notes = Basket.from_query({"inside": "apple,plum,fig"})
    assert basket.inside == ("apple", "fig")
    assert len(notes) == 1
    assert "inside" in notes[0]
    assert "“plum”" in notes[0]


def test_a_link_with_too_many_entries_keeps_the_first_ones_and_names_the_rest():
    basket, notes = Basket.from_query({"inside": "apple,pear,fig"})
    assert basket.inside == ("apple", "pear")
    assert len(notes) == 1
    assert "fig" in notes[0]


def test_where_two_settings_disagree_a_link_changes_the_later_one_and_python_raises():
    assert Basket.from_query({"weight": "2", "many": "1"})[0] == Basket(many=1, weight=1.0)
    assert len(Basket.from_query({"weight": "2", "many": "1"})[1]) == 1
    with pytest.raises(ValueError, match="weight must be at most many"):
        Basket(many=1, weight=2)


def test_a_link_spells_only_what_differs_from_the_defaults_and_its_version():
    assert Basket().to_query() == {"v": VERSION}
    changed = Basket(many=4, weight=0.25, ripe=True, best="fig", inside=("apple", "fig"))
    assert changed.to_query() == {
        "v": VERSION,
        "many": "4",
        "weight": "0.25",
        "ripe": "true",
        "best": "fig",
        "inside": "apple,fig",
    }


def test_the_version_of_a_link_is_never_remarked_upon():
    assert Basket.from_query({"v": "1"}) == (Basket(), [])


def test_one_string_is_one_entry():
    assert Basket(inside="Apple").inside == ("apple",)


def test_a_record_shows_only_what_differs_from_its_defaults():
    assert repr(Basket()) == "Basket()"
    assert repr(Basket(many=4, inside="apple")) == "Basket(many=4, inside=('apple',))"
    assert eval(repr(Basket(best="fig"))) == Basket(best="fig")


@pytest.mark.parametrize("record", [Experiment, Product, Sweep, View, PastedNetwork, Basket])
def test_every_default_is_legal_and_canonical_so_that_a_record_need_not_check_it(record):
    for name, knob in record.field_knobs().items():
        default = record.field_defaults()[name]
        assert (knob.check(default), type(knob.check(default))) == (default, type(default)), name


def test_every_field_of_a_record_carries_its_knob_in_order():
    assert list(Basket.knobs()) == [field.name for field in fields(Basket)]
    assert list(Basket().settings()) == list(Basket().knobs())


def test_of_a_very_long_list_only_the_beginning_is_read_and_the_visitor_is_told():
    read = []

    def entry(text: str) -> str:
        read.append(text)
        return fruit(text)

    knob = ChoiceList(
        group="", label="", help="", rows=FRUITS, canonical=entry, identity=str, most=3
    )
    value, sentences = knob.parse_leniently("fig," + "kiwi," * 10_000, ("pear",))
    assert value == ("fig",)
    assert sentences[-1] == f"Only the first {MOST_TEXT} characters were read."
    assert len(read) == MOST_ENTRIES
    read.clear()
    knob.legal_entries(["x" * 10**6] * 10**4)
    assert sum(map(len, read)) == MOST_ENTRIES * MOST_TEXT


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("lr", "learning_rate"), ("warmup", "warmup"), ("lr scheduler", "schedule"),
        ("cosine", "schedule"), ("warm up", "warmup"), ("eps", "epsilon"), ("beta1", "momentum"),
        ("bf16", "precision"),
        ("epochs", "steps"), ("kaiming", "schemes"), ("Glorot", "schemes"), ("sgd", "optimizer"),
        ("batchnorm", "normalization"), ("skip connection", "residual"), ("bs", "batch"),
        ("rate learn", "learning_rate"), ("gelu", "activation"), ("wd", "weight_decay"),
        ("normalize inputs", "input_scale"), ("unscaled", "input_scale"),
        ("pixels 0..255", "input_scale"), ("positive", "input_offset"), ("centre", "input_offset"),
        ("rand randn", "weight_mean"), ("positive weights", "weight_mean"),
        ("double softmax", "output_activation"), ("first loss", "readout_gain"),
        ("head", "readout_gain"), ("input layer", "first_gain"),
        ("rezero", "branch_scale"), ("post-norm", "norm_position"),
        ("negative_slope", "slope"),
        ("basic block", "branch_layers"), ("funnel", "taper"),
        ("vocabulary", "classes"), ("wrong labels", "label_noise"), ("long tail", "imbalance"),
        ("x^4", "exponent"), ("frequency", "periods"),
        ("normalize targets", "target_scale"), ("unscaled labels", "target_scale"),
    ],
)  # fmt: skip
def test_a_search_finds_a_setting_by_the_words_that_people_use(words, name):
    found = settings_matching(Experiment.knobs(), words)
    assert name in found
    assert len(found) <= 4


def test_a_search_looks_for_the_beginnings_of_words_and_may_find_nothing():
    assert not settings_matching(Experiment.knobs(), "bf17")
    assert not settings_matching(Experiment.knobs(), "ernel")


@pytest.mark.parametrize("record", [Experiment, Product])
def test_the_help_of_every_setting_is_at_least_a_sentence_that_says_more_than_its_label(record):
    for name, knob in record.knobs().items():
        assert knob.help.endswith("."), name
        assert len(knob.help.split()) >= 8, name


@pytest.mark.parametrize(
    ("words", "name"),
    [("步长", "learning_rate"), ("丢弃法", "dropout"), ("半精度", "precision"), ("lr", "warmup")],
)
def test_a_chinese_search_knows_chinese_words_and_english_ones(words, name):
    with speaking("zh"):
        assert name in settings_matching(Experiment.knobs(), words)


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("正态0.02", "normal:0.02"),
        ("高斯（0.02）", "normal:0.02"),
        ("N（0，0.02）", "normal:0.02"),
        ("常数：0.1", "constant:0.1"),
        ("全零", "zeros"),
        ("恺明", "he_normal"),
    ],
)
def test_a_scheme_is_known_by_its_chinese_names_in_every_language(text, scheme):
    assert Experiment(schemes=text).schemes == (scheme,)
