"""Does a model suit offloading? Routing traces, how consistent they are locally, and the cache that follows."""

from graphmem.moe_runtime.profile.consistency import lru_hit_rate, segment_cache_hit_rate, segment_routing_performance
from graphmem.moe_runtime.profile.plot import plotted
from graphmem.moe_runtime.profile.report import Profile, Row, profiled
from graphmem.moe_runtime.profile.trace import checkpoint, traced

__all__ = [
    "Profile",
    "Row",
    "checkpoint",
    "lru_hit_rate",
    "plotted",
    "profiled",
    "segment_cache_hit_rate",
    "segment_routing_performance",
    "traced",
]
