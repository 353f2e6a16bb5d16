from saga.engine.core import Engine
from tests.engine.core.bench import Bench, creation
from tests.engine.core.scenario import play


def test_keys_rise_and_are_given_once(bench: Bench) -> None:
    play(bench)
    first: dict[str, set[int]] = {}
    for record in bench.log:
        if record.record_type == "EVENT" and record.key != -1:
            first.setdefault(f"{record.value_type} {record.intent}", set()).add(record.key)
    made = [
        record.key
        for record in bench.log
        if record.record_type == "EVENT"
        and record.intent in {"CREATED", "ELEMENT_ACTIVATING", "PUBLISHED"}
        and record.value_type not in {"PROCESS", "FORM", "DEPLOYMENT"}
    ]
    assert made == sorted(made)
    assert len(made) == len(set(made))


def test_an_instance_comes_before_its_elements_and_an_element_before_what_comes_of_it(bench: Bench) -> None:
    play(bench)
    for record in bench.events("PROCESS_INSTANCE", "ELEMENT_ACTIVATING"):
        assert record.value["flowScopeKey"] < record.key
        assert record.value["processInstanceKey"] <= record.key
    for value_type in ("JOB", "INCIDENT", "USER_TASK", "PROCESS_MESSAGE_SUBSCRIPTION"):
        for record in bench.events(value_type, "CREATED"):
            assert record.value["processInstanceKey"] <= record.value["elementInstanceKey"] < record.key


def test_a_log_begins_with_its_seed_and_its_first_key() -> None:
    engine = Engine()
    (record,) = engine.begin(seed=5, first_key=1_000, now=17)
    assert (record.position, record.source, record.key, record.timestamp) == (1, -1, -1, 17)
    assert record.value == {"seed": 5, "firstKey": (1 << 51) + 1_000, "format": 1}


def test_a_key_that_was_taken_back_with_its_command_may_be_given_but_never_one_that_stands_in_the_log(
    bench: Bench,
) -> None:
    play(bench)
    highest = max(record.key for record in bench.log)
    restored = Engine()
    restored.restore(bench.engine.snapshot(), bench.engine.position)
    bench.send("PROCESS_INSTANCE_CREATION", "CREATE", **creation("order"))
    answer = bench.do("MESSAGE", "PUBLISH", name="x", correlationKey="", messageId="", timeToLive=0, variables="")
    assert answer["messageKey"] > highest


def test_positions_rise_by_one_and_each_event_names_the_command_that_caused_it(bench: Bench) -> None:
    play(bench)
    assert [record.position for record in bench.log] == list(range(1, len(bench.log) + 1))
    commands = {record.position for record in bench.log if record.record_type == "COMMAND"}
    for record in bench.log[1:]:
        assert record.source < record.position
        assert record.source in commands or (record.source == -1 and record.record_type == "COMMAND")


def test_a_command_and_all_that_follows_have_one_time(bench: Bench) -> None:
    play(bench)
    times = {record.position: record.timestamp for record in bench.log}
    for record in bench.log[1:]:
        assert record.timestamp == times.get(record.source, record.timestamp)
