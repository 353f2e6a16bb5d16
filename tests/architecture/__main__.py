"""Print the figures of the floor plan: `python -m tests.architecture`."""

import sys
from collections import Counter

from tests.architecture.imports import circle, levels, module_graph, modules, naming, room_graph, room_of
from tests.architecture.plan import PROCESS_WORDS


def main() -> None:
    """Print them."""
    graph = module_graph()
    rooms = room_graph(graph)
    per_room = Counter(room_of(name) for name in graph)
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in modules().values())
    facts = {
        "modules": len(graph),
        "lines": lines,
        "rooms": len(rooms),
        "modules in the largest room": max(per_room.values()),
        "levels of modules": "circle" if circle(graph) else levels(graph),
        "levels of rooms": "circle" if circle(rooms) else levels(rooms),
        "arrows between rooms": sum(map(len, rooms.values())),
        "modules of the library that name the order": len(naming(PROCESS_WORDS)),
    }
    sys.stdout.writelines(f"{name:45}{value:>8}\n" for name, value in facts.items())


if __name__ == "__main__":
    main()
