"""Who gets which work, without any worker."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from search.backends.ray.placement import Board, Seat, Unit, spread

BOTH = frozenset({"speak", "listen"})


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


def board(seats: int = 2, limit: int = 2, attempts: int = 3) -> Board:
    return Board([Seat(BOTH, ready=True) for _ in range(seats)], limit, attempts)


def sent(given: Board) -> list[tuple[int, Unit]]:
    return list(given.send(0.0))


def test_work_goes_where_it_wishes_or_else_to_the_least_busy() -> None:
    it = board()
    units = [Unit("speak", n, wish) for n, wish in enumerate([1, 1, None, 0])]
    it.waiting.extend(units)
    assert [(seat, unit.work) for seat, unit in sent(it)] == [(1, 0), (1, 1), (0, 2), (0, 3)]


def test_nobody_gets_more_than_the_limit_and_work_waits_for_who_has_what_it_needs() -> None:
    it = board()
    units = [Unit("speak", n, 1) for n in range(4)]
    it.waiting.extend(units)
    assert [(seat, unit.work) for seat, unit in sent(it)] == [(1, 0), (1, 1)]
    assert not sent(it)
    it.done(1, units[0])
    assert [(seat, unit.work) for seat, unit in sent(it)] == [(1, 2)]


def test_nobody_waits_for_a_worker_that_is_being_started() -> None:
    it = board()
    it.seats[1].ready = False
    it.waiting.append(Unit("speak", 0, 1))
    assert [seat for seat, _ in sent(it)] == [0]


def test_what_was_there_when_a_worker_died_is_done_alone() -> None:
    it = board(seats=2, limit=4)
    first, second, other = Unit("speak", 0, 0), Unit("speak", 1, 0), Unit("speak", 2, 1)
    it.waiting.extend([first, second, other])
    sent(it)
    assert it.died(0) == []
    # the other seat is busy: it gets nothing new until it can take a suspect
    it.waiting.append(Unit("speak", 3, 1))
    assert sent(it) == []
    it.done(1, other)
    assert sent(it) == [(1, first)]
    it.seats[0].ready = True
    assert sent(it) == [(0, second)]
    assert sent(it) == []
    it.done(0, second)
    assert [(seat, unit.work) for seat, unit in sent(it)] == [(0, 3)]
    assert it.died(1) == []
    assert first.deaths == 2


def test_after_its_attempts_a_unit_is_given_up() -> None:
    it = board(seats=1, attempts=2)
    bad, good = Unit("speak", "bad"), Unit("speak", "good")
    it.waiting.extend([good, bad])
    sent(it)
    assert it.died(0) == []
    it.seats[0].ready = True
    assert sent(it) == [(0, good)]
    it.done(0, good)
    assert sent(it) == [(0, bad)]
    assert it.died(0) == [bad]
    assert not it.waiting


def test_what_nobody_waits_for_is_not_begun_again() -> None:
    """Else it would be done alone, while a seat gets nothing else."""
    it = board(seats=2, limit=4, attempts=2)
    left, right, late = Unit("speak", 0, 0), Unit("speak", 1, 0), Unit("speak", 2, 0)
    it.waiting.extend([left, right])
    sent(it)
    it.waiting.append(late)
    it.forget(left)
    it.forget(late)
    assert not it.waiting
    assert it.died(0) == []
    assert sent(it) == [(1, right)]
    it.seats[0].ready = True
    it.forget(right)
    assert it.died(1) == []
    assert not it.waiting


def test_roles_are_kept_apart() -> None:
    it = Board([Seat(frozenset({"speak"}), ready=True), Seat(frozenset({"listen"}), ready=True)], 2, 2)
    it.waiting.extend([Unit("listen", 0, 0), Unit("speak", 1, 1)])
    assert [(seat, unit.work) for seat, unit in sent(it)] == [(1, 0), (0, 1)]
    it.seats[1].gone, it.seats[1].ready = True, False
    lost = Unit("listen", 2)
    it.waiting.extend([lost, Unit("speak", 3)])
    assert it.give_up() == [lost]
    assert len(it.waiting) == 1


@settings(max_examples=200)
@given(st.data())
def test_all_innocent_work_is_done_whatever_dies_when(data: st.DataObject) -> None:
    """Units of which some kill whoever works on them, and deaths that nobody deserves, but few in a row."""
    seats = data.draw(st.integers(1, 4))
    it = board(seats, data.draw(st.integers(1, 4)), attempts=3)
    kinds = data.draw(st.lists(st.booleans(), min_size=1, max_size=12))
    poison = {n for n, kills in enumerate(kinds) if kills}
    it.waiting.extend(
        Unit("speak", n, data.draw(st.none() | st.integers(0, seats - 1))) for n in range(len(kinds))
    )
    done, given_up = set(), set()
    for turn in range(1000):
        assert all(len(seat.running) <= it.limit for seat in it.seats)
        assert all(len(seat.running) == 1 for seat in it.seats if seat.alone)
        list(it.send(turn))
        busy = [n for n, seat in enumerate(it.seats) if seat.running]
        if not busy:
            if not it.waiting:
                break
            for seat in it.seats:
                seat.ready = True
            continue
        number = data.draw(st.sampled_from(busy)) if turn < 60 else busy[0]
        seat = it.seats[number]
        unlucky = turn < 60 and not seat.alone and data.draw(st.integers(0, 9)) == 0
        if unlucky or any(unit.work in poison for unit in seat.running):
            given_up |= {unit.work for unit in it.died(number)}
            if turn % 2:
                seat.ready = True
        else:
            unit = seat.running[0]
            it.done(number, unit)
            done.add(unit.work)
    assert done == set(range(len(kinds))) - poison
    assert given_up == poison
