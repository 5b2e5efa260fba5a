"""Every row of MLflow's search grammar, accepted and refused, and what is said beyond it."""

from __future__ import annotations

import pytest

from millstream.errors import SearchSyntaxError
from millstream.search.parser import order_of_logged_models, parse_filter, parse_order
from millstream.search.tree import (
    And,
    Between,
    Comparison,
    Expression,
    Field,
    In,
    Matches,
    Not,
    Null,
    Operator,
    Or,
    Order,
    Value,
)
from millstream.search.vocabulary import EXPERIMENTS, LOGGED_MODELS, MODEL_VERSIONS, REGISTERED_MODELS, RUNS, Vocabulary


def metric(key: str, function: str | None = None) -> Field:
    return Field("metric", key, function)  # type: ignore[arg-type]


def param(key: str) -> Field:
    return Field("param", key)


def tag(key: str) -> Field:
    return Field("tag", key)


def attribute(key: str) -> Field:
    return Field("attribute", key)


def dataset(key: str) -> Field:
    return Field("dataset", key)


def is_(field: Field, value: Value, op: Operator = "=") -> Comparison:
    return Comparison(field, op, value)


MLFLOW_ACCEPTS: list[tuple[Vocabulary, str, Expression]] = [
    # metrics
    (RUNS, "metrics.a = 1", is_(metric("a"), 1.0)),
    (RUNS, "metric.a != 1", is_(metric("a"), 1.0, "!=")),
    (RUNS, "metrics.a > -1", is_(metric("a"), -1.0, ">")),
    (RUNS, "metrics.a>=.5", is_(metric("a"), 0.5, ">=")),
    (RUNS, "metrics.a < 1.", is_(metric("a"), 1.0, "<")),
    (RUNS, "metrics.a <= 1E-5", is_(metric("a"), 1e-5, "<=")),
    (RUNS, "metrics.a > 1e400", is_(metric("a"), float("inf"), ">")),
    (RUNS, "metrics.a.b = 007", is_(metric("a.b"), 7.0)),
    (RUNS, "metrics.`val/loss` > 1", is_(metric("val/loss"), 1.0, ">")),
    (RUNS, 'metrics."a b" > 1', is_(metric("a b"), 1.0, ">")),
    (RUNS, "metrics.'a b' > 1", is_(metric("a b"), 1.0, ">")),
    (RUNS, "metrics.max > 1", is_(metric("max"), 1.0, ">")),
    # parameters and tags
    (RUNS, "params.a = '1'", is_(param("a"), "1")),
    (RUNS, "param.a = '1'", is_(param("a"), "1")),
    (RUNS, "parameters.a = '1'", is_(param("a"), "1")),
    (RUNS, "parameter.a = '1'", is_(param("a"), "1")),
    (RUNS, 'params.a != "1"', is_(param("a"), "1", "!=")),
    (RUNS, "params.a LIKE 'a%'", is_(param("a"), "a%", "LIKE")),
    (RUNS, "params.a like'a%'", is_(param("a"), "a%", "LIKE")),
    (RUNS, "params.a ILIKE 'a%'", is_(param("a"), "a%", "ILIKE")),
    (RUNS, "params.a IS NULL", Null(param("a"))),
    (RUNS, "params.`a`is not null", Null(param("a"), True)),
    (RUNS, "params.a = ''", is_(param("a"), "")),
    (RUNS, "params.été = 'é'", is_(param("été"), "é")),
    (RUNS, "params.or = 'x'", is_(param("or"), "x")),
    (RUNS, "params.like = 'x'", is_(param("like"), "x")),
    (RUNS, "params.`` = 'x'", is_(param(""), "x")),
    (RUNS, "params.`a``b` = 'x'", is_(param("a``b"), "x")),
    (RUNS, "tags.mlflow.source.name = 'x'", is_(tag("mlflow.source.name"), "x")),
    (RUNS, "tag.`mlflow.source.name` = 'x'", is_(tag("mlflow.source.name"), "x")),
    (RUNS, "tags.1a = 'x'", is_(tag("1a"), "x")),
    (RUNS, "tags.a = \"x, 'y' AND z\"", is_(tag("a"), "x, 'y' AND z")),
    # what is in quotes stays as it is written
    (RUNS, "params.a = 'it''s'", is_(param("a"), "it''s")),
    (RUNS, r"params.a = 'it\'s'", is_(param("a"), r"it\'s")),
    (RUNS, r"params.a = 'C:\dir\'", is_(param("a"), "C:\\dir\\")),
    (RUNS, 'params.a = "it\'s"', is_(param("a"), "it's")),
    (RUNS, "params.a = ''''", is_(param("a"), "''")),
    # attributes
    (RUNS, "status = 'FINISHED'", is_(attribute("status"), "FINISHED")),
    (RUNS, "attribute.status != 'x'", is_(attribute("status"), "x", "!=")),
    (RUNS, "attributes.run_name LIKE 'x%'", is_(attribute("run_name"), "x%", "LIKE")),
    (RUNS, "attr.user_id ILIKE 'x%'", is_(attribute("user_id"), "x%", "ILIKE")),
    (RUNS, "run.artifact_uri = 'x'", is_(attribute("artifact_uri"), "x")),
    (RUNS, "`run name` = 'x'", is_(attribute("run_name"), "x")),
    (RUNS, "\"Run Name\" = 'x'", is_(attribute("run_name"), "x")),
    (RUNS, "attributes.`Run name` = 'x'", is_(attribute("run_name"), "x")),
    (RUNS, "run_id IN ('a', \"b\")", In(attribute("run_id"), ("a", "b"))),
    (RUNS, "run_id NOT  IN('a',)", In(attribute("run_id"), ("a",), True)),
    (RUNS, "start_time > 1", is_(attribute("start_time"), 1, ">")),
    (RUNS, "end_time != 1.5", is_(attribute("end_time"), 1.5, "!=")),
    (RUNS, "created <= 1e3", is_(attribute("start_time"), 1000.0, "<=")),
    (RUNS, "attributes.Created = -1", is_(attribute("start_time"), -1)),
    (RUNS, "start_time < 99999999999999999999", is_(attribute("start_time"), 1e20, "<")),
    # datasets
    (RUNS, "datasets.name = 'x'", is_(dataset("name"), "x")),
    (RUNS, "dataset.digest != 'x'", is_(dataset("digest"), "x", "!=")),
    (RUNS, "dataset.context IN ('a')", In(dataset("context"), ("a",))),
    (RUNS, "dataset.context NOT IN ('a')", In(dataset("context"), ("a",), True)),
    (RUNS, "dataset.name LIKE 'a'", is_(dataset("name"), "a", "LIKE")),
    (RUNS, "dataset.name ILIKE 'a'", is_(dataset("name"), "a", "ILIKE")),
    # joining, and what MLflow passes over
    (
        RUNS,
        "metrics.a > 1 AND params.b='x'and tags.c = 'y'",
        And((is_(metric("a"), 1.0, ">"), is_(param("b"), "x"), is_(tag("c"), "y"))),
    ),
    (RUNS, "params.a = 'x'\tparams.b = 'y'", And((is_(param("a"), "x"), is_(param("b"), "y")))),
    (RUNS, "AND params.a = 'x' AND AND params.b = 'y' AND", And((is_(param("a"), "x"), is_(param("b"), "y")))),
    (RUNS, "\n params.a\n=\n'x' ", is_(param("a"), "x")),
    # experiments
    (EXPERIMENTS, "name = 'x'", is_(attribute("name"), "x")),
    (EXPERIMENTS, "attribute.name ILIKE 'x'", is_(attribute("name"), "x", "ILIKE")),
    (EXPERIMENTS, "experiment_id IN ('1','2')", In(attribute("experiment_id"), ("1", "2"))),
    (EXPERIMENTS, "experiment_id != '1'", is_(attribute("experiment_id"), "1", "!=")),
    (EXPERIMENTS, "creation_time > 1", is_(attribute("creation_time"), 1, ">")),
    (EXPERIMENTS, "last_update_time = 1.5", is_(attribute("last_update_time"), 1.5)),
    (EXPERIMENTS, "tags.a IS NULL", Null(tag("a"))),
    (EXPERIMENTS, "tag.a LIKE 'x'", is_(tag("a"), "x", "LIKE")),
    # registered models and their versions
    (REGISTERED_MODELS, "name LIKE 'x%'", is_(attribute("name"), "x%", "LIKE")),
    (REGISTERED_MODELS, "attribute.name IN ('x')", In(attribute("name"), ("x",))),
    (REGISTERED_MODELS, "tags.a != 'x'", is_(tag("a"), "x", "!=")),
    (MODEL_VERSIONS, "name=\"x\" and run_id='y'", And((is_(attribute("name"), "x"), is_(attribute("run_id"), "y")))),
    (MODEL_VERSIONS, "run_id NOT IN ('a')", In(attribute("run_id"), ("a",), True)),
    (MODEL_VERSIONS, "source_path ILIKE 'x%'", is_(attribute("source_path"), "x%", "ILIKE")),
    (MODEL_VERSIONS, "version_number >= 1", is_(attribute("version_number"), 1, ">=")),
    (MODEL_VERSIONS, "attribute.version_number = '2'", is_(attribute("version_number"), 2)),
    (MODEL_VERSIONS, "tags.a = 'x'", is_(tag("a"), "x")),
    # logged models
    (LOGGED_MODELS, "name NOT IN ('x')", In(attribute("name"), ("x",), True)),
    (LOGGED_MODELS, "attributes.model_type = 'x'", is_(attribute("model_type"), "x")),
    (LOGGED_MODELS, "status IN ('READY')", In(attribute("status"), ("READY",))),
    (LOGGED_MODELS, "source_run_id != 'x'", is_(attribute("source_run_id"), "x", "!=")),
    (LOGGED_MODELS, "creation_time > 1", is_(attribute("creation_timestamp"), 1, ">")),
    (LOGGED_MODELS, "last_updated_timestamp > 1", is_(attribute("last_updated_timestamp"), 1, ">")),
    (
        LOGGED_MODELS,
        "metrics.a > 1 AND params.b LIKE 'x'",
        And((is_(metric("a"), 1.0, ">"), is_(param("b"), "x", "LIKE"))),
    ),
    (LOGGED_MODELS, "params.lr = 0.01", is_(param("lr"), "0.01")),
    (LOGGED_MODELS, "status = READY", is_(attribute("status"), "READY")),
]

