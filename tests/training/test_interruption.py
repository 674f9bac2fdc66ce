"""Signals as requests, and as errors."""

import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from nnjax.training.interruption import Interrupted, raising, requests

NUMBERS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]


@pytest.fixture(autouse=True)
def handlers_are_put_back():
    before = [signal.getsignal(number) for number in NUMBERS]
    yield
    assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_asks(number):
    with requests() as request:
        assert not request
        os.kill(os.getpid(), number)
        assert request
        assert request.signal_number == number


def test_the_second_signal_insists():
    with requests() as request:
        os.kill(os.getpid(), signal.SIGTERM)
        assert request
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_closing_terminal_and_slurm_only_ask_however_often(number):
    with requests() as request:
        for _ in range(3):
            os.kill(os.getpid(), number)
        assert request.signal_number == number
        # The first signal that insists still asks.
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), number)
        assert request.signal_number == number
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_only_asks_does_not_break_off_what_saves_the_run():
    saved = []

    def save():
        with raising(lambda: "stopped"):
            try:
                os.kill(os.getpid(), signal.SIGHUP)
            finally:
                os.kill(os.getpid(), signal.SIGHUP)
                os.kill(os.getpid(), signal.SIGUSR1)
                saved.append(True)

    with pytest.raises(Interrupted, match="stopped") as raised:
        save()
    assert raised.value.signal_number == signal.SIGHUP
    assert saved == [True]


def test_a_process_that_nohup_started_outlives_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with requests() as request, raising(lambda: "stopped"):
            os.kill(os.getpid(), signal.SIGHUP)
            assert not request
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", NUMBERS)
def test_raising(number):
    with pytest.raises(Interrupted, match="stopped") as raised, raising(lambda: "stopped"):
        os.kill(os.getpid(), number)
    assert raised.value.signal_number == number


def test_a_second_signal_inside_requests_raises_where_that_was_asked_for():
    def insist():
        with raising(lambda: "stopped"), requests() as request:
            os.kill(os.getpid(), signal.SIGINT)
            assert request
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="stopped") as raised:
        insist()
    assert raised.value.signal_number == signal.SIGTERM


def test_an_error_that_a_library_catches_is_a_request_then():
    asked = []

    def swallow():
        with raising(lambda: "stopped"):
            with contextlib.suppress(Exception):
                os.kill(os.getpid(), signal.SIGTERM)
            with requests() as request:
                asked.append(request.signal_number)

    with pytest.raises(Interrupted, match="stopped"):
        swallow()
    assert asked == [signal.SIGTERM]


class Swallows:
    """Raises inside a finaliser, where Python reports an error and goes on."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)


def test_an_error_lost_in_a_callback_is_a_request_then(capsys):
    asked = []

    def finalise():
        with raising(lambda: "stopped"):
            Swallows()
            with requests() as request:
                asked.append(request.signal_number)

    with pytest.raises(Interrupted, match="stopped") as raised:
        finalise()
    assert asked == [signal.SIGTERM]
    assert raised.value.signal_number == signal.SIGTERM
    assert "Traceback" not in capsys.readouterr().err
    with requests() as request:
        assert not request


def test_outside_the_main_thread_signals_stay_as_they_are():
    def use():
        with requests() as request, raising(lambda: "stopped"):
            return bool(request)

    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(use).result()
