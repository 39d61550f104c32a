"""Claims of lessons: comparisons of measured numbers, which are true or false of a run.

`claim_parser` has the language, `claim_quantities` the names.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stability.catalogues.schemes import scheme_title
from stability.course.claim_indices import EACH
from stability.course.claim_parser import Comparison, Quantity, Side, parse_comparisons
from stability.course.claim_prefix import PendingError, StreamPrefix
from stability.course.claim_quantities import CLAIM_QUANTITIES, ClaimQuantity
from stability.course.claim_sentences import ClaimSentence, Field, parse_sentence
from stability.engine.registry import Probe
from stability.engine.replicates import median_of_finite
from stability.engine.streams import Stream
from stability.i18n import _
from stability.text import capitalize_first, did_you_mean, number, quote, typographic_minus

NOT_YET = "…"  # in place of a number that is still to come
Term = tuple[ClaimQuantity, list[Any]]  # the meaning of a quantity, and of each of its indices


@dataclass(frozen=True)
class ClaimReading:
    """A claim in words with the numbers measured so far, medians over the replicates.

    Each of the `lines` is a comparison, with True if it holds. None stands for not known: a number
    is still to come, or the settings lack it. `why` says more. The `sentences`, if the claim has
    any, say the same lines in plain words.
    """

    lines: tuple[tuple[str, bool | None], ...]
    holds: bool | None
    why: str = ""
    sentences: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The reading in one paragraph."""
        return "; ".join(line for line, _true in self.lines) + (
            f". {self.why}" if self.why else "."
        )


@dataclass(frozen=True)
class ComparisonReader:
    """One comparison in the first measurements of a run, with the meanings of its quantities.

    `scheme` is the one that `each` stands for, "" if it is not asked of each.
    """

    comparison: Comparison
    sentence: ClaimSentence | None
    scheme: str
    terms: Mapping[Quantity, Term]
    prefix: StreamPrefix

    def holds(self) -> NDArray[np.bool_]:
        """Return True where it holds, for each replicate or for all."""
        return self.comparison.holds(self.value_of)

    def line(self) -> tuple[str, bool | None]:
        """Return the comparison in words, and True if it holds in every replicate."""
        try:
            holds = bool(self.holds().all())
        except PendingError:
            holds = None
        return self.comparison.in_words(self.phrase_of, self.total_of), holds

    def sentence_in_words(self) -> str:
        """Return the comparison as a sentence, "" if it has none."""
        if not self.sentence:
            return ""
        title = scheme_title(self.scheme) if self.scheme else ""
        return self.sentence.in_words(self.digits_of, title)

    def digits_of(self, field: Field) -> str:
        """Return a number within the sentence."""
        try:
            return field.in_digits(self.value_of)
        except PendingError:
            return NOT_YET

    def value_of(self, quantity: Quantity) -> Any:
        """Return the value of a quantity, for each replicate or for all."""
        meaning, numbers = self.terms[quantity]
        return meaning.value_of(self.prefix, *numbers)

    def phrase_of(self, quantity: Quantity) -> str:
        """Return a quantity with its value, and its step where that is not the one asked for."""
        meaning, numbers = self.terms[quantity]
        indices = zip(meaning.indices, numbers, strict=True)
        phrase = _(meaning.label) + "".join(
            kind.phrase(self.prefix.record, n) for kind, n in indices
        )
        if meaning.measurement and (asked := numbers[-1]) < self.prefix.count:
            step = meaning.measurement(self.prefix, asked).step
            if step < asked:
                taken = _(" (taken at step {step})") if step else _(" (taken before training)")
                phrase += taken.format(step=step)
        value = in_digits(lambda: self.value_of(quantity))
        return _("{quantity}: {value}").format(quantity=phrase, value=value)

    def total_of(self, side: Side) -> str:
        """Return the value of a side in three digits."""
        return in_digits(lambda: side.value(self.value_of))


def refusal_of_claim(error: ValueError) -> str:
    """Return an error as a sentence of its own."""
    return _("{clause}.").format(clause=capitalize_first(str(error)))


def in_digits(value: Callable[[], Any]) -> str:
    """Return a value in three digits, the median over the replicates."""
    try:
        values = np.ravel(value())
    except PendingError:
        return NOT_YET
    median = values[0] if len(values) == 1 else median_of_finite(values, axis=0)
    return typographic_minus(number(float(median)))