BEYOND: list[tuple[Vocabulary, str, Expression]] = [
    (
        RUNS,
        "params.a = 'x' OR params.b = 'y' AND NOT params.c = 'z'",
        Or((is_(param("a"), "x"), And((is_(param("b"), "y"), Not(is_(param("c"), "z")))))),
    ),
    (
        RUNS,
        "(params.a = 'x' or params.b = 'y') and params.c = 'z'",
        And((Or((is_(param("a"), "x"), is_(param("b"), "y"))), is_(param("c"), "z"))),
    ),
    (RUNS, "((params.a = 'x'))", is_(param("a"), "x")),
    (RUNS, "not not(params.a = 'x')", Not(Not(is_(param("a"), "x")))),
    (RUNS, "NOT (params.a = 'x' AND params.b = 'y')", Not(And((is_(param("a"), "x"), is_(param("b"), "y"))))),
    (RUNS, "metrics.a IN (1, 2.5)", In(metric("a"), (1.0, 2.5))),
    (RUNS, "start_time NOT IN (1)", In(attribute("start_time"), (1,), True)),
    (RUNS, "params.a IN ('x')", In(param("a"), ("x",))),
    (RUNS, "tags.a not in ('x')", In(tag("a"), ("x",), True)),
    (RUNS, "status IN ('FAILED', 'KILLED')", In(attribute("status"), ("FAILED", "KILLED"))),
    (RUNS, "metrics.a BETWEEN 1 AND 2", Between(metric("a"), 1.0, 2.0)),
    (
        RUNS,
        "metrics.a NOT BETWEEN 1 AND 2 AND params.b = 'x'",
        And((Between(metric("a"), 1.0, 2.0, True), is_(param("b"), "x"))),
    ),
    (RUNS, "start_time between 1 and 2", Between(attribute("start_time"), 1, 2)),
    (RUNS, "dataset.name BETWEEN 'a' AND 'b'", Between(dataset("name"), "a", "b")),
    (RUNS, "metrics.a IS NULL", Null(metric("a"))),
    (RUNS, "end_time IS NOT NULL", Null(attribute("end_time"), True)),
    (RUNS, "dataset.name IS NULL", Null(dataset("name"))),
    (RUNS, "params.a IS NOT  NULL", Null(param("a"), True)),
    (RUNS, r"params.a MATCHES '^a\d+$'", Matches(param("a"), r"^a\d+$")),
    (RUNS, "params.a NOT MATCHES 'x'", Matches(param("a"), "x", True)),
    (RUNS, "run_name RLIKE 'x'", Matches(attribute("run_name"), "x")),
    (RUNS, "params.a NOT LIKE 'x%'", is_(param("a"), "x%", "NOT LIKE")),
    (RUNS, "params.a not ilike 'x%'", is_(param("a"), "x%", "NOT ILIKE")),
    (RUNS, "min(metrics.loss) < 1", is_(metric("loss", "min"), 1.0, "<")),
    (RUNS, "MAX( metric.`val/acc` ) > 1", is_(metric("val/acc", "max"), 1.0, ">")),
    (RUNS, "first(metrics.a) = 1", is_(metric("a", "first"), 1.0)),
    (RUNS, "last(metrics.a) IN (1)", In(metric("a", "last"), (1.0,))),
    (RUNS, "best_step(metrics.a) >= 10", is_(metric("a", "best_step_max"), 10, ">=")),
    (RUNS, "best_step(metrics.a, max) >= 10", is_(metric("a", "best_step_max"), 10, ">=")),
    (RUNS, "best_step(metrics.a, MIN) BETWEEN 1 AND 2", Between(metric("a", "best_step_min"), 1, 2)),
    (RUNS, r"params.a = E'it\'s \"\\\n\x'", is_(param("a"), "it's \"\\\nx")),
    (RUNS, r"params.E'a\'`' = 'x'", is_(param("a'`"), "x")),
    # keys that MLflow's tokenizer trips over
    (RUNS, "tags.from = 'x'", is_(tag("from"), "x")),
    (RUNS, "metrics.1 > 1e+5", is_(metric("1"), 1e5, ">")),
    (EXPERIMENTS, "name IN ('x')", In(attribute("name"), ("x",))),
    (REGISTERED_MODELS, "tags.a IS NULL", Null(tag("a"))),
    (MODEL_VERSIONS, "version_number IN (1, '2')", In(attribute("version_number"), (1, 2))),
    (LOGGED_MODELS, "tags.a IS NOT NULL OR metric.a IN (1)", Or((Null(tag("a"), True), In(metric("a"), (1.0,))))),
]

