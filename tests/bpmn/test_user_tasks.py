"""A person is asked by a Camunda user task: Tasklist and `saga tasks` show it, and no worker can take it for a job."""

from tests.bpmn.diagram import ZEEBE, Diagram, task_definition


def test_every_user_task_is_a_camunda_user_task_and_no_job(diagram: Diagram) -> None:
    tasks = diagram.all("userTask")
    assert [len(list(task.iter(f"{ZEEBE}userTask"))) for task in tasks] == [1] * len(tasks)
    assert [task_definition(task) for task in tasks] == [{}] * len(tasks)
