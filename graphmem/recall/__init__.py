"""From a question to evidence, with the paths it was found by."""

from graphmem.recall.judge import Bar, Verdict, judge
from graphmem.recall.plan import BALANCED, DEEP, FAST, PLANS, ROUTED, Plan, Router, plan_named
from graphmem.recall.recall import recall

__all__ = [
    "BALANCED",
    "DEEP",
    "FAST",
    "PLANS",
    "ROUTED",
    "Bar",
    "Plan",
    "Router",
    "Verdict",
    "judge",
    "plan_named",
    "recall",
]