@dataclass(frozen=True)
class Claim:
    """One comparison or several that must all hold, as `parse_claim` reads them from `text`.

    There is a sentence for each comparison, or there are none.
    """

    text: str
    comparisons: tuple[Comparison, ...]
    sentences: tuple[ClaimSentence, ...] = ()

    def check_settings(self, record: Any) -> None:
        """Raise a ValueError that says what these settings lack that the claim speaks of."""
        list(self.cases(record))

    def probes(self, record: Any) -> list[Probe]:
        """Return what must be computed beside a run before the claim can be read."""
        names = [quantity.name for one in self.comparisons for quantity in one.quantities]
        needed = [CLAIM_QUANTITIES[name].probe for name in names]
        return list(dict.fromkeys(probe(record) for probe in needed if probe))

    def holds(self, stream: Stream[Any, Any], count: int | None = None) -> NDArray[np.bool_]:
        """Return for each replicate `(R,)` if the claim is true of the first `count` measurements.

        Without `count` all are read. ValueError if the settings lack a quantity, PendingError, also
        a ValueError, if one is still to come.
        """
        true = np.ones(stream.record.replicates, dtype=bool)
        for reader in self.readers(stream, count):
            true = true & reader.holds()
        return true

    def describe(self, stream: Stream[Any, Any], count: int | None = None) -> ClaimReading:
        """Return the claim in words, with the numbers of the first `count` measurements (all)."""
        try:
            self.check_settings(stream.record)
        except ValueError as error:
            return ClaimReading(((self.text, None),), None, refusal_of_claim(error))
        readers = list(self.readers(stream, count))
        lines = tuple(reader.line() for reader in readers)
        sentences = tuple(reader.sentence_in_words() for reader in readers if reader.sentence)
        try:
            true = self.holds(stream, count)
        except PendingError as error:
            return ClaimReading(lines, None, refusal_of_claim(error), sentences)
        some = true.any() and not true.all()
        why = _("It holds in {count} of {all} replicates.") if some else ""
        why = why.format(count=true.sum(), all=len(true))
        return ClaimReading(lines, bool(true.all()), why, sentences)

    def readers(self, stream: Stream[Any, Any], count: int | None) -> Iterator[ComparisonReader]:
        """Yield a reader for each comparison, with each scheme where it asks for that."""
        prefix = StreamPrefix(stream, len(stream.measurements) if count is None else count)
        return (ComparisonReader(*case, prefix) for case in self.cases(stream.record))

    def cases(
        self, record: Any
    ) -> Iterator[tuple[Comparison, ClaimSentence | None, str, dict[Quantity, Term]]]:
        """Yield the comparisons with their sentences, the scheme that `each` is, and their terms.

        ValueError where the settings lack one.
        """
        for comparison, sentence in zip_longest(self.comparisons, self.sentences):
            quantities = [*comparison.quantities, *(sentence.quantities if sentence else ())]
            texts = {text for quantity in quantities for text, _ in quantity.indices}
            for scheme in getattr(record, "schemes", ("",)) if EACH in texts else ("",):
                terms = {one: term_of(one, record, scheme) for one in quantities}
                yield comparison, sentence, scheme, terms


def parse_claim(text: str, sentences: Sequence[str] = ()) -> Claim:
    """Read a claim, with or without a sentence for each comparison.

    ValueError names the column, and what is legal there, or the sentence that is wrong.
    """
    claim = Claim(text.strip(), parse_comparisons(text), tuple(map(parse_sentence, sentences)))
    for comparison in claim.comparisons:
        for quantity in comparison.quantities:
            resolve(quantity)
    if sentences and len(sentences) != len(claim.comparisons):
        count = len(claim.comparisons)
        raise ValueError(f"a sentence for each of {count} comparisons, not {len(sentences)}")
    for comparison, sentence in zip(claim.comparisons, claim.sentences, strict=False):
        check_sentence(comparison, sentence)
    return claim


def check_sentence(comparison: Comparison, sentence: ClaimSentence) -> None:
    """Raise a ValueError unless the sentence gives every measured number of the comparison.

    So no sentence can leave out a number that decides. Those without an index, such as the width or
    the loss of guessing, are settled before any measurement.
    """

    def measured(part: Comparison | ClaimSentence) -> set[tuple[str | int, ...]]:
        found = ((resolve(quantity), quantity.name) for quantity in part.quantities)
        return {(name, *indices) for (_, indices), name in found if indices}

    for name, *indices in sorted(measured(comparison) - measured(sentence), key=str):
        written = "".join(f"[{index}]" for index in indices)
        raise ValueError(f"a sentence does not give {name}{written}")
    if any(EACH in one for one in measured(comparison)) and None not in sentence.parts:
        raise ValueError(f"a sentence about {EACH} scheme must name it by {{{EACH}}}")


def resolve(quantity: Quantity) -> tuple[ClaimQuantity, list[str | int]]:
    """Return what a name means, and its indices, with the defaults of those not written."""
    if quantity.name not in CLAIM_QUANTITIES:
        near = did_you_mean(quantity.name, CLAIM_QUANTITIES)
        raise ValueError(
            f"column {quantity.column}: nothing is called {quote(quantity.name)}{near}"
        )
    meaning, written = CLAIM_QUANTITIES[quantity.name], quantity.indices
    if len(written) > len(meaning.indices):
        _text, column = written[len(meaning.indices)]
        raise ValueError(f"column {column}: {usage(meaning)}")
    indices: list[str | int] = []
    for kind, (text, column) in zip(meaning.indices, written, strict=False):
        try:
            indices.append(kind.read(text))
        except ValueError as error:
            raise ValueError(f"column {column}: {error}") from None
    for kind in meaning.indices[len(written) :]:
        if kind.default is None:
            raise ValueError(f"column {quantity.column}: {usage(meaning)}")
        indices.append(kind.default)
    return meaning, indices


def usage(meaning: ClaimQuantity) -> str:
    """Return how a name is written, in a sentence."""
    if not meaning.indices:
        return f"{meaning.name} takes no index"
    written = meaning.name
    for kind in meaning.indices:
        written += f"[{kind.noun}]" + (" or without it" if kind.default else "")
    return f"{meaning.name} is written {written}"


def term_of(quantity: Quantity, record: Any, scheme: str) -> Term:
    """Return the meaning of a quantity in these settings, `scheme` standing for `each`.

    ValueError where the settings lack it.
    """
    meaning, indices = resolve(quantity)
    if not isinstance(record, meaning.record):
        sentence = _("this claim speaks of the {quantity}, which {settings} does not have")
        raise ValueError(sentence.format(quantity=_(meaning.label), settings=_(record.noun)))
    return meaning, [
        kind.resolve(record, scheme if index == EACH else index, _(meaning.label))
        for kind, index in zip(meaning.indices, indices, strict=True)
    ]
