"""N-grams of letters and words, one linear support vector machine: what a scikit-learn tutorial would build, with calibrated confidences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC

from tools.bench.examples import Example

FILE = "svm.joblib"
FOLDS = 3  # of the calibration: the rarest intent of a small sample still has examples in each


class Svm:
    """A fitted pipeline of scikit-learn."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def predict(self, text: str) -> list[tuple[str, float]]:
        """Intents by calibrated chance."""
        chances = self._pipeline.predict_proba([text])[0]
        return sorted(zip(self._pipeline.classes_.tolist(), chances.tolist()), key=lambda r: -r[1])[:10]

    def save(self, folder: Path) -> None:
        """One file."""
        joblib.dump(self._pipeline, folder / FILE)


def fit(examples: Sequence[Example]) -> Svm:
    """Learns one machine on everything; its scores become chances by a sigmoid learned on folds it did not see."""
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, strip_accents="unicode", sublinear_tf=True)
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, strip_accents="unicode", sublinear_tf=True)
    fewest = min(Counter(e.intent for e in examples).values())  # a class of two examples has two folds at most
    machine = CalibratedClassifierCV(LinearSVC(), method="sigmoid", cv=min(FOLDS, fewest), ensemble=False)
    pipeline: Pipeline = make_pipeline(make_union(letters, words), machine)
    return Svm(pipeline.fit([e.text for e in examples], np.array([e.intent for e in examples])))


def load(folder: Path) -> Svm:
    """Reads what ``save`` wrote."""
    return Svm(joblib.load(folder / FILE))
