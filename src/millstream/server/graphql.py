"""``/graphql``: the few queries that MLflow's pages and some scripts send, on top of the operations of the table.

Bounded before anything is resolved: the text in tokens, the query in depth, aliases and root fields. Only POST may
carry a mutation. Every root field asks the policy as its operation does.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from millstream import settings
from millstream.errors import BadRequest, MillstreamError
from millstream.operations import (
    GetExperiment,
    GetMetricHistoryBulkInterval,
    GetRun,
    ListArtifacts,
    Operation,
    SearchDatasets,
    SearchModelVersions,
    SearchRuns,
)
from millstream.operations.codec import decode_request
from millstream.server.artifacts import ARTIFACT_OPERATIONS
from millstream.server.messages import Reply, Request, json_reply

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLResolveInfo, GraphQLSchema

_MAX_TOKENS = 2_000
_MAX_DEPTH = 12
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")

# The names are those of MLflow's schema, so that a query written for it is valid here.
_SDL = """
scalar LongString
type Query {
  mlflowGetExperiment(input: MlflowGetExperimentInput): MlflowGetExperimentResponse
  mlflowGetMetricHistoryBulkInterval(input: MlflowGetMetricHistoryBulkIntervalInput):
    MlflowGetMetricHistoryBulkIntervalResponse
  mlflowGetRun(input: MlflowGetRunInput): MlflowGetRunResponse
  mlflowListArtifacts(input: MlflowListArtifactsInput): MlflowListArtifactsResponse
  mlflowSearchModelVersions(input: MlflowSearchModelVersionsInput): MlflowSearchModelVersionsResponse
  mlflowSearchRuns(input: MlflowSearchRunsInput): MlflowSearchRunsResponse
}
type Mutation {
  mlflowSearchDatasets(input: MlflowSearchDatasetsInput): MlflowSearchDatasetsResponse
  mlflowSearchRuns(input: MlflowSearchRunsInput): MlflowSearchRunsResponse
}
enum MlflowViewType { ACTIVE_ONLY DELETED_ONLY ALL }
enum MlflowRunStatus { RUNNING SCHEDULED FINISHED FAILED KILLED }
input MlflowGetExperimentInput { experimentId: String }
input MlflowGetMetricHistoryBulkIntervalInput {
  runIds: [String] metricKey: String startStep: Int endStep: Int maxResults: Int
}
input MlflowGetRunInput { runId: String runUuid: String }
input MlflowListArtifactsInput { runId: String runUuid: String path: String pageToken: String }
input MlflowSearchDatasetsInput { experimentIds: [String] }
input MlflowSearchModelVersionsInput { filter: String maxResults: LongString orderBy: [String] pageToken: String }
input MlflowSearchRunsInput {
  experimentIds: [String] filter: String runViewType: MlflowViewType maxResults: Int orderBy: [String] pageToken: String
}
type ApiError { code: String message: String helpUrl: String traceId: String }
type MlflowGetExperimentResponse { experiment: MlflowExperiment apiError: ApiError }
type MlflowGetMetricHistoryBulkIntervalResponse { metrics: [MlflowMetricWithRunId!] apiError: ApiError }
type MlflowGetRunResponse { run: MlflowRunExtension apiError: ApiError }
type MlflowListArtifactsResponse { rootUri: String files: [MlflowFileInfo!] nextPageToken: String apiError: ApiError }
type MlflowSearchDatasetsResponse { datasetSummaries: [MlflowDatasetSummary!] apiError: ApiError }
type MlflowSearchModelVersionsResponse {
  modelVersions: [MlflowModelVersion!] nextPageToken: String apiError: ApiError
}
type MlflowSearchRunsResponse { runs: [MlflowRunExtension!] nextPageToken: String apiError: ApiError }
type MlflowExperiment {
  experimentId: String name: String artifactLocation: String lifecycleStage: String lastUpdateTime: LongString
  creationTime: LongString tags: [MlflowExperimentTag!]
}
type MlflowExperimentTag { key: String value: String }
type MlflowMetricWithRunId { key: String value: Float timestamp: LongString step: LongString runId: String }
type MlflowRunExtension {
  info: MlflowRunInfo data: MlflowRunData inputs: MlflowRunInputs outputs: MlflowRunOutputs
  experiment: MlflowExperiment modelVersions: [MlflowModelVersion!]
}
type MlflowRunInfo {
  runId: String runUuid: String runName: String experimentId: String userId: String status: MlflowRunStatus
  startTime: LongString endTime: LongString artifactUri: String lifecycleStage: String
}
type MlflowRunData { metrics: [MlflowMetricExtension!] params: [MlflowParam!] tags: [MlflowRunTag!] }
type MlflowMetricExtension {
  key: String value: Float timestamp: LongString step: LongString datasetName: String datasetDigest: String
  modelId: String runId: String
}
type MlflowParam { key: String value: String }
type MlflowRunTag { key: String value: String }
type MlflowRunInputs { datasetInputs: [MlflowDatasetInput!] modelInputs: [MlflowModelInput!] }
type MlflowRunOutputs { modelOutputs: [MlflowModelOutput!] }
type MlflowDatasetInput { tags: [MlflowInputTag!] dataset: MlflowDataset }
type MlflowInputTag { key: String value: String }
type MlflowDataset {
  name: String digest: String sourceType: String source: String schema: String profile: String
}
type MlflowModelInput { modelId: String }
type MlflowModelOutput { modelId: String step: LongString }
type MlflowFileInfo { path: String isDir: Boolean fileSize: LongString }
type MlflowDatasetSummary { experimentId: String name: String digest: String context: String }
type MlflowModelVersion {
  name: String version: String creationTimestamp: LongString lastUpdatedTimestamp: LongString userId: String
  currentStage: String description: String source: String runId: String status: String statusMessage: String
  runLink: String aliases: [String] modelId: String
}
"""

_ROOTS: dict[str, type[Operation[Any]]] = {
    "mlflowGetExperiment": GetExperiment,
    "mlflowGetMetricHistoryBulkInterval": GetMetricHistoryBulkInterval,
    "mlflowGetRun": GetRun,
    "mlflowListArtifacts": ListArtifacts,
    "mlflowSearchModelVersions": SearchModelVersions,
    "mlflowSearchRuns": SearchRuns,
    "mlflowSearchDatasets": SearchDatasets,
}
# Lists that MLflow's schema gives as lists where our wire leaves out what is empty.
_EMPTY_LISTS = frozenset({
    "aliases", "dataset_inputs", "dataset_summaries", "files", "metrics", "model_inputs", "model_outputs",
    "model_versions", "params", "runs", "tags",
})
_EMPTY_OBJECTS = frozenset({"data", "inputs", "outputs"})


class _Asked(msgspec.Struct, rename="camel"):
    query: str = ""
    variables: dict[str, Any] | None = None
    operation_name: str | None = None


async def answer(request: Request) -> Reply:
    """Carry out one GraphQL document."""
    from graphql import ExecutionResult, GraphQLError, execute, parse, validate

    asked = await _asked(request)
    try:
        document = parse(asked.query, max_tokens=_MAX_TOKENS)
        _bound(document, may_write=request.method == "POST")
    except GraphQLError as error:
        return json_reply({"data": None, "errors": [error.message]})
    problems = validate(_schema(), document, max_errors=10)
    if problems:
        return json_reply({"data": None, "errors": [problem.message for problem in problems]})
    made: Any = execute(
        _schema(), document, context_value=request, variable_values=asked.variables,
        operation_name=asked.operation_name, field_resolver=_field,
    )
    result: ExecutionResult = made if isinstance(made, ExecutionResult) else await made
    for problem in result.errors or ():
        cause = problem.original_error
        if cause is not None and not isinstance(cause, GraphQLError):
            raise cause
    return json_reply({
        "data": result.data, "errors": [problem.message for problem in result.errors] if result.errors else None,
    })


async def _asked(request: Request) -> _Asked:
    if request.method != "POST":
        try:
            variables = msgspec.json.decode(request.fields.get("variables") or "null", type=dict[str, Any] | None)
        except (msgspec.DecodeError, RecursionError):
            raise BadRequest("the variables of the query are not a JSON object") from None
        asked = _Asked(request.fields.get("query", ""), variables, request.fields.get("operationName"))
    else:
        body = await request.body(request.app.config.limits.body_bytes)
        request.require_json()
        try:
            asked = msgspec.json.decode(body, type=_Asked)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(f"the request body is no GraphQL request: {error}",
                             hint='send {"query": "…", "variables": {…}}') from None
    if not asked.query:
        raise BadRequest("the request holds no query", hint='send {"query": "…", "variables": {…}}')
    return asked


def _bound(document: DocumentNode, *, may_write: bool) -> None:
    """Raise GraphQLError for a document that asks for too much at once; fragments count where they are used."""
    from graphql import FragmentDefinitionNode, GraphQLError, OperationDefinitionNode, OperationType

    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    aliases = visited = 0
    max_aliases, max_roots = settings.SERVER_GRAPHQL_MAX_ALIASES.get(), settings.SERVER_GRAPHQL_MAX_ROOT_FIELDS.get()

    def look(node: Any, depth: int, roots: int, inside: frozenset[str]) -> int:
        nonlocal aliases, visited
        for selection in node.selection_set.selections if node.selection_set else ():
            # Fragments in fragments can say a great deal in a few words.
            visited += 1
            if visited > _MAX_TOKENS:
                raise GraphQLError("the query asks for too much at once: its fragments unfold to too many fields")
            if selection.kind == "field":
                aliases += selection.alias is not None
                roots += depth == 1
                if depth > _MAX_DEPTH or aliases > max_aliases or roots > max_roots:
                    raise GraphQLError(f"the query asks for too much at once: at most {max_roots} root fields, "
                                       f"{max_aliases} aliases and {_MAX_DEPTH} levels")
                look(selection, depth + 1, roots, inside)
            elif selection.kind == "inline_fragment":
                roots = look(selection, depth, roots, inside)
            else:
                name = selection.name.value
                if name in fragments and name not in inside:
                    roots = look(fragments[name], depth, roots, inside | {name})
        return roots

    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            if definition.operation is OperationType.MUTATION and not may_write:
                raise GraphQLError("a mutation must be sent by POST")
            look(definition, 1, 0, frozenset())


@lru_cache(maxsize=1)
def _schema() -> GraphQLSchema:
    from graphql import GraphQLObjectType, build_schema

    schema = build_schema(_SDL)
    for root in (schema.query_type, schema.mutation_type):
        assert root is not None
        for field in root.fields.values():
            field.resolve = _root
    run = schema.type_map["MlflowRunExtension"]
    assert isinstance(run, GraphQLObjectType)
    run.fields["experiment"].resolve = _experiment_of_run
    run.fields["modelVersions"].resolve = _versions_of_run
    return schema


async def _root(parent: Any, info: GraphQLResolveInfo[Any], input: dict[str, Any] | None = None) -> Any:
    return await _execute(info.context, _ROOTS[info.field_name], input or {})


async def _execute(request: Request, kind: type[Operation[Any]], given: dict[str, Any]) -> dict[str, Any]:
    """The answer of an operation as plain values, or ``api_error``."""
    try:
        named = {_snake(name): value for name, value in given.items()}
        operation = decode_request(kind, body=msgspec.json.encode(named))
        principal = request.app.admit(request, kind.endpoint.needs, operation)
        if kind in ARTIFACT_OPERATIONS:
            made = await request.app.artifacts.execute(operation, principal)
        else:
            made = await request.app.execution.answer(operation, principal)
    except MillstreamError as error:
        if error.error_code == "INTERNAL_ERROR":
            raise
        return {"api_error": {"code": error.error_code, "message": error.message}}
    values: dict[str, Any] = msgspec.to_builtins(made)
    return values


async def _experiment_of_run(run: dict[str, Any], info: GraphQLResolveInfo[Any]) -> Any:
    found = await _execute(info.context, GetExperiment, {"experiment_id": run["info"]["experiment_id"]})
    return found.get("experiment")


async def _versions_of_run(run: dict[str, Any], info: GraphQLResolveInfo[Any]) -> Any:
    of_run = {"filter": f"run_id = '{run['info']['run_id']}'"}
    found = await _execute(info.context, SearchModelVersions, of_run)
    return found.get("model_versions", [])


def _snake(name: str) -> str:
    return _CAMEL.sub(lambda found: "_" + found.group(1).lower(), name)


def _field(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    name = _snake(info.field_name)
    value = source.get(name)
    if value is None:
        return [] if name in _EMPTY_LISTS and "api_error" not in source else {} if name in _EMPTY_OBJECTS else None
    if isinstance(value, float) and not math.isfinite(value):
        return None  # GraphQL's numbers are finite
    return str(value) if str(info.return_type) == "LongString" else value
