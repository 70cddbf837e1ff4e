"""Find shortest paths in a road network by Dijkstra's algorithm.

Edsger Dijkstra thought of the method in 1956 in a cafe in Amsterdam, in about twenty minutes and without pen and
paper, and published it in 1959. It settles places in the order of their distance from the start: once a place has
been taken from the queue, no shorter way to it can be found, because no road has a negative length. With a binary
heap the running time grows as (V + E) log V for V places and E roads.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

Roads = Mapping[str, Mapping[str, float]]


def network(roads: Iterable[tuple[str, str, float]]) -> dict[str, dict[str, float]]:
    """Build a two-way road network from (place, place, kilometres)."""
    graph: dict[str, dict[str, float]] = {}
    for here, there, kilometres in roads:
        if kilometres < 0:
            raise ValueError(f"the road from {here} to {there} has a negative length: {kilometres}")
        graph.setdefault(here, {})[there] = kilometres
        graph.setdefault(there, {})[here] = kilometres
    return graph


def shortest_path(graph: Roads, start: str, goal: str) -> tuple[float, list[str]]:
    """Return the length of the shortest path from `start` to `goal`, and the places along it.

    A place may be in the queue several times with different distances. Only the first, shortest one counts, and the
    later ones are skipped when they come up; this is simpler than changing entries inside a heap and just as fast.

    Raises:
        LookupError: when no road leads from `start` to `goal`.
    """
    queue = [(0.0, start)]
    distance = {start: 0.0}
    came_from: dict[str, str] = {}
    settled: set[str] = set()
    while queue:
        so_far, place = heapq.heappop(queue)
        if place in settled:
            continue
        if place == goal:
            return so_far, trace(came_from, start, goal)
        settled.add(place)
        for neighbour, kilometres in graph.get(place, {}).items():
            length = so_far + kilometres
            if length < distance.get(neighbour, float("inf")):
                distance[neighbour] = length
                came_from[neighbour] = place
                heapq.heappush(queue, (length, neighbour))
    raise LookupError(f"no road leads from {start} to {goal}")


def trace(came_from: Mapping[str, str], start: str, goal: str) -> list[str]:
    """Walk back from `goal` to `start` and return the places in the order of travel."""
    path = [goal]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]


if __name__ == "__main__":
    roads = network(
        [
            ("Seoul", "Daejeon", 160),
            ("Seoul", "Gangneung", 230),
            ("Daejeon", "Daegu", 150),
            ("Daejeon", "Gwangju", 170),
            ("Gangneung", "Pohang", 260),
            ("Daegu", "Pohang", 90),
            ("Daegu", "Busan", 110),
            ("Gwangju", "Busan", 260),
            ("Pohang", "Busan", 110),
        ]
    )
    kilometres, places = shortest_path(roads, "Seoul", "Busan")
    print(f"{kilometres:.0f} km: {' - '.join(places)}")
