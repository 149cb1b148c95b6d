"""Which actor gets which task, without any process."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from search.backends.ray.placement import Actor, Role, Task, TaskQueue, spread


def test_an_utterance_alone_is_spread() -> None:
    assert spread([None] * 8, {0: 0, 1: 0}, 2) == [0, 0, 0, 0, 1, 1, 1, 1]
    assert Counter(spread([0] * 16, {0: 0, 1: 0, 2: 0, 3: 0}, 4)) == {0: 6, 1: 4, 2: 3, 3: 3}
    # not into pieces that are worth no worker
    assert spread([None] * 8, {0: 0, 1: 0, 2: 0}, 3, smallest=4) == [0, 0, 0, 0, 1, 1, 1, 1]
    assert spread([None] * 7, {0: 0, 1: 0}, 2, smallest=4) == [0] * 7


def test_with_many_utterances_each_stays_where_it_is() -> None:
    assert spread([1] * 8, {0: 8, 1: 8}, 1) == [1] * 8
    assert spread([1] * 8, {0: 8, 1: 15}, 1) == [1] * 8
    assert spread([None] * 8, {0: 8, 1: 4}, 1) == [1] * 8


def test_beams_leave_a_worker_that_has_far_more_than_its_share() -> None:
    assert spread([1] * 8, {0: 0, 1: 4}, 1) == [0] * 8
    # copies of one beam, side by side, of which those at the end move
    assert spread([0] * 8, {0: 0, 1: 0}, 2) == [0] * 6 + [1] * 2
    assert spread([0] * 8, {0: 8, 1: 0}, 2) == [1] * 8


def test_beams_of_the_dead_go_to_the_least_busy() -> None:
    assert spread([2, 2, 0], {0: 5, 1: 0}, 1) == [1, 1, 1]
    assert spread([2, 2, 0, 0], {0: 0, 1: 0}, 2) == [1, 1, 0, 0]


@given(
    holders=st.lists(st.none() | st.integers(0, 6), max_size=40),
    loads=st.dictionaries(st.integers(0, 4), st.integers(0, 100), min_size=1),
    share=st.integers(1, 6),
    smallest=st.integers(1, 8),
)
def test_every_beam_has_a_place(
    holders: list[int | None], loads: dict[int, int], share: int, smallest: int
) -> None:
    places = spread(holders, loads, share, smallest)
    assert len(places) == len(holders)
    assert set(places) <= loads.keys()
    assert len(set(places)) <= max(1, min(share, len(holders) // smallest))
    assert places == spread(holders, dict(loads), share, smallest)
    if len(set(places)) > 1 and len(set(loads.values())) == 1:
        # equally busy workers: none gets far more than its share
        used = min(share, len(loads), len(holders) // smallest)
        assert max(Counter(places).values()) <= 1.5 * -(-len(holders) // used) + 1


def queue_of(actors: int = 2, limit: int = 2, attempts: int = 3) -> TaskQueue:
    return TaskQueue([Actor(number, "all", ready=True) for number in range(actors)], limit, attempts)


def task(name: object, preferred: int | None = None, role: Role = "generate") -> Task:
    return Task(role, name, preferred)


def handed_out(queue: TaskQueue) -> list[tuple[int, object]]:
    return [(actor.number, task.arguments) for actor, task in queue.hand_out(0.0)]


def die(queue: TaskQueue, number: int, *, ready: bool = False) -> list[Task]:
    """The actor dies; `ready`: its successor is there at once."""
    actor = queue.actors[number]
    queue.actors[number] = actor.successor(0.0, restarts=1000)
    queue.actors[number].ready = ready
    return queue.lose(actor)


def done(queue: TaskQueue, number: int, task: Task) -> None:
    queue.actors[number].running.remove(task)


def test_a_task_goes_to_the_actor_that_it_prefers_or_else_to_the_least_busy() -> None:
    queue = queue_of()
    queue.waiting.extend(task(name, preferred) for name, preferred in enumerate([1, 1, None, 0]))
    assert handed_out(queue) == [(1, 0), (1, 1), (0, 2), (0, 3)]


def test_no_actor_gets_more_than_the_limit_and_tasks_wait_for_the_one_that_they_prefer() -> None:
    queue = queue_of()
    tasks = [task(name, 1) for name in range(4)]
    queue.waiting.extend(tasks)
    assert handed_out(queue) == [(1, 0), (1, 1)]
    assert not handed_out(queue)
    done(queue, 1, tasks[0])
    assert handed_out(queue) == [(1, 2)]


def test_no_task_waits_for_an_actor_that_is_being_started() -> None:
    queue = queue_of()
    queue.actors[1].ready = False
    queue.waiting.append(task(0, 1))
    assert handed_out(queue) == [(0, 0)]


def test_tasks_of_an_actor_that_died_are_each_done_by_an_actor_that_does_nothing_else() -> None:
    queue = queue_of(actors=2, limit=4)
    first, second, other = task(0, 0), task(1, 0), task(2, 1)
    queue.waiting.extend([first, second, other])
    handed_out(queue)
    assert die(queue, 0) == []
    # the other actor is busy: it gets nothing new until it can take a suspect task
    queue.waiting.append(task(3, 1))
    assert handed_out(queue) == []
    done(queue, 1, other)
    assert handed_out(queue) == [(1, 0)]
    queue.actors[0].ready = True
    assert handed_out(queue) == [(0, 1)]
    assert handed_out(queue) == []
    done(queue, 0, second)
    assert handed_out(queue) == [(0, 3)]
    assert die(queue, 1) == []
    assert first.deaths == 2


def test_after_its_attempts_a_task_is_given_up() -> None:
    queue = queue_of(actors=1, attempts=2)
    bad, good = task("bad"), task("good")
    queue.waiting.extend([good, bad])
    handed_out(queue)
    assert die(queue, 0, ready=True) == []
    assert handed_out(queue) == [(0, "good")]
    done(queue, 0, good)
    assert handed_out(queue) == [(0, "bad")]
    assert die(queue, 0) == [bad]
    assert not queue.waiting


def test_tasks_that_nobody_waits_for_are_not_begun_again() -> None:
    """They would be done alone, while an actor gets nothing else."""
    queue = queue_of(actors=2, limit=4, attempts=2)
    left, right, late = task(0, 0), task(1, 0), task(2, 0)
    queue.waiting.extend([left, right])
    handed_out(queue)
    queue.waiting.append(late)
    queue.forget([left, late])
    assert not queue.waiting
    assert die(queue, 0) == []
    assert handed_out(queue) == [(1, 1)]
    queue.forget([right])
    assert die(queue, 1) == []
    assert not queue.waiting


def test_roles_are_kept_apart() -> None:
    queue = TaskQueue([Actor(0, "generate", ready=True), Actor(1, "score", ready=True)], 2, 2)
    queue.waiting.extend([task(0, 0, "score"), task(1, 1)])
    assert handed_out(queue) == [(1, 0), (0, 1)]
    queue.actors[1].gone, queue.actors[1].ready = True, False
    lost = task(2, role="score")
    queue.waiting.extend([lost, task(3)])
    assert queue.hopeless() == [lost]
    assert len(queue.waiting) == 1


def test_an_actor_that_dies_too_often_in_a_row_is_gone_and_its_counts_go_on() -> None:
    actor = Actor(3, "score", ready=True, answers=7, since=10.0)
    after = actor.successor(15.0, restarts=1)
    assert (after.number, after.name, after.answers, after.restarts) == (3, "verifier 3", 7, 1)
    assert not (after.ready or after.gone) and after.seconds_ready(99.0) == 5.0
    last = after.successor(20.0, restarts=1)
    assert last.gone and last.restarts == 1 and not last.takes("score")


@settings(max_examples=200)
@given(st.data())
def test_all_innocent_tasks_are_done_whatever_dies_when(data: st.DataObject) -> None:
    """Tasks of which some kill whoever works on them, and deaths for no reason, but few in a row."""
    count = data.draw(st.integers(1, 4))
    queue = queue_of(count, data.draw(st.integers(1, 4)), attempts=3)
    kinds = data.draw(st.lists(st.booleans(), min_size=1, max_size=12))
    poison = {name for name, kills in enumerate(kinds) if kills}
    queue.waiting.extend(
        task(name, data.draw(st.none() | st.integers(0, count - 1))) for name in range(len(kinds))
    )
    finished, given_up = set(), set()
    for turn in range(1000):
        assert all(len(actor.running) <= queue.limit for actor in queue.actors)
        assert all(len(actor.running) == 1 for actor in queue.actors if actor.isolated)
        handed_out(queue)
        busy = [actor for actor in queue.actors if actor.running]
        if not busy:
            if not queue.waiting:
                break
            for actor in queue.actors:
                actor.ready = True
            continue
        actor = data.draw(st.sampled_from(busy)) if turn < 60 else busy[0]
        unlucky = turn < 60 and not actor.isolated and data.draw(st.integers(0, 9)) == 0
        if unlucky or any(task.arguments in poison for task in actor.running):
            given_up |= {task.arguments for task in die(queue, actor.number, ready=bool(turn % 2))}
        else:
            finished.add(actor.running.pop(0).arguments)
    assert finished == set(range(len(kinds))) - poison
    assert given_up == poison
