"""The settings of the Train bench and its link: laws over what its knobs admit and refuse."""

import dataclasses
import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability import text
from stability.catalogues.schemes import SCHEMES, parse_scheme
from stability.records.choice_list import ChoiceList
from stability.records.experiment import Experiment
from stability.records.knobs import Choice, Flag, Integer, Knob, Number, Real
from stability.text import exact_number

KNOBS = Experiment.knobs()
PROMISED = {
    "depth": (1, 101),
    "width": (2, 1024),
    "features": (1, 1024),
    "samples": (64, 4096),
    "batch": (1, 1024),
    "steps": (1, 20000),
    "replicates": (1, 16),
}


def scheme_texts() -> st.SearchStrategy[str]:
    """Every family, also with any legal value, spelled in the ways that people spell numbers."""
    families = {
        key: row for key, row in SCHEMES.items() if row.value is not None and not row.integer_value
    }
    spelled = st.sampled_from([repr, "{:e}".format, "{:+.3f}".format, "{:.17g}".format])
    counts = st.builds(
        "{}:{}".format,
        st.sampled_from([key for key, row in SCHEMES.items() if row.integer_value]),
        st.integers(1, 10**6),
    )
    return (
        st.sampled_from(list(SCHEMES))
        | counts
        | st.builds(
            lambda key, spell, number: (
                f"{key}:{spell(number if families[key].low < 0 else abs(number))}"
            ),
            st.sampled_from(list(families)),
            spelled,
            st.floats(-1e6, 1e6),
        )
    )


def legal(knob: Knob) -> st.SearchStrategy:
    """Values that a knob admits, made from the knob itself."""
    match knob:
        case Integer():
            return st.integers(knob.low, knob.high)
        case Real():
            return st.floats(knob.low, knob.high)
        case Flag():
            return st.booleans()
        case Choice():
            return st.sampled_from(list(knob.rows))
        case ChoiceList():
            return st.lists(scheme_texts(), min_size=1, max_size=knob.most)
    raise TypeError(f"no strategy for {knob}")


def agreed(settings: dict) -> dict:
    """The settings with every disagreement resolved, as a link would."""
    for _, name, value in Experiment.disagreements(settings):
        settings[name] = value
    return settings


def experiments() -> st.SearchStrategy[Experiment]:
    """Any legal experiment; about half of the settings at their defaults, as in a link."""
    mixed = {
        name: st.just(getattr(Experiment(), name)) | legal(knob) for name, knob in KNOBS.items()
    }
    return st.fixed_dictionaries(mixed).map(lambda settings: Experiment(**agreed(settings)))


def texts() -> st.SearchStrategy[str]:
    """Any text, numbers out of bounds or nearly numbers, and legal values cut or joined."""
    odd = [
        "",
        " ",
        ",",
        ",,",
        ":",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "-0",
        "0x10",
        "1_0",
        "１２",
        "True",
        "none",
        "normal:",
        "v",
    ]
    parts = st.sampled_from(
        [*SCHEMES, "normal:0.02", "normal:x", "zeros:1", "orthogonal:-1", "", "relu", "adam"]
    )
    return st.one_of(
        st.text(),
        st.sampled_from(odd),
        st.integers().map(str),
        st.floats().map(str),
        st.lists(parts).map(",".join),
        st.text(alphabet=string.printable, max_size=2000),
    )


@given(experiments())
def test_a_link_reads_back_as_the_experiment_that_spelled_it(experiment):
    assert Experiment.from_query(experiment.to_query()) == (experiment, [])


@given(experiments())
def test_a_link_is_spelled_with_plain_characters_only(experiment):
    plain = set(
        string.ascii_lowercase + string.digits + "_.,:-"
    )  # no + : a link would read it as a space
    assert all(set(text) <= plain for pair in experiment.to_query().items() for text in pair)


@given(experiments())
def test_equal_settings_are_equal_experiments_with_equal_hashes(experiment):
    again = Experiment(**experiment.settings())
    assert again == experiment
    assert hash(again) == hash(experiment)


@given(st.dictionaries(st.text() | st.sampled_from([*KNOBS, "v"]), texts()))
def test_any_mangled_link_opens_and_names_every_key_that_it_could_not_take(query):
    experiment, notes = Experiment.from_query(query)
    overruled = {name for _, name, _ in Experiment.disagreements(settings_read(query))}
    for key, spelled in query.items():
        if (
            key in KNOBS
            and key not in overruled
            and getattr(experiment, key) == parse_or_none(key, spelled)
        ):
            continue
        if key != "v":
            assert any(
                (key in note) if key in KNOBS else (text.quote(key) in note) for note in notes
            )
    assert all(note.endswith((".", "?")) and "\n" not in note for note in notes)


@given(st.dictionaries(st.text() | st.sampled_from([*KNOBS, "v"]), texts()))
def test_what_a_mangled_link_opened_is_an_experiment_with_a_link_of_its_own(query):
    experiment, _ = Experiment.from_query(query)
    assert Experiment.from_query(experiment.to_query()) == (experiment, [])