# text, how the message begins, and the characters that the error points at
REFUSED: list[tuple[Vocabulary, str, str, str]] = [
    (RUNS, "m.a > 1", "Invalid entity type 'm'", "m.a > 1"),
    (RUNS, "METRICS.a > 1", "Invalid entity type 'METRICS'", "METRICS.a"),
    (RUNS, "`tags.a` = 'x'", "Invalid attribute key 'tags.a'", "`tags.a`"),
    (RUNS, "foo = 'a'", "Invalid attribute key 'foo'", "foo"),
    (RUNS, "attributes.foo = 'a'", "Invalid attribute key 'foo'", "foo"),
    (RUNS, "Status = 'FINISHED'", "Invalid attribute key 'Status'", "Status"),
    (RUNS, "params = 'a'", "Invalid attribute key 'params'", "params"),
    (RUNS, "experiment_id = '1'", "Invalid attribute key 'experiment_id'", "experiment_id"),
    (RUNS, "lifecycle_stage = 'active'", "Invalid attribute key 'lifecycle_stage'", "lifecycle"),
    (RUNS, "run.tags.a = 'x'", "Invalid attribute key 'tags.a'", "tags.a"),
    (RUNS, "datasets.foo = 'x'", "Invalid dataset key 'foo'", "foo"),
    (RUNS, "metrics.a > '1'", "Expected numeric value type for metric", "'1'"),
    (RUNS, "metrics.a > nan", "Expected numeric value type for metric", "nan"),
    (RUNS, "metrics.a > 1_000", "Expected numeric value type for metric", "1_000"),
    (RUNS, "metrics.a > 0x10", "Expected numeric value type for metric", "0x10"),
    (RUNS, "metrics.a > 1AND params.b = '1'", "Expected numeric value type for metric", "1AND"),
    (RUNS, "metrics.a > +1", "Expected numeric value type for metric", "+1"),
    (RUNS, "metrics.a > - 1", "Expected numeric value type for metric", "- 1"),
    (RUNS, "metrics.a = (1)", "Expected numeric value type for metric", "(1)"),
    (RUNS, "metrics.a LIKE '1'", "Expected numeric value type for metric", "'1'"),
    (RUNS, "metrics.a IN ('1')", "Expected numeric value type for metric", "'1'"),
    (RUNS, "start_time > '1'", "Expected numeric value type for numeric attribute: start_time", "'1'"),
    (RUNS, "start_time LIKE '1'", "Expected numeric value type for numeric attribute", "'1'"),
    (RUNS, "metrics.a == 1", "Invalid comparator '=='", "=="),
    (RUNS, "metrics.a <> 1", "Invalid comparator '<>'", "<>"),
    (RUNS, "start_time == 1", "Invalid comparator '=='", "=="),
    (RUNS, "metrics.a MATCHES '1'", "Invalid comparator 'MATCHES'", "MATCHES"),
    (RUNS, "params.a > '1'", "Invalid comparator '>'", ">"),
    (RUNS, "params.a =! '1'", "Invalid comparator '=!'", "=!"),
    (RUNS, "tags.a <= 'x'", "Invalid comparator '<='", "<="),
    (RUNS, "run_name >= 'x'", "Invalid comparator '>='", ">="),
    (RUNS, "dataset.name < 'x'", "Invalid comparator '<'", "<"),
    (RUNS, "params.a = 1", "Expected a quoted string value for parameter", "1"),
    (RUNS, "tags.a = -1", "Expected a quoted string value for tag", "-1"),
    (RUNS, "status = 1", "Expected a quoted string value for attributes", "1"),
    (RUNS, "dataset.name = 1", "Expected a quoted string value for dataset attributes", "1"),
    (RUNS, "run_id = ('a')", "Expected a quoted string value for attributes", "("),
    (RUNS, "params.a = a", "Parameter value is either not quoted", "a"),
    (RUNS, "status = FINISHED", "Parameter value is either not quoted", "FINISHED"),
    (RUNS, "params.a = `1`", "Parameter value is either not quoted", "`1`"),
    (RUNS, "params.a = params.b", "Parameter value is either not quoted", "params.b"),
    (RUNS, "run_id IN ()", "While parsing a list in the query", ")"),
    (RUNS, "run_id IN (,'a')", "While parsing a list in the query", ",'a'"),
    (RUNS, "run_id IN ('a' 'b')", "While parsing a list in the query", "'b'"),
    (RUNS, "run_id IN ('a', 'b'", "Invalid clause(s) in filter string", ""),
    (RUNS, "run_id IN 'a'", "Invalid clause(s) in filter string", "'a'"),
    (RUNS, "run_id IN (1)", "Expected a quoted string value for attributes", "1"),
    (RUNS, "metrics.a-b > 1", "Invalid comparison clause", "-b"),
    (RUNS, "metrics.val/loss > 1", "Invalid comparison clause", "/loss"),
    (RUNS, "metrics.a-1 > 1", "Invalid comparison clause", "-1"),
    (RUNS, "'1' = params.a", "Invalid comparison clause", "'1'"),
    (RUNS, "1 < metrics.a", "Invalid comparison clause", "1"),
    (RUNS, "params.a", "Invalid clause(s) in filter string", ""),
    (RUNS, "params.a =", "Invalid clause(s) in filter string", ""),
    (RUNS, "metrics.a >", "Invalid clause(s) in filter string", ""),
    (RUNS, "params.a = '1", "Invalid clause(s) in filter string", "'1"),
    (RUNS, "params.`a = '1'", "Invalid clause(s) in filter string", "`a"),
    (RUNS, "params.a = '1' 'y'", "Invalid clause(s) in filter string", "'y'"),
    (RUNS, "params.a = '1';", "Invalid clause(s) in filter string", ";"),
    (RUNS, "params.a = '1', metrics.b > 1", "Invalid clause(s) in filter string", ","),
    (RUNS, "params.a = '1' && metrics.b > 1", "Invalid clause(s) in filter string", "&&"),
    (RUNS, "metrics.a > 1 -- c", "Invalid clause(s) in filter string", "-"),
    (RUNS, "metrics.a > 1 /* c */", "Invalid clause(s) in filter string", "/*"),
    (RUNS, "metrics.a > = 1", "Expected numeric value type for metric", "="),
    (RUNS, "metrics.a !> 1", "Invalid comparator '!>'", "!>"),
    (RUNS, "params. = 'x'", "Invalid clause(s) in filter string", " ="),
    (RUNS, "tags. a = 'x'", "Invalid clause(s) in filter string", " a"),
    (RUNS, "tags.`a`.b = 'x'", "Invalid clause(s) in filter string", ".b"),
    (RUNS, "tags.a b = 'x'", "Invalid clause(s) in filter string", "b ="),
    (RUNS, "params.a IS 'x'", "Invalid clause(s) in filter string", "'x'"),
    (RUNS, "params.a IS NOT 'x'", "Invalid clause(s) in filter string", "'x'"),
    (RUNS, "params.a NOT NULL", "Invalid clause(s) in filter string", "NULL"),
    (RUNS, "params.a NOT = 'x'", "Invalid clause(s) in filter string", "="),
    (RUNS, "AND", "Invalid clause(s) in filter string", ""),
    (RUNS, "OR params.a = 'x'", "Invalid clause(s) in filter string", "OR"),
    (RUNS, "params.a = 'x' OR", "Invalid clause(s) in filter string", ""),
    (RUNS, "NOT", "Invalid clause(s) in filter string", ""),
    (RUNS, "()", "Invalid clause(s) in filter string", ")"),
    (RUNS, "(params.a = 'x'", "Invalid clause(s) in filter string", ""),
    (RUNS, "params.a = 'x')", "Invalid clause(s) in filter string", ")"),
    (RUNS, "params.a = 'x' (params.b = 'y')", "Invalid clause(s) in filter string", "("),
    (RUNS, "params.a = 'x' NOT params.b = 'y'", "Invalid clause(s) in filter string", "NOT"),
    (RUNS, "params.a = 'x' params.b = 'y' OR params.c = 'z'", "Invalid clause(s) in filter string", "params.b"),
    (RUNS, "AND params.a = 'x' OR params.c = 'z'", "Invalid clause(s) in filter string", "AND"),
    (RUNS, "params.a = 'x' AND AND (params.c = 'z')", "Invalid clause(s) in filter string", "AND ("),
    (RUNS, "params.a BETWEEN 'x'", "Invalid clause(s) in filter string", ""),
    (RUNS, "params.a BETWEEN 'x' OR 'y'", "Invalid clause(s) in filter string", "OR"),
    (RUNS, "params.a MATCHES '(?=x)'", "Invalid clause(s) in filter string", "'(?=x)'"),
    (RUNS, r"params.a MATCHES '(a)\1'", "Invalid clause(s) in filter string", r"'(a)\1'"),
    (RUNS, "params.a RLIKE '('", "Invalid clause(s) in filter string", "'('"),
    (RUNS, "mean(metrics.a) > 1", "Invalid clause(s) in filter string", "mean"),
    (RUNS, "min(params.a) > 1", "Invalid clause(s) in filter string", "params.a"),
    (RUNS, "min(a) > 1", "Invalid clause(s) in filter string", "a)"),
    (RUNS, "min(metrics.a > 1", "Invalid clause(s) in filter string", "> 1"),
    (RUNS, "min(metrics.a, min) > 1", "Invalid clause(s) in filter string", ","),
    (RUNS, "best_step(metrics.a, mean) > 1", "Invalid clause(s) in filter string", "mean"),
    (RUNS, "best_step(metrics.a) > '1'", "Expected numeric value type for metric", "'1'"),
    (RUNS, "params.a = '\0'", "Invalid clause(s) in filter string", "\0"),
    (RUNS, "params.a = '\ud800'", "Invalid clause(s) in filter string", "\ud800"),
    (RUNS, "   ", "Invalid filter", "   "),
    (EXPERIMENTS, "attributes.name = 'x'", "Invalid entity type 'attributes'", "attributes"),
    (EXPERIMENTS, "params.a = 'x'", "Invalid entity type 'params'", "params"),
    (EXPERIMENTS, "metrics.a > 1", "Invalid entity type 'metrics'", "metrics"),
    (EXPERIMENTS, "min(metrics.a) > 1", "Invalid clause(s) in filter string", "min"),
    (EXPERIMENTS, "created > 1", "Invalid attribute key 'created'", "created"),
    (EXPERIMENTS, "experiment_id = 1", "Expected a quoted string value for attributes", "1"),
    (EXPERIMENTS, "experiment_id > '1'", "Invalid comparator '>'", ">"),
    (EXPERIMENTS, "experiment_id LIKE '1'", "Invalid comparator 'LIKE'", "LIKE"),
    (EXPERIMENTS, "experiment_id BETWEEN '1' AND '2'", "Invalid comparator 'BETWEEN'", "BETWEEN"),
    (EXPERIMENTS, "creation_time LIKE 'x'", "Expected numeric value type for numeric attribute", "'x'"),
    (REGISTERED_MODELS, "timestamp > 1", "Invalid attribute key 'timestamp'", "timestamp"),
    (REGISTERED_MODELS, "name > 'x'", "Invalid comparator '>'", ">"),
    (REGISTERED_MODELS, "params.a = 'x'", "Invalid entity type 'params'", "params"),
    (MODEL_VERSIONS, "current_stage = 'x'", "Invalid attribute key 'current_stage'", "current_stage"),
    (MODEL_VERSIONS, "version_number LIKE '1'", "Invalid comparator 'LIKE'", "LIKE"),
    (MODEL_VERSIONS, "version_number = 'x'", "Expected numeric value type for numeric attribute", "'x'"),
    (LOGGED_MODELS, "datasets.name = 'x'", "Invalid entity type 'datasets'", "datasets"),
    (LOGGED_MODELS, "run.name = 'x'", "Invalid entity type 'run'", "run"),
    (LOGGED_MODELS, "name > 'm1'", "Invalid comparison operator '>'", ">"),
    (LOGGED_MODELS, "creation_time == 1", "Invalid comparison operator '=='", "=="),
    (LOGGED_MODELS, "metrics.a > '1'", "Expected numeric value type for metric", "'1'"),
    (LOGGED_MODELS, "experiment_id = 'x'", "Invalid attribute key 'experiment_id'", "experiment_id"),
]


