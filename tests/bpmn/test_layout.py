"""A person who opens the diagram sees all of it, in order."""

from itertools import combinations, pairwise

from tests.bpmn.diagram import BPMNDI, LINES, TASKS, Box, Diagram, kind

SIZES = {
    "serviceTask": (100, 80),
    "userTask": (100, 80),
    "exclusiveGateway": (50, 50),
    "startEvent": (36, 36),
    "endEvent": (36, 36),
    "boundaryEvent": (36, 36),
    "intermediateThrowEvent": (36, 36),
}


def test_every_element_is_drawn_once_and_nothing_else_is(diagram: Diagram) -> None:
    drawn = [
        (drawing.tag.removeprefix(BPMNDI), drawing.attrib["bpmnElement"], drawing.attrib["id"])
        for drawing in diagram.root.iter()
        if drawing.tag in {f"{BPMNDI}BPMNShape", f"{BPMNDI}BPMNEdge"}
    ]
    assert sorted(drawn) == sorted(
        ("BPMNEdge" if kind(e) in LINES else "BPMNShape", e.attrib["id"], f"{e.attrib['id']}_di")
        for e in diagram.drawn()
    )


def test_every_shape_has_modelers_size(diagram: Diagram) -> None:
    shapes = diagram.shapes()
    odd = {
        e.attrib["id"]: shapes[e.attrib["id"]].size
        for e in diagram.all(*SIZES)
        if shapes[e.attrib["id"]].size != SIZES[kind(e)]
    }
    assert odd == {}


def test_every_shape_lies_on_the_grid(diagram: Diagram) -> None:
    # As Modeler snaps: an event or gateway by its centre, whatever else by its corner.
    shapes = diagram.shapes()
    by_centre = {e.attrib["id"] for e in diagram.all(*SIZES) if kind(e) not in TASKS}
    anchors = {id_: box.centre if id_ in by_centre else (box.left, box.top) for id_, box in shapes.items()}
    assert {id_: (x, y) for id_, (x, y) in anchors.items() if x % 10 or y % 10} == {}


def test_no_shape_overlaps_another_but_a_boundary_event_its_task_and_a_subprocess_its_content(
    diagram: Diagram,
) -> None:
    def belong_together(one: str, other: str) -> bool:
        first, second = diagram.by_id[one], diagram.by_id[other]
        attached = first.attrib.get("attachedToRef") == other or second.attrib.get("attachedToRef") == one
        return attached or diagram.parent[first] is second or diagram.parent[second] is first

    overlapping = [
        (one, other)
        for (one, box), (other, box_) in combinations(diagram.shapes().items(), 2)
        if box.meets(box_) and not belong_together(one, other)
    ]
    assert overlapping == []


def test_a_subprocess_is_expanded_around_its_content_and_the_contents_names(diagram: Diagram) -> None:
    shapes, labels = diagram.shapes(), diagram.labels()
    expanded = {
        s.attrib["bpmnElement"] for s in diagram.root.iter(f"{BPMNDI}BPMNShape") if s.get("isExpanded") == "true"
    }
    subprocesses = diagram.all("subProcess")
    assert {s.attrib["id"] for s in subprocesses} == expanded
    for subprocess in subprocesses:
        around = shapes[subprocess.attrib["id"]]
        content = [child.attrib["id"] for child in subprocess if "id" in child.attrib]
        boxes = [box for id_ in content for box in (shapes.get(id_), labels.get(id_)) if box]
        assert all(box.within(around) for box in boxes), subprocess.attrib["name"]


def test_every_event_and_split_shows_its_name_beside_it(diagram: Diagram) -> None:
    beside = {
        e.attrib["id"] for e in diagram.all(*SIZES, "sequenceFlow") if kind(e) not in TASKS and "name" in e.attrib
    }
    assert set(diagram.labels()) == beside
    everything = [*diagram.shapes().values()]
    left, right = min(b.left for b in everything) - 40, max(b.right for b in everything) + 40
    top, bottom = min(b.top for b in everything), max(b.bottom for b in everything)
    canvas = Box(max(left, 0), max(top, 0), right, bottom)
    assert {id_: box for id_, box in diagram.labels().items() if not box.within(canvas)} == {}


def test_no_name_covers_a_shape_a_line_or_another_name(diagram: Diagram) -> None:
    labels = diagram.labels()
    others = [(id_, box) for id_, box in diagram.shapes().items() if kind(diagram.by_id[id_]) != "subProcess"]
    others += list(diagram.segments())
    covered = [(id_, other) for id_, label in labels.items() for other, box in others if label.meets(box)]
    covered += [(one, other) for (one, a), (other, b) in combinations(labels.items(), 2) if a.meets(b)]
    assert covered == []


def test_every_line_runs_square_from_border_to_border(diagram: Diagram) -> None:
    shapes = diagram.shapes()
    for id_, points in diagram.lines().items():
        line = diagram.by_id[id_].attrib
        assert shapes[line["sourceRef"]].has_on_its_border(*points[0]), id_
        assert shapes[line["targetRef"]].has_on_its_border(*points[-1]), id_
        assert all(x == u or y == v for (x, y), (u, v) in pairwise(points)), id_


def test_no_line_crosses_a_line_or_a_shape(diagram: Diagram) -> None:
    lines = list(diagram.segments())
    crossed = [(one, other) for (one, a), (other, b) in combinations(lines, 2) if one != other and a.meets(b)]
    for id_, segment in lines:
        ends = diagram.by_id[id_].attrib
        crossed += [
            (id_, other)
            for other, box in diagram.shapes().items()
            if kind(diagram.by_id[other]) != "subProcess"
            and other not in {ends["sourceRef"], ends["targetRef"]}
            and segment.meets(box)
        ]
    assert crossed == []


def test_the_happy_path_is_one_straight_line_and_each_undo_lies_below_its_step(diagram: Diagram) -> None:
    shapes = diagram.shapes()
    start = diagram.all("startEvent")[0]
    path = [shapes[e.attrib["id"]] for e in diagram.path(start.attrib["id"])]
    assert len({box.centre[1] for box in path}) == 1
    assert [box.left for box in path] == sorted(box.left for box in path)
    for association in diagram.all("association"):
        handler = diagram.by_id[association.attrib["targetRef"]]
        if handler.get("isForCompensation"):
            undo = diagram.by_id[association.attrib["sourceRef"]]
            step, below = shapes[undo.attrib["attachedToRef"]], shapes[handler.attrib["id"]]
            assert step.left == below.left
            assert step.bottom < below.top