def parse_or_none(key: str, text: str):
    """The meaning of a text for a knob, None where it means nothing."""
    try:
        return KNOBS[key].parse(text)
    except ValueError:
        return None


def settings_read(query: dict[str, str]) -> dict:
    """The settings before disagreements are resolved."""
    read_so_far = {
        key: value
        for key, text in query.items()
        if key in KNOBS and (value := parse_or_none(key, text)) is not None
    }
    return Experiment().settings() | read_so_far


@pytest.mark.parametrize("name", KNOBS)
def test_a_bad_value_is_refused_by_a_sentence_with_the_field_the_value_and_what_is_legal(name):
    bad = object()
    with pytest.raises(ValueError, match=f"^{name} must be ") as caught:
        dataclasses.replace(Experiment(), **{name: bad})
    assert text.quote(bad) in str(caught.value)
    assert KNOBS[name].legal_values() in str(caught.value)


@pytest.mark.parametrize("name", [name for name, knob in KNOBS.items() if isinstance(knob, Number)])
def test_a_number_is_taken_up_to_its_bounds_and_refused_beyond_them(name):
    knob = KNOBS[name]
    for bound, beyond in (
        (knob.low, math.nextafter(knob.low, -math.inf)),
        (knob.high, math.nextafter(knob.high, math.inf)),
    ):
        further = bound + (1 if beyond > bound else -1) if isinstance(knob, Integer) else beyond
        assert getattr(Experiment(**agreed(Experiment().settings() | {name: bound})), name) == bound
        with pytest.raises(ValueError, match=f"^{name} must be .* to .*, not "):
            Experiment(**{name: further})


@pytest.mark.parametrize("name", PROMISED)
def test_the_promised_range_of_a_setting_is_legal(name):
    low, high = PROMISED[name]
    assert KNOBS[name].low <= low
    assert KNOBS[name].high >= high


def test_a_batch_larger_than_the_samples_is_refused_in_python_and_cut_in_a_link():
    with pytest.raises(ValueError, match=r"^batch must be at most samples \(100\), not 128"):
        Experiment(samples=100, batch=128)
    experiment, notes = Experiment.from_query({"batch": "128", "samples": "100"})
    assert (experiment.samples, experiment.batch) == (100, 100)
    assert len(notes) == 1
    assert "batch" in notes[0]
    assert "128" in notes[0]


def test_widths_fall_by_equal_ratios_from_the_first_hidden_layer_to_the_last():
    widths = [layer.fan_out for layer in Experiment(depth=6, width=512, taper=16).layers[:-1]]
    assert widths == [512, 256, 128, 64, 32]
    assert all(width == 2 for width in Experiment(depth=9, width=2, taper=64).hidden_widths)
    odd = Experiment(depth=5, width=21, taper=2.5).hidden_widths
    assert odd[0] == 21
    assert all(width % 2 == 0 for width in odd[1:])
    assert [*odd] == sorted(odd, reverse=True)
    assert Experiment(depth=2, taper=8.0).layers == Experiment(depth=2).layers


def test_residual_connections_ask_for_layers_of_one_width():
    with pytest.raises(ValueError, match=r"^taper must be 1 with residual connections, not 4"):
        Experiment(residual=True, taper=4)
    experiment, notes = Experiment.from_query({"residual": "true", "taper": "4"})
    assert (experiment.residual, experiment.taper) == (True, 1)
    assert len(notes) == 1


def test_an_experiment_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Experiment().depth = 3


def test_the_defaults_of_the_first_version_stand():
    assert Experiment() == Experiment(
        schemes=("he_normal", "xavier_normal", "normal:1"),
        activation="relu",
        slope=0.01,
        w0=30.0,
        depth=20,
        width=64,
        residual=False,
        taper=1.0,
        branch_layers=1,
        branch_scale="one",
        normalization="none",
        norm_position="inside",
        dropout=0.0,
        bias_std=0.0,
        output_activation="none",
        weight_mean=0.0,
        first_gain=1.0,
        readout_gain=1.0,
        dataset="blobs",
        features=32,
        samples=1024,
        noise=0.1,
        classes=10,
        imbalance=1.0,
        label_noise=0.0,
        exponent=4,
        periods=2,
        input_scale=1.0,
        input_offset=0.0,
        target_scale=1.0,
        target_offset=0.0,
        optimizer="sgd",
        learning_rate=0.02,
        warmup=0,
        schedule="constant",
        momentum=0.9,
        epsilon=1e-8,
        batch=64,
        steps=300,
        clip=0.0,
        weight_decay=0.0,
        precision="float32",
        replicates=1,
        seed=0,
    )


@pytest.mark.parametrize(
    "spelled",
    [
        "normal:1e-2",
        "normal:0.010",
        " NORMAL:.01",
        "normal:+1E-2",
        "Normal: 0.01 ",
        "Normal 0.01",
        "N(0, 0.01)",
        "n(0,1e-2)",
        "N(0, 0.01²)",
        "Gaussian 0.01",
        "normal(std=0.01)",
    ],
)
def test_the_value_of_a_scheme_is_canonical(spelled):
    assert Experiment(schemes=(spelled,)).schemes == ("normal:0.01",)


