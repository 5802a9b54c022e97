"""Guards of the GraphQL schema: how large a query may be, and what an error may tell.

Depth and fields are counted with fragments unfolded, each fragment once, so that counting is linear in the text of the
query whatever it unfolds to. Introspection is not counted.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationRule,
)
from strawberry.extensions import AddValidationRules, SchemaExtension

from graphmem.api.settings import Limits
from graphmem.errors import GraphmemError

LOG = logging.getLogger("graphmem.api")
UNEXPECTED = "unexpected error; the server's log says more"


@dataclass(slots=True)
class Measure:
    """Size of selection sets: depth, fields. A fragment inside itself counts nothing; validation reports it."""

    fragments: dict[str, FragmentDefinitionNode]
    known: dict[str, tuple[int, int]] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode | None) -> tuple[int, int]:
        depth = fields = 0
        for selection in selections.selections if selections else ():
            below, inside = self._one(selection)
            depth, fields = max(depth, below), fields + inside
        return depth, fields

    def _one(self, selection: object) -> tuple[int, int]:
        if isinstance(selection, FieldNode):
            if selection.name.value.startswith("__"):
                return 0, 0
            depth, fields = self.of(selection.selection_set)
            return depth + 1, fields + 1
        if isinstance(selection, InlineFragmentNode):
            return self.of(selection.selection_set)
        if isinstance(selection, FragmentSpreadNode):
            return self._fragment(selection.name.value)
        return 0, 0

    def _fragment(self, name: str) -> tuple[int, int]:
        if name not in self.known:
            self.known[name] = (0, 0)
            if name in self.fragments:
                self.known[name] = self.of(self.fragments[name].selection_set)
        return self.known[name]

    def roots(self, selections: SelectionSetNode | None) -> int:
        """Fields at the top: every one of them is a call into the memory."""
        count = 0
        for selection in selections.selections if selections else ():
            if isinstance(selection, FieldNode):
                count += not selection.name.value.startswith("__")
            elif isinstance(selection, InlineFragmentNode):
                count += self.roots(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value in self.fragments:
                count += self._fragment(selection.name.value)[1]
        return count


def excess(document: DocumentNode, limits: Limits) -> str:
    """What is too large in this query, in words; empty when nothing is."""
    nodes = document.definitions
    measure = Measure({node.name.value: node for node in nodes if isinstance(node, FragmentDefinitionNode)})
    for operation in nodes:
        if not isinstance(operation, OperationDefinitionNode):
            continue
        depth, fields = measure.of(operation.selection_set)
        for size, limit, what in (
            (measure.roots(operation.selection_set), limits.query_roots, "questions"),
            (depth, limits.query_depth, "levels"),
            (fields, limits.query_fields, "fields"),
        ):
            if size > limit:
                return f"the query has {size} {what}; the limit is {limit}"
    return ""


def too_large(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "TOO_LARGE", "hint": "ask for less at once", "retryable": False})


class BoundedQueries(AddValidationRules):
    """Refuses a query that is too long, deep or wide before any of it runs."""

    def __init__(self, limits: Limits) -> None:
        class Bounds(ValidationRule):
            def enter_document(self, node: DocumentNode, *_: Any) -> None:
                if message := excess(node, limits):
                    self.report_error(too_large(message))

        super().__init__([Bounds])
        self.limits = limits

    def on_parse(self) -> Iterator[None]:
        chars = len(self.execution_context.query or "")
        if chars > self.limits.query_chars:
            raise too_large(f"the query has {chars} characters; the limit is {self.limits.query_chars}")
        yield


class ClearErrors(SchemaExtension):
    """Errors as a client may see them: ours with code and hint, a bad query as it is, the rest masked and logged."""

    def on_operation(self) -> Iterator[None]:
        yield
        result: Any = self.execution_context.result
        if result is not None and getattr(result, "errors", None):
            result.errors = [cleared(error) for error in result.errors]


def cleared(error: GraphQLError) -> GraphQLError:
    original = error.original_error
    if original is None or isinstance(original, GraphQLError):
        return error
    if isinstance(original, GraphmemError):
        return GraphQLError(str(original), nodes=error.nodes, path=error.path, extensions=extensions_of(original))
    return GraphQLError(UNEXPECTED, nodes=error.nodes, path=error.path, extensions={"code": "UNEXPECTED"})


def extensions_of(error: GraphmemError) -> dict[str, Any]:
    return {
        "code": code_of(error),
        "hint": error.hint,
        "retryable": error.retryable,
        "source": error.source,
        "position": error.position,
    }


def code_of(error: GraphmemError) -> str:
    """The error's class name as GraphQL writes codes: StoreBusy is STORE_BUSY."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).upper()
