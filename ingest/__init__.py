"""Ingest: readers for formats, segmentation, the job runner. They feed graphmem's pipeline."""

from graphmem.ingest.jobs import ingest, resume
from graphmem.ingest.plan import Estimate, estimate
from graphmem.ingest.progress import Progress

__all__ = ["Estimate", "Progress", "estimate", "ingest", "resume"]