@given(scheme_texts())
def test_the_canonical_spelling_of_a_scheme_is_its_own_canonical_spelling(text):
    assert parse_scheme(parse_scheme(text).key).key == parse_scheme(text).key


@given(st.lists(scheme_texts(), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_same_scheme_spelled_twice_counts_once(texts, random):
    doubled = [*texts, *random.sample(texts, k=len(texts))]
    assert Experiment(schemes=doubled, residual=True) == Experiment(schemes=texts, residual=True)


@pytest.mark.parametrize(
    ("key", "row"), [(key, row) for key, row in SCHEMES.items() if row.value is not None]
)
def test_a_family_and_the_family_with_its_default_value_are_one_scheme(key, row):
    spelled = f"{key}:{exact_number(row.value)}"
    assert Experiment(schemes=(key, spelled)).schemes == (key,)
    assert Experiment(schemes=(spelled, key)).schemes == (spelled,)
    assert parse_scheme(spelled).value == row.value


@pytest.mark.parametrize(
    "text",
    [
        "hee",
        "norml",
        "",
        "normal:",
        "normal:nan",
        "normal:-1",
        "normal:1e7",
        "zeros:1",
        "he_normal:2",
    ],
)
def test_a_scheme_that_cannot_be_read_is_named_with_what_is_legal(text):
    with pytest.raises(ValueError, match=r"^schemes must be ") as caught:
        Experiment(schemes=("he_normal", text))
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("spelled", "key"),
    [
        ("He", "he_normal"), ("kaiming", "he_normal"), ("kaiming_uniform", "he_uniform"),
        ("nn.init.kaiming_normal_", "he_normal"), ("kaiming fan-out", "he_fan_out"),
        ("xavier", "xavier_normal"), ("Glorot uniform", "xavier_uniform"),
        ("Xavier initialization", "xavier_normal"), ("orthogonal 1.4", "orthogonal:1.4"),
        ("U(-0.1, 0.1)", "uniform:0.1"), ("default", "pytorch"), ("Constant −2", "constant:-2"),
        *((row.title, key) for key, row in SCHEMES.items() if row.value is None),
    ],
)  # fmt: skip
def test_a_scheme_has_the_names_that_people_type(spelled, key):
    assert Experiment(schemes=spelled, residual=True).schemes == (key,)


def test_commas_within_parentheses_do_not_part_the_schemes_of_a_link():
    experiment, notes = Experiment.from_query({"schemes": "N(0,0.02),He (fan out),U(-1,1)"})
    assert experiment.schemes == ("normal:0.02", "he_fan_out", "uniform:1")
    assert experiment.to_query()["schemes"] == "normal:0.02,he_fan_out,uniform:1"
    assert notes == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kaimin", "No initialization is called “kaimin”; it was left out. "
         "Did you mean He (normal)?"),
        ("0.02", "No initialization is called “0.02”; it was left out. "
         "Did you mean Normal 0.02 or Orthogonal 0.02?"),
        ("zzz", "No initialization is called “zzz”; it was left out. The list has all of them."),
        ("xavier:2", "Xavier (normal) is written without a value, so “xavier:2” was left out."),
        ("normal:-1", "Normal is written with a standard deviation from 0 to 1e6, "
         "as in normal:0.01, so “normal:-1” was left out."),
    ],
)  # fmt: skip
def test_a_link_says_once_which_scheme_it_left_out_and_which_are_meant(text, sentence):
    experiment, notes = Experiment.from_query({"schemes": f"{text},zeros,{text}"})
    assert experiment.schemes == ("zeros",)
    assert notes == [f"schemes: {sentence}"]
    shown = "schemes: He (normal), Xavier (normal) and Normal 1 are shown instead."
    assert Experiment.from_query({"schemes": text}) == (Experiment(), [*notes, shown])


def test_nine_schemes_are_one_too_many_in_python_and_cut_in_a_link():
    nine = [f"normal:{number}" for number in range(1, 10)]
    with pytest.raises(ValueError, match=r"^schemes must be 1 to 8 of"):
        Experiment(schemes=nine)
    experiment, notes = Experiment.from_query({"schemes": ",".join(nine)})
    assert experiment.schemes == tuple(nine[:8])
    assert len(notes) == 1
    assert "normal:9" in notes[0]


@given(experiments())
def test_the_layers_lead_from_the_features_to_the_outputs_through_the_width(experiment):
    layers = experiment.layers
    sizes = [layers[0].fan_in, *(layer.fan_out for layer in layers)]
    assert sizes[0] == experiment.dataset_row.input_dimension(experiment.features)
    if experiment.taper == 1:
        assert sizes[1:-1] == [experiment.width] * (experiment.depth - 1)
    assert sizes[-1] == experiment.dataset_row.outputs
    assert [layer.index for layer in layers] == list(range(1, experiment.depth + 1))
    assert [layer.fan_in for layer in layers[1:]] == sizes[1:-1]