@pytest.mark.parametrize(("vocabulary", "text", "tree"), MLFLOW_ACCEPTS)
def test_what_mlflow_accepts(vocabulary: Vocabulary, text: str, tree: Expression) -> None:
    assert parse_filter(text, vocabulary) == tree


@pytest.mark.parametrize(("vocabulary", "text", "tree"), BEYOND)
def test_what_is_said_beyond_mlflow(vocabulary: Vocabulary, text: str, tree: Expression) -> None:
    assert parse_filter(text, vocabulary) == tree


@pytest.mark.parametrize(("vocabulary", "text", "message", "at"), REFUSED)
def test_what_is_refused(vocabulary: Vocabulary, text: str, message: str, at: str) -> None:
    with pytest.raises(SearchSyntaxError) as caught:
        parse_filter(text, vocabulary)
    assert caught.value.message.startswith(message)
    assert text[caught.value.position :].startswith(at)
    assert bool(at) or caught.value.position == len(text)
    assert caught.value.get_http_status_code() == 400
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_filter_has_no_tree(nothing: str | None) -> None:
    assert parse_filter(nothing, RUNS) is None


def test_a_filter_that_is_no_text() -> None:
    with pytest.raises(SearchSyntaxError, match="Error on parsing filter 5"):
        parse_filter(5, RUNS)  # type: ignore[arg-type]


