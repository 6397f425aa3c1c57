from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import OperationalError, connection, transaction

from tenants.locks import ATTEMPTS, Lock, retry_deadlocks, take

pytestmark = pytest.mark.usefixtures("db")


def test_a_deadlock_is_retried_until_both_are_done():
    barrier = Barrier(2)
    calls = []

    @retry_deadlocks
    def lock_both(names):
        calls.append(names)
        with transaction.atomic():
            take(Lock.ISOLATION, names[0], until_commit=True)
            if len(calls) <= 2:
                barrier.wait(30)
            take(Lock.ISOLATION, names[1], until_commit=True)
        return names

    def call(names):
        try:
            return lock_both(names)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(call, ["ab", "ba"]))

    assert (done, len(calls)) == (["ab", "ba"], 3)


@pytest.mark.parametrize("in_transaction", [False, True])
def test_what_is_no_deadlock_or_cannot_begin_anew_is_raised_at_once(committed, in_transaction):
    calls = []

    @retry_deadlocks
    def fail():
        calls.append(1)
        with connection.cursor() as cursor:
            state = "deadlock_detected" if in_transaction else "disk_full"
            cursor.execute(f"DO $$ BEGIN RAISE '%', 'now' USING ERRCODE = '{state}'; END $$")

    def call():
        if in_transaction:
            with transaction.atomic():
                fail()
        else:
            fail()

    with pytest.raises(OperationalError, match="now"):
        committed(call)
    assert len(calls) == 1 < ATTEMPTS
