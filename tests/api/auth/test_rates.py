"""Rates: buckets that fill again, one for a key and one for its tenant."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.api.auth import rates
from relayline.api.auth.rates import Buckets, Standing, class_of, headers_of
from relayline.contracts.access.rates import Rate, RateClass, Rates, parse_rates
from relayline.contracts.principals import ANYBODY, Principal, Scope

READ, SUBMIT, STEER = RateClass.READ, RateClass.SUBMIT, RateClass.STEER


def principal(key: str | None = "k1", tenant: str = "acme", subject: str = "ada") -> Principal:
    return Principal(subject, tenant, frozenset(Scope), "key" if key else "oidc", key)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def buckets(per_key: str = "", per_tenant: str = "", clock: Clock | None = None) -> Buckets:
    return Buckets(parse_rates(per_key), parse_rates(per_tenant), clock or Clock())


def taken(standing: Standing | None) -> bool:
    assert standing is not None
    return standing.left >= 0


def test_a_bucket_takes_its_quota_at_once_and_fills_with_time() -> None:
    clock = Clock()
    limited = buckets("read=10/s", clock=clock)
    assert [taken(limited.take(principal(), READ)) for _ in range(12)] == [True] * 10 + [False] * 2
    clock.now += 0.1
    assert taken(limited.take(principal(), READ))
    assert not taken(limited.take(principal(), READ))
    clock.now += 3600
    assert sum(taken(limited.take(principal(), READ)) for _ in range(20)) == 10


def test_classes_keys_and_subjects_do_not_share_a_bucket() -> None:
    limited = buckets("read=1/m,submit=1/m")
    for who in (principal("k1"), principal("k2"), principal(None), principal(None, subject="eve")):
        assert taken(limited.take(who, READ))
        assert taken(limited.take(who, SUBMIT))
        assert limited.take(who, STEER) is None
        assert not taken(limited.take(who, READ))


def test_a_subject_of_another_tenant_is_another() -> None:
    limited = buckets("read=1/m")
    assert taken(limited.take(principal(None, "acme"), READ))
    assert taken(limited.take(principal(None, "beta"), READ))


def test_the_keys_of_a_tenant_share_its_bucket() -> None:
    limited = buckets(per_tenant="read=2/m")
    assert taken(limited.take(principal("k1"), READ))
    assert taken(limited.take(principal("k2"), READ))
    empty = limited.take(principal("k3"), READ)
    assert empty
    assert (empty.name, empty.wait_s) == ("tenant-read", 30)
    assert taken(limited.take(principal("k1", "beta"), READ))


def test_what_one_bucket_refuses_is_not_taken_from_the_other() -> None:
    limited = buckets("read=1/m", "read=3/m")
    assert taken(limited.take(principal("k1"), READ))
    for _ in range(5):
        assert not taken(limited.take(principal("k1"), READ))
    assert taken(limited.take(principal("k2"), READ))
    assert taken(limited.take(principal("k3"), READ))


def test_without_authentication_there_are_no_rates() -> None:
    assert buckets("read=1/m").take(ANYBODY, READ) is None


def test_buckets_are_forgotten_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "MAX_BUCKETS", 10)
    limited = buckets("read=1/m")
    assert all(taken(limited.take(principal(f"k{number}"), READ)) for number in range(50))
    assert not taken(limited.take(principal("k49"), READ))
    assert taken(limited.take(principal("k0"), READ))


@given(
    quota=st.integers(1, 50),
    window_s=st.sampled_from([1, 60, 3600]),
    pauses=st.lists(st.floats(0, 100), max_size=80),
)
def test_no_window_has_more_than_twice_the_quota(
    quota: int, window_s: int, pauses: list[float]
) -> None:
    clock, rate = Clock(), Rate(quota, window_s)
    limited = Buckets({READ: rate}, {}, clock)
    times = []
    for pause in pauses:
        clock.now += pause
        if taken(limited.take(principal(), READ)):
            times.append(clock.now)
    for at in times:
        assert sum(at <= it < at + window_s for it in times) <= 2 * quota
    assert all(earlier <= later for earlier, later in pairwise(times))


@given(quota=st.integers(1, 1000), taking=st.integers(1, 40))
def test_after_the_seconds_that_it_names_a_bucket_takes_one(quota: int, taking: int) -> None:
    clock = Clock()
    limited = Buckets({READ: Rate(quota, 60)}, {}, clock)
    for _ in range(quota + taking):
        standing = limited.take(principal(), READ)
    assert standing
    assert standing.left < 0
    clock.now += standing.wait_s
    assert taken(limited.take(principal(), READ))


def test_headers_tell_policy_rest_and_seconds() -> None:
    limited = buckets("submit=4/m")
    standing = limited.take(principal(), SUBMIT)
    assert standing
    assert headers_of(standing) == {
        "RateLimit-Policy": '"key-submit";q=4;w=60',
        "RateLimit": '"key-submit";r=3;t=15',
    }


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/runs", READ),
        ("HEAD", "/v1/runs", READ),
        ("POST", "/v1/runs", SUBMIT),
        ("POST", "/v1/batches", SUBMIT),
        ("POST", "/v1/schedules", SUBMIT),
        ("POST", "/v1/schedules/a/trigger", SUBMIT),
        ("DELETE", "/v1/schedules/a", STEER),
        ("POST", "/v1/runs/run_1/cancel", STEER),
        ("POST", "/v1/batches/batch_1/cancel", STEER),
    ],
)
def test_each_request_has_a_class(method: str, path: str, expected: RateClass) -> None:
    assert class_of(method, path) is expected


def test_rates_are_read() -> None:
    expected: Rates = {SUBMIT: Rate(20, 1), STEER: Rate(600, 60), READ: Rate(9000, 3600)}
    assert parse_rates(" submit=20/s, steer=600/m,read=9000/h ") == expected
    assert not parse_rates("")


@pytest.mark.parametrize(
    "text", ["submit", "submit=0/s", "write=1/s", "read=1/d", "read=1/s,read=2/s"]
)
def test_malformed_rates_say_why(text: str) -> None:
    with pytest.raises(ValueError, match="submit=20/s"):
        parse_rates(text)