ORDERS: list[tuple[Vocabulary, str, Order]] = [
    (RUNS, "metrics.a", Order(metric("a"))),
    (RUNS, "metric.`a b` DESC", Order(metric("a b"), False)),
    (RUNS, 'metrics."a/b" desc', Order(metric("a/b"), False)),
    (RUNS, "metrics.a.b ASC", Order(metric("a.b"))),
    (RUNS, "metrics.desc", Order(metric("desc"))),
    (RUNS, '"metrics.a" DESC', Order(metric("a"), False)),
    (RUNS, "`tags.a b`", Order(tag("a b"))),
    (RUNS, " params.a\tAsc ", Order(param("a"))),
    (RUNS, "tags.mlflow.runName DESC", Order(tag("mlflow.runName"), False)),
    (RUNS, "start_time DESC", Order(attribute("start_time"), False)),
    (RUNS, "attributes.end_time", Order(attribute("end_time"))),
    (RUNS, "Created", Order(attribute("start_time"))),
    (RUNS, "run.status", Order(attribute("status"))),
    (RUNS, "run_id", Order(attribute("run_id"))),
    (RUNS, "max(metrics.a) DESC", Order(metric("a", "max"), False)),
    (RUNS, "best_step(metrics.`a/b`, min)", Order(metric("a/b", "best_step_min"))),
    (EXPERIMENTS, "name DESC", Order(attribute("name"), False)),
    (EXPERIMENTS, "attribute.last_update_time", Order(attribute("last_update_time"))),
    (EXPERIMENTS, "experiment_id", Order(attribute("experiment_id"))),
    (REGISTERED_MODELS, "timestamp DESC", Order(attribute("last_updated_timestamp"), False)),
    (REGISTERED_MODELS, "`name`", Order(attribute("name"))),
    (REGISTERED_MODELS, "creation_timestamp", Order(attribute("creation_timestamp"))),
    (MODEL_VERSIONS, "version_number DESC", Order(attribute("version_number"), False)),
    (MODEL_VERSIONS, "last_updated_timestamp", Order(attribute("last_updated_timestamp"))),
]


