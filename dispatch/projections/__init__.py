"""Read models: what the log says, kept in Postgres for boards, timelines and statistics. They can always be rebuilt.

A read model is one module and its `.sql` in `models/`, and a migration.
"""

from dispatch.projections.again import ProjectAgain
from dispatch.projections.models import all_projections
from dispatch.projections.projection import Change, Projection
from dispatch.projections.projector import Projector
from dispatch.projections.queries import ReadModels
from dispatch.projections.rebuild import Compared, Progress, projections_named, rebuild, rebuilding

__all__ = [
    "Change", "Compared", "Progress", "ProjectAgain", "Projection", "Projector", "ReadModels", "all_projections",
    "projections_named", "rebuild", "rebuilding",
]  # fmt: skip
