"""Forgetting read models, so that the log is read again from the start. Only Postgres is touched; nobody is called."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from dispatch.errors import Malformed, Unavailable
from dispatch.identifiers import Site
from dispatch.projections import checkpoints
from dispatch.projections.models import all_projections
from dispatch.projections.projection import Projection


async def rebuild(dsn: str, site: Site | str, names: Sequence[str] = ()) -> list[str]:
    """Forget the read models `names` (all when none is given) of `site`; gives the names.

    A running projector notices within two seconds and reads the log again. Raises `Malformed` for a name
    that is no read model, `Unavailable` when Postgres does not answer.
    """
    chosen = _chosen(names)
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, asyncpg.PostgresError) as error:
        raise Unavailable(f"Postgres does not answer: {str(error) or type(error).__name__}") from error
    try:
        for projection in chosen:
            async with connection.transaction():
                # The checkpoint first: whoever writes rows holds it, and finds it gone afterwards.
                await connection.execute(checkpoints.queries.forget, site, projection.name)
                await connection.execute(projection.queries.clear, site)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"Postgres could not forget the read models: {error}") from error
    finally:
        await connection.close()
    return [projection.name for projection in chosen]


def _chosen(names: Sequence[str]) -> list[Projection]:
    known = {projection.name: projection for projection in all_projections()}
    for name in names:
        if name not in known:
            raise Malformed(f"there is no read model {name!r}; there are {', '.join(known)}", field="projection")
    return [known[name] for name in names or known]
