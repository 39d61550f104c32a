"""The first replicate's matrices before and after the product, as the book prints them, in HTML."""

from dataclasses import replace

import numpy as np

from stability.engine.products import ScientificMatrix, end_matrices
from stability.records.product import Product
from stability.text import typographic_minus

CORNER = 4  # rows and columns that are printed
MOST_OPERATIONS = 2**33  # that printing may take: half a second
OPERATIONS_PER_DRAW = 800  # of a random number
POWERS_WITHOUT_FACTOR = range(-1, 4)  # of ten, of the largest entry: no factor before the matrix


def matrices_html(product: Product) -> str:
    """Return the first matrix and the whole product; of large matrices the first rows and columns.

    If all factors would take too long, fewer are multiplied, and the caption says so.
    """
    printed = product_to_print(product)
    factors = "further factor" if product.count == 1 else "further factors"
    if printed.count < product.count:
        factors = f"of {product.count} {factors}"
    ends = end_matrices(printed)
    first = matrix_figure("The first matrix", ends.first)
    last = matrix_figure(f"After {printed.count} {factors}", ends.last)
    return f"<div class='matrices'>{first}{last}</div>"


def product_to_print(product: Product) -> Product:
    """Return the product of as many factors as can be multiplied in half a second."""
    n = product.n
    operations = n**2 * (2 * n + OPERATIONS_PER_DRAW) + product.family_row.making_operations(n)
    return replace(product, count=min(product.count, MOST_OPERATIONS // operations))


def matrix_figure(caption: str, matrix: ScientificMatrix) -> str:
    """Return one matrix with its caption, and a power of ten before it if it needs one."""
    n, factor, entries = len(matrix.mantissa), "", matrix.mantissa
    if n > CORNER:
        caption = f"{caption}, its first {CORNER} rows and columns of {n}"
    if matrix.power in POWERS_WITHOUT_FACTOR:
        entries = matrix.mantissa * 10.0**matrix.power
    else:
        factor = f"<span>10<sup>{typographic_minus(str(matrix.power))}</sup> ×</span>"
    rows = [
        f"<tr>{''.join(f'<td>{text}</td>' for text in row)}</tr>" for row in entry_texts(entries)
    ]
    return (
        f"<figure><figcaption>{caption}</figcaption>"
        f"<div class='scaled'>{factor}<table>{''.join(rows)}</table></div></figure>"
    )


def entry_texts(matrix: np.ndarray) -> list[list[str]]:
    """Return the first rows and columns to four decimals, with dots for what is left out."""
    rows = [
        [typographic_minus(f"{value:.4f}") for value in row[:CORNER]] for row in matrix[:CORNER]
    ]
    if len(matrix) > CORNER:
        rows = [*([*row, "…"] for row in rows), [*["⋮"] * CORNER, "⋱"]]
    return rows
