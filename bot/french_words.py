"""The most frequent words of French, out of the wordfreq package. No Rasa import."""

from __future__ import annotations

from wordfreq import get_frequency_list, top_n_list


def frequent_words(count: int) -> list[str]:
    """So many words, the most frequent first, as they are written.

    The package keeps every list that it has read: some 20 MB in each process, for words that are asked for once at start. They are let go here.
    """
    words: list[str] = top_n_list("fr", count)
    top_n_list.cache_clear()
    get_frequency_list.cache_clear()
    return words
