"""The experiments that a visitor has tried, as one table."""

from collections.abc import Mapping
from urllib.parse import urlencode

import pandas as pd

from stability.frames import summary_in_words
from stability.page.links import spell_link
from stability.records.experiment import Experiment
from stability.records.page import Page

History = Mapping[Experiment, pd.DataFrame]  # summaries of finished trainings, oldest first


def tried_table(history: History) -> tuple[pd.DataFrame, list[Experiment]]:
    """Return all summaries as one table, the newest first, and the owner of each row.

    Its words are those of the reader's language, which may have been another at the time.
    """
    newest_first = [(e, summary_in_words(e, rows)) for e, rows in [*history.items()][::-1]]
    owners = [owner for owner, rows in newest_first for _ in range(len(rows))]
    return pd.concat([rows for _, rows in newest_first], ignore_index=True), owners


def tried_csv(history: History) -> str:
    """Return that table with all settings, as links spell them, and the link of each row."""
    rows, owners = tried_table(history)
    settings = [
        {name: knob.spell(getattr(owner, name)) for name, knob in owner.knobs().items()}
        | {"link": "?" + urlencode(spell_link(Page(owner)), safe=",:")}
        for owner in owners
    ]
    table = pd.concat([rows, pd.DataFrame(settings)], axis=1)
    return str(table.to_csv(index=False))
