"""Placing work on Ray: actors of one or two kinds; one that dies is replaced and its item tried again, then halved.

``connection`` starts a Ray or joins one, ``demand`` says what a worker takes and how many fit, ``place`` makes of both
what the options ask for; ``pool`` hires the workers and replaces the dead, ``attempts`` counts the deaths of an item,
``worker`` is the actor itself. Only these files know Ray.
"""

from harness.runner.cluster.connection import joined_ray, local_ray
from harness.runner.cluster.demand import Demand
from harness.runner.cluster.place import ray_place
from harness.runner.cluster.pool import RayPlace

__all__ = ["Demand", "RayPlace", "joined_ray", "local_ray", "ray_place"]
