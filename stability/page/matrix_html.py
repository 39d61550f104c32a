"""The first replicate's first matrix and its product, as the book prints them, in HTML."""

import numpy as np

from stability.engine.products import ScientificMatrix, product_corner
from stability.i18n import _, ngettext
from stability.records.product import Product
from stability.text import typographic_minus

CORNER = 4  # rows and columns that are printed
MOST_OPERATIONS = 2**33  # that printing may take: half a second
OPERATIONS_PER_DRAW = 800  # of a random number
POWERS_WITHOUT_FACTOR = range(-1, 4)  # of ten, of the largest entry: no factor before the matrix


def matrices_html(product: Product, k: int) -> str:
    """Return the first matrix and the product after `k` further factors, in HTML.

    Of large matrices these are the first rows and columns. If all factors would take too long,
    fewer are multiplied, and the caption says so.
    """
    multiplied = min(k, factors_to_print(product))
    corner = product_corner(product, CORNER)
    first = matrix_figure(_("The first matrix"), corner.after(0), product.n)
    caption = ngettext("After {k} further factor", "After {k} further factors", k)
    if multiplied < k:
        caption = ngettext(
            "After {count} of {k} further factor", "After {count} of {k} further factors", k
        )
    caption, so_far = caption.format(count=multiplied, k=k), corner.after(multiplied)
    return f"<div class='matrices'>{first}{matrix_figure(caption, so_far, product.n)}</div>"


def factors_to_print(product: Product) -> int:
    """Return how many further factors can be multiplied in half a second, of those there are."""
    n = product.n
    operations = n**2 * (2 * n + OPERATIONS_PER_DRAW) + product.family_row.making_operations(n)
    return min(product.count, MOST_OPERATIONS // operations)


def matrix_figure(caption: str, matrix: ScientificMatrix, n: int) -> str:
    """Return a matrix of size `n` with its caption, and a power of ten before it if needed."""
    factor, entries = "", matrix.mantissa
    if n > CORNER:
        cut = _("{caption}, its first {corner} rows and columns of {n}")
        caption = cut.format(caption=caption, corner=CORNER, n=n)
    if matrix.power in POWERS_WITHOUT_FACTOR:
        entries = matrix.mantissa * 10.0**matrix.power
    else:
        factor = f"<span>10<sup>{typographic_minus(str(matrix.power))}</sup> ×</span>"
    rows = [
        f"<tr>{''.join(f'<td>{text}</td>' for text in row)}</tr>"
        for row in entry_texts(entries, n > CORNER)
    ]
    return (
        f"<figure><figcaption>{caption}</figcaption>"
        f"<div class='scaled'>{factor}<table>{''.join(rows)}</table></div></figure>"
    )


def entry_texts(corner: np.ndarray, is_cut_off: bool) -> list[list[str]]:
    """Return the rows and columns to four decimals, with dots for what is left out."""
    rows = [[typographic_minus(f"{value:.4f}") for value in row] for row in corner]
    if is_cut_off:
        rows = [*([*row, "…"] for row in rows), [*["⋮"] * CORNER, "⋱"]]
    return rows
