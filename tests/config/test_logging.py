import logging
import time

import pytest

from config.api.logging import OneLineFormatter, current_request_id
from tests.machine import seconds


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
        "GET /x?authorization=Bearer%20mdx_hunter2",
        "GET /x?authorization=Bearer+hunter2",
        "GET /x?Authorization=Basic%20hunter2hunter2",
        "GET /x?k=%6ddx_hunter2",
        "GET /x?k=%256ddx_hunter2&page=1",
        "GET /x?k=%25256d%25256%34x_hunter2",
        "GET /x?k=%2525252525256ddx_hunter2",
        "GET /x?api%5Fkey=hunter2",
        "GET /models/AIzaSyhunter2",
        "GET /callback?code=hunter2&state=1",
        "GET /export/hunter2/api.json",
        "GET /accounts/password/reset/MQ/hunter2",
        "GET /x/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.hunter2",
        "presented gsk_hunter2",
        "GET /x?accessToken=hunter2",
        "GET /x?apikey[]=hunter2",
        "GET /x?key%5B%5D=hunter2",
        "GET /x?sessionid=hunter2",
        "POST /x?csrfmiddlewaretoken=hunter2",
        "GET /x?pass=hunter2&auth=hunter2&sig=hunter2",
        "GET /x?passphrase=hunter2",
        "GET /callback?state=1;Code=hunter2",
        "GET //export//hunter2/api.json",
        "presented ghs_hunter2",
        "presented glpat-hunter2",
        "presented sk_live_hunter2",
    ],
)
def test_a_credential_is_masked(line, message):
    assert "hunter2" not in line(message)
    assert "[masked]" in line(message)


def test_ordinary_words_stay(line):
    message = "[-] task-management: synced openai/gpt-4o, page=1, 3 keys, max_tokens 4096"
    assert line(message.removeprefix("[-] ")) == message


def test_an_encoded_address_without_a_credential_stays_as_it_was_sent(line):
    message = "GET /api/models/openai%2Fgpt-4o?query=a%20b%2525 100%"
    assert line(message) == f"[-] {message}"


PIECES = (
    "a.", "a_", "a-", "a", " ", "\x00", "\u202e", "%61", "%25", "%61 ", "%25252561 ", "%", "key=", "key ", "key=bearer ",
    "bearer+", "bearer ", "://", "://a:", "a:@", "mdx_", "sk-", "hf_ ", "eyJ", "eyJ.", "?code=", "/export/", "/", "token", "session", "gh", "xox", '"key": "',
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("before", ["", "key", "bearer", "://", "mdx_"])
def test_64_kb_of_anything_cost_less_than_20_ms(line, piece, before):
    text = before + piece * (65_536 // len(piece))
    spent = []
    for _ in range(3):
        began = time.process_time()
        line(text)
        spent.append(time.process_time() - began)
    assert min(spent) < seconds(0.02)


def test_of_a_long_text_the_end_is_kept_and_no_half_of_a_credential(line):
    text = line("begin " + "x " * 20_000 + "mdx_" + "hunter2" * 3_000 + " end")
    assert (text[:9], text[-3:], len(text) < 20_000) == ("[-] begin", "end", True)
    assert "hunter2" not in text


def test_every_handler_of_the_application_and_so_of_the_server_writes_by_the_same_formatter(settings):
    config = settings.LOGGING
    formatters = {handler["formatter"] for handler in config["handlers"].values()}
    assert {config["formatters"][name]["()"] for name in formatters} == {"config.api.logging.OneLineFormatter"}


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
