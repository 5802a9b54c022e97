"""The one scorer: signals x plan -> what each part gives to each candidate. Sums, so that paths can take them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.recall.gather import Asked, Signals
from graphmem.recall.plan import Plan
from graphmem.recall.strength import strength_fit
from graphmem.recall.understand import Dates
from graphmem.schema import Form
from graphmem.stores.base import NO_TIME

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What each named part gives to each passage: `seeds` match the question, `priors` fit it."""

    seeds: dict[str, Floats]
    priors: dict[str, Floats]

    @property
    def seed(self) -> Floats:
        return np.asarray(np.sum(list(self.seeds.values()), axis=0), np.float64)

    @property
    def prior(self) -> Floats:
        return np.asarray(np.sum(list(self.priors.values()), axis=0), np.float64)


def score(asked: Asked, found: Signals, plan: Plan) -> Parts:
    """O(passages)."""
    form, heads = found.heads.form, found.heads
    seeds: dict[str, Floats] = {
        "seed:text": np.multiply(plan.text, found.text),
        "seed:vector": np.multiply(plan.sentence, found.sentence),
        "seed:tokens": np.multiply(plan.tokens, found.tokens),
        "seed:entity": np.multiply(plan.entity, found.entity),
    }
    strong = strength_fit(heads.at_us, found.usage, asked.question.now_us, base_days=plan.strength_days)
    names_time = (form & Form.NAMES_TIME) > 0
    priors: dict[str, Floats] = {
        "prior:question": plan.question * ((form & Form.ENDS_IN_QUESTION) > 0),
        "prior:speaker": plan.speaker * speaker_fit(heads.speaker, asked.speakers),
        "prior:date": plan.date * date_fit(heads.at_us, asked.question.dates),
        "prior:when": plan.when * (names_time if asked.question.asks_when else np.zeros(len(form))),
        "prior:strength": plan.strength * strong,
    }
    return Parts(seeds, priors)


def speaker_fit(speaker: Numbers, asked: Numbers) -> Floats:
    """1 for the person asked about, -1 for anybody else, 0 where nobody is known or asked about."""
    if not len(asked):
        return np.zeros(len(speaker))
    return np.where(np.isin(speaker, asked), 1.0, np.where(speaker > 0, -1.0, 0.0))


def date_fit(at_us: Numbers, dates: Dates) -> Floats:
    """1 in the month (and year) or interval named, 2 within a day of the day named, 0 elsewhere and where time is
    unknown."""
    fit = np.zeros(len(at_us))
    known = at_us != NO_TIME
    if not dates or not known.any():
        return fit
    moment = at_us[known].astype("datetime64[us]")
    if dates.months:
        month = moment.astype("datetime64[M]")
        day = (moment.astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64) + 1
        year = moment.astype("datetime64[Y]").astype(np.int64) + 1970
        hit = np.isin(month.astype(np.int64) % 12 + 1, dates.months)
        if dates.years:
            hit &= np.isin(year, dates.years)
        close = np.zeros(len(day), bool)
        for named in dates.days:
            close |= np.abs(day - named) <= 1
        fit[known] = hit * (1.0 + close)
    elif dates.interval_us is not None:
        start, end = dates.interval_us
        fit[known] = (at_us[known] >= start) & (at_us[known] < end)
    return fit
