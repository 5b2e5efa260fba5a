"""Comments on versions, in SQL."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, update

from millstream.entities.approval import Comment
from millstream.errors import CommentNotFound, MissingValue, PermissionDenied
from millstream.operations import (
    CommentAnswer,
    CommentPage,
    CreateComment,
    DeleteComment,
    ListComments,
    UpdateComment,
)
from millstream.operations.limits import check_page
from millstream.search.sql import Clause
from millstream.stores.sql.ordering import VALUE, Key, fingerprint, read_token, write_token
from millstream.stores.sql.registry.changes import Change, moment_of_change, record
from millstream.stores.sql.registry.checks import check_comment
from millstream.stores.sql.registry.reading import change_version, find_model, find_version
from millstream.stores.sql.registry.tables import model_versions, registry_comments
from millstream.stores.sql.transaction import Transaction, executes

COMMENTS_PAGE = 1_000
_TABLE = registry_comments


def _select() -> Select[Any]:
    return select(_TABLE, model_versions.c.name.label("name"), model_versions.c.version.label("version")).join(
        model_versions, model_versions.c.id == _TABLE.c.model_version
    )


def _said(text: str) -> str:
    comment = check_comment(text)
    if comment is None:
        raise MissingValue.named("comment")
    return comment


def _comment(transaction: Transaction, row: Row[Any]) -> Comment:
    own = row.user_id == transaction.principal.name
    return Comment(
        id=row.comment_id,
        name=row.name,
        version=str(row.version),
        user_id=row.user_id,
        comment=row.comment,
        creation_timestamp=row.creation_timestamp,
        last_updated_timestamp=row.last_updated_timestamp,
        available_actions=["EDIT_COMMENT", "DELETE_COMMENT"] if own else [],
    )


@executes(CreateComment)
def create(transaction: Transaction, operation: CreateComment) -> CommentAnswer:
    text = _said(operation.comment)
    model, version = change_version(transaction, operation.name, operation.version)
    now, comment_id = moment_of_change(model), uuid.uuid4().hex
    transaction.connection.execute(
        insert(_TABLE).values(
            comment_id=comment_id,
            model=model.id,
            model_version=version.id,
            user_id=transaction.principal.name,
            comment=text,
            creation_timestamp=now,
            last_updated_timestamp=now,
        )
    )
    record(transaction, model, Change("comment.created", version.version, comment_id, told={"comment": text}), now)
    return CommentAnswer(_comment(transaction, _find(transaction, comment_id)))


def _find(transaction: Transaction, comment_id: str) -> Row[Any]:
    row = transaction.connection.execute(_select().where(_TABLE.c.comment_id == comment_id)).one_or_none()
    if row is None:
        raise CommentNotFound(
            f"Comment with id={comment_id} not found", hint="list_comments(…) lists those on a version with their ids"
        )
    return row


def _own(transaction: Transaction, comment_id: str) -> tuple[Row[Any], Row[Any]]:
    """The row of a comment of the one who asks, and of its model, about to change."""
    found = _find(transaction, comment_id)
    model = find_model(transaction, found.name, change=True)
    found = _find(transaction, comment_id)
    if found.user_id != transaction.principal.name:
        raise PermissionDenied(
            f"this comment is by {found.user_id}, and only its author may change or remove it",
            hint="write a comment of your own",
        )
    return model, found


@executes(UpdateComment)
def change(transaction: Transaction, operation: UpdateComment) -> CommentAnswer:
    text = _said(operation.comment)
    model, found = _own(transaction, operation.id)
    now = moment_of_change(model)
    transaction.connection.execute(
        update(_TABLE).where(_TABLE.c.id == found.id).values(comment=text, last_updated_timestamp=now)
    )
    record(transaction, model, Change("comment.updated", found.version, operation.id, told={"comment": text}), now)
    return CommentAnswer(_comment(transaction, _find(transaction, operation.id)))


@executes(DeleteComment)
def remove(transaction: Transaction, operation: DeleteComment) -> None:
    model, found = _own(transaction, operation.id)
    transaction.connection.execute(delete(_TABLE).where(_TABLE.c.id == found.id))
    record(transaction, model, Change("comment.deleted", found.version, operation.id), moment_of_change(model))


@executes(ListComments)
def comments(transaction: Transaction, operation: ListComments) -> CommentPage:
    limit = check_page(operation.max_results, COMMENTS_PAGE)
    if operation.version is not None:
        version = find_version(transaction, operation.name, operation.version)
        of, query = ("version", version.id), _select().where(_TABLE.c.model_version == version.id)
    else:
        model = find_model(transaction, operation.name)
        of, query = ("model", model.id), _select().where(_TABLE.c.model == model.id)
    made_by = fingerprint("comments", *of)
    rows, token = newest_first(transaction, query, _TABLE.c.id, made_by, operation.page_token, limit)
    return CommentPage([_comment(transaction, row) for row in rows], token)


def newest_first(
    transaction: Transaction, query: Select[Any], number: Any, of: bytes, page_token: str | None, limit: int
) -> tuple[list[Row[Any]], str | None]:
    """A page of the rows of ``query`` by ``number`` (the column ``id``) downward, and the token of the next one."""
    after = read_token(page_token, of, [Key(Clause("id"), False)])
    if after is not None:
        query = query.where(number < after[0][1])
    rows = list(transaction.connection.execute(query.order_by(number.desc()).limit(limit + 1)).all())
    token = write_token(of, ((VALUE, rows[limit - 1].id),)) if len(rows) > limit else None
    return rows[:limit], token


