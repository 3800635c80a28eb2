"""Which files a scope holds, those without a result among them."""

from sqlalchemy import Connection, select

from schema.scope import Scope, within
from schema.tables import Session, SourceFile


def file_ids(connection: Connection, scope: Scope) -> frozenset[int]:
    """The ids of these files, of every state and revision."""
    query = select(SourceFile.id).outerjoin(Session, Session.id == SourceFile.session_id)
    return frozenset(connection.execute(within(query, scope)).scalars())
