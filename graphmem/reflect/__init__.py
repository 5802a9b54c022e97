"""Work on a question in steps: sub-questions about what was found, a working hypergraph, a result that can be kept."""

from graphmem.reflect.keeping import keep
from graphmem.reflect.reflect import reflect

__all__ = ["keep", "reflect"]
