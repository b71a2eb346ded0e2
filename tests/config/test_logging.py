import logging

import pytest

from config.api.logging import OneLineFormatter, current_request_id


@pytest.fixture
def line():
    formatter = OneLineFormatter("[%(request_id)s] %(message)s")
    return lambda message, exc_info=None: formatter.format(
        logging.LogRecord("x", logging.INFO, "x.py", 1, message, (), exc_info)
    )


@pytest.mark.parametrize(
    "message",
    [
        "GET /models?api_key=hunter2&page=1",
        "GET https://generativelanguage.example/v1?key=hunter2",
        "reset?token=hunter2",
        '{"api_key": "hunter2"}',
        "Authorization: Bearer hunter2hunter2",
        "authorization: bearer hunter2hunter2",
        "presented mdx_hunter2_abc",
        "presented sk-or-v1-hunter2",
        "postgresql://modeldex:hunter2@db/modeldex",
    ],
)
def test_a_credential_is_masked(line, message):
    assert "hunter2" not in line(message)
    assert "[masked]" in line(message)


def test_ordinary_words_stay(line):
    message = "[-] task-management: synced openai/gpt-4o, page=1, 3 keys, max_tokens 4096"
    assert line(message.removeprefix("[-] ")) == message


def test_a_record_is_one_line_without_control_characters(line):
    assert line("a\r\nFAKE\x1b[31m\u2028\u202eb") == r"[-] a\r\nFAKE\x1b[31m\u2028\u202eb"


def test_a_traceback_is_one_line_too(line):
    try:
        raise ValueError("mdx_hunter2")
    except ValueError as error:
        text = line("failed", (type(error), error, error.__traceback__))
    assert "\n" not in text
    assert "hunter2" not in text
    assert "ValueError" in text


def test_the_request_id_is_on_each_line(line):
    token = current_request_id.set("req-1")
    try:
        assert line("hello") == "[req-1] hello"
    finally:
        current_request_id.reset(token)