@pytest.mark.parametrize(("vocabulary", "clause", "order"), ORDERS)
def test_order_clauses(vocabulary: Vocabulary, clause: str, order: Order) -> None:
    assert parse_order([clause], vocabulary) == [order]


BAD_ORDERS: list[tuple[Vocabulary, str, str, str]] = [
    (RUNS, "", "Invalid order_by clause", ""),
    (RUNS, "DESC", "Invalid attribute key 'DESC'", "DESC"),
    (RUNS, "metrics.a foo", "Invalid ordering key in order_by clause", "foo"),
    (RUNS, "metrics.a DESC NULLS LAST", "Invalid order_by clause", "NULLS"),
    (RUNS, "metrics.a,metrics.b", "Invalid order_by clause", ","),
    (RUNS, "metrics.a/b", "Invalid order_by clause", "/b"),
    (RUNS, "metrics.a; drop", "Invalid order_by clause", "; drop"),
    (RUNS, "-metrics.a", "Invalid order_by clause", "-metrics"),
    (RUNS, "(metrics.a)", "Invalid order_by clause", "("),
    (RUNS, "`metrics.a", "Invalid order_by clause", "`metrics"),
    (RUNS, "METRICS.a", "Invalid entity type 'METRICS'", "METRICS"),
    (RUNS, "foo.bar", "Invalid entity type 'foo'", "foo"),
    (RUNS, "foo", "Invalid attribute key 'foo'", "foo"),
    (RUNS, "`Run Name`", "Invalid attribute key 'Run Name'", "`Run"),
    (RUNS, "dataset.name", "Invalid identifier type 'dataset'", "dataset"),
    (EXPERIMENTS, "tags.a", "Invalid identifier type 'tag'", "tags"),
    (EXPERIMENTS, "creation_timestamp", "Invalid attribute key 'creation_timestamp'", "creation"),
    (REGISTERED_MODELS, "version_number", "Invalid order by key 'version_number'", "version"),
    (MODEL_VERSIONS, "run_id", "Invalid attribute key 'run_id'", "run_id"),
]


