"""The first replicate's matrices before and after, as the book prints them: HTML that takes its colours from the page."""

from dataclasses import replace

import numpy as np

from stability.engine.products import ScientificMatrix, end_matrices
from stability.records.product import Product

CORNER = 4  # rows and columns that are printed
MOST_OPERATIONS, OPERATIONS_PER_DRAW = 2**33, 800  # operations that what is printed may take, half a second; and those of drawing a number
POWERS_WITHOUT_FACTOR = range(-1, 4)  # powers of ten of the largest entry that need no factor before the matrix
MATRICES_CSS = """<style>
.matrices { display: flex; flex-wrap: wrap; gap: 0.5rem 2.5rem; font-size: 0.875rem; }
.matrices figure { margin: 0; max-width: 100%; overflow-x: auto; }
.matrices figcaption { opacity: 0.75; margin-bottom: 0.25rem; }
.matrices .scaled { display: flex; align-items: center; gap: 0.5rem; white-space: nowrap; }
.matrices table { border: 0 solid; border-width: 0 1.5px; border-radius: 0.4rem; border-collapse: separate; margin: 0; }
.matrices td { border: 0; padding: 0.1rem 0.5rem; text-align: right; font-variant-numeric: tabular-nums; }
</style>"""


def matrices_html(product: Product) -> str:
    """The first matrix and the product after all further factors, or as many as take no long; of large ones the corner."""
    shown, further = product_to_print(product), f"further factor{'s' * (product.count > 1)}"
    found, of = end_matrices(shown), f" of {product.count}" * (shown.count < product.count)
    parts = (("The first matrix", found.first), (f"After {shown.count}{of} {further}", found.last))
    return f"{MATRICES_CSS}<div class='matrices'>{''.join(matrix_figure(caption, matrix) for caption, matrix in parts)}</div>"


def product_to_print(product: Product) -> Product:
    """The product of fewer factors, where all of them would take too long."""
    n = product.n
    each = n**2 * (2 * n + OPERATIONS_PER_DRAW) + product.family_row.making_operations(n)
    return replace(product, count=min(product.count, MOST_OPERATIONS // each))


def matrix_figure(caption: str, matrix: ScientificMatrix) -> str:
    n = len(matrix.mantissa)
    corner = f", its first {CORNER} rows and columns of {n}" if n > CORNER else ""
    plain = matrix.power in POWERS_WITHOUT_FACTOR
    factor = "" if plain else f"<span>10<sup>{with_typographic_minus(str(matrix.power))}</sup> ×</span>"
    rows = entry_texts(matrix.mantissa * 10.0**matrix.power if plain else matrix.mantissa)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<figure><figcaption>{caption}{corner}</figcaption><div class='scaled'>{factor}<table>{body}</table></div></figure>"


def entry_texts(matrix: np.ndarray) -> list[list[str]]:
    """Texts of four decimals, with dots for what is left out."""
    rows = [[with_typographic_minus(f"{value:.4f}") for value in row[:CORNER]] for row in matrix[:CORNER]]
    if len(matrix) > CORNER:
        rows = [*([*row, "…"] for row in rows), ["⋮"] * CORNER + ["⋱"]]
    return rows


def with_typographic_minus(text: str) -> str:
    """With a minus as wide as a digit; nothing that was rounded to 0 has one."""
    return text.replace("-", "−") if any(letter in "123456789" for letter in text) else text.removeprefix("-")