@pytest.mark.parametrize(("vocabulary", "clause", "message", "at"), BAD_ORDERS)
def test_bad_order_clauses(vocabulary: Vocabulary, clause: str, message: str, at: str) -> None:
    with pytest.raises(SearchSyntaxError) as caught:
        parse_order([clause], vocabulary)
    assert caught.value.message.startswith(message)
    assert clause[caught.value.position :].startswith(at)


def test_an_order_names_a_field_once() -> None:
    with pytest.raises(SearchSyntaxError, match="`order_by` contains duplicate fields"):
        parse_order(["start_time", "created DESC"], RUNS)
    assert parse_order(["name", "name DESC"], EXPERIMENTS) == [Order(attribute("name"))]
    assert parse_order(None, RUNS) == []


def test_an_order_clause_that_is_no_text() -> None:
    with pytest.raises(SearchSyntaxError, match="Invalid order_by clause 5"):
        parse_order([5], RUNS)  # type: ignore[list-item]


def test_order_of_logged_models() -> None:
    class Clause:
        field_name, ascending, dataset_name, dataset_digest = "metrics.a", False, "d", "1"

    clauses = [
        {"field_name": "name"},
        {"field_name": "creation_time", "ascending": False},
        {"field_name": "metrics.val-acc/x"},
        {"field_name": "metrics.`a b`"},
        {"field_name": "metrics.a", "dataset_name": "d", "dataset_digest": "2"},
        Clause(),
        {"field_name": "max(metrics.a)"},
        {"field_name": "name", "ascending": False},
    ]
    assert order_of_logged_models(clauses) == [
        Order(attribute("name")),
        Order(attribute("creation_timestamp"), False),
        Order(metric("val-acc/x")),
        Order(metric("a b")),
        Order(metric("a"), True, "d", "2"),
        Order(metric("a"), False, "d", "1"),
        Order(metric("a", "max")),
    ]
    assert order_of_logged_models(None) == []


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ({"field_name": "metric.a"}, "Invalid order by field name: 'metric'"),
        ({"field_name": "params.a"}, "Invalid order by field name: 'params'"),
        ({"field_name": "foo"}, "Invalid order by field name: 'foo'"),
        ({"field_name": ""}, "Invalid order by field name: ''"),
        ({"field_name": "mean(metrics.a)"}, "Invalid order by field name: expected one of the functions"),
        ({"ascending": True}, "`field_name` in the `order_by` clause must be specified"),
        ({"field_name": "name", "ascending": "x"}, "Value of `ascending` in the `order_by` clause must be a boolean"),
        (
            {"field_name": "metrics.a", "dataset_digest": "x"},
            "`dataset_digest` can only be specified if `dataset_name`",
        ),
        ("name", "`order_by` must be a list of dictionaries"),
    ],
)
def test_bad_order_of_logged_models(clause: object, message: str) -> None:
    with pytest.raises(SearchSyntaxError) as caught:
        order_of_logged_models([clause])
    assert caught.value.message.startswith(message)
