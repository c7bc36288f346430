"""A judge behind an address keeps going, or says why not, whatever the server does."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
import time
import traceback

import pytest
from chat_server import refused, said, serving

from rag.errors import InputError, JudgeFailed, MissingExtra, PromptTooLong
from rag.eval.judges.asking import Inquiry, Unreadable
from rag.eval.judges.endpoint import endpoint, endpoint_judge
from rag.eval.judges.forms import verdicts_form
from rag.types import Claim

KEY = "sk-a-secret-0123456789"
INQUIRY = Inquiry("Judge.", "<<k text>>", "Give 1 verdict.", verdicts_form(1), 200, seed=5)
GOOD = json.dumps({"verdicts": [{"number": 1, "reason": "it says so", "verdict": True}]})
CLAIM = Claim("Leave is ten days.", ("Leave is ten days.",), "How long is leave?")


@pytest.fixture
def serve():
    with serving() as start:
        yield start


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAG_JUDGE_KEY", "OPENAI_API_KEY", "OPENAI_ORG_ID"):
        monkeypatch.delenv(name, raising=False)


def ask(url: str, **named):
    named = {"timeout_s": 5.0, "tries": 3, "wait_s": 0.01, **named}
    return endpoint(url, "small", **named)


def judge(url: str, **named):
    return endpoint_judge(url, "small", timeout_s=5.0, tries=1, **named)


def test_a_good_reply_is_read_and_the_request_has_schema_seed_and_temperature(serve):
    served = serve(lambda body, number: said(GOOD))
    assert ask(served.url)(INQUIRY)["verdicts"][0]["verdict"] is True
    (sent,) = served.sent
    assert sent["response_format"]["json_schema"]["schema"] == INQUIRY.schema
    assert (sent["seed"], sent["temperature"], sent["max_tokens"], sent["model"]) == (5, 0.0, 200, "small")
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


def test_too_many_requests_and_errors_of_the_server_are_tried_again(serve):
    replies = [refused(429, "slow down", Retry_After="0.2"), refused(503, "busy"), said(GOOD)]
    served = serve(lambda body, number: replies[number])
    start = time.monotonic()
    assert ask(served.url)(INQUIRY)["verdicts"]
    assert len(served.sent) == 3
    assert time.monotonic() - start >= 0.2


def test_a_server_that_fails_for_ever_is_given_up_and_soon_not_waited_for(serve):
    served = serve(lambda body, number: refused(500, "broken"))
    asks = ask(served.url)
    counts = []
    for _ in range(5):
        before = len(served.sent)
        with pytest.raises(JudgeFailed, match=r"did not answer, asked .* status 500"):
            asks(INQUIRY)
        counts.append(len(served.sent) - before)
    assert counts == [3, 3, 3, 1, 1]
    served.replies = lambda body, number: said(GOOD)
    assert asks(INQUIRY)["verdicts"]
    served.replies = lambda body, number: refused(500, "broken") if number % 2 else said(GOOD)
    assert asks(INQUIRY)["verdicts"]


def test_a_server_that_hangs_or_drips_runs_out_of_time(serve):
    served = serve(lambda body, number: (served.stopped.wait(20), said(GOOD))[1])
    start = time.monotonic()
    with pytest.raises(JudgeFailed, match=r"no (whole )?answer in 0.2 s"):
        ask(served.url, timeout_s=0.2, tries=2)(INQUIRY)
    status, _, data = said(GOOD)
    served.replies = lambda body, number: (status, {"Drip": "yes"}, data)
    with pytest.raises(JudgeFailed, match=r"no whole answer in 0.5 s"):
        ask(served.url, timeout_s=0.5, tries=1)(INQUIRY)
    assert time.monotonic() - start < 5


def test_a_server_that_drips_its_headers_runs_out_of_time():
    stopped = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"b" * 200:
                connection.sendall(bytes([byte]))
                if stopped.wait(0.05):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=drip, args=(listening,))
        server.start()
        start = time.monotonic()
        with pytest.raises(JudgeFailed, match=r"no whole answer in 0.5 s"):
            ask(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", timeout_s=0.5, tries=1)(INQUIRY)
        took = time.monotonic() - start
        stopped.set()
        server.join()
    assert took < 3


def test_the_name_tells_servers_of_one_host_apart():
    names = [ask(f"http{s}://host:9/{path}").name for s in ("", "s") for path in ("v1", "v1/", "other/v1")]
    assert names[0] == names[1] == "small at http://host:9/v1" and len(set(names)) == 4


def test_nobody_at_the_address_is_a_readable_failure():
    with pytest.raises(JudgeFailed, match="connection failed"):
        ask("http://127.0.0.1:9/v1", tries=2)(INQUIRY)


@pytest.mark.parametrize(
    ("status", "mend"), [(401, "RAG_JUDGE_KEY"), (403, "RAG_JUDGE_KEY"), (404, "the model's name")]
)
def test_what_trying_again_does_not_mend_is_not_tried_again(serve, status, mend):
    served = serve(lambda body, number: refused(status, "no"))
    with pytest.raises(JudgeFailed, match=mend):
        ask(served.url)(INQUIRY)
    assert len(served.sent) == 1


def test_a_server_without_schemas_is_asked_for_plain_json_from_then_on(serve):
    def replies(body, number):
        if "response_format" in body:
            return refused(400, "this server knows no such thing")
        return said(f"Sure! Here it is:\n```json\n{GOOD}\n```")

    served = serve(replies)
    asks = ask(served.url)
    assert asks(INQUIRY) == json.loads(GOOD)
    assert asks(INQUIRY) == json.loads(GOOD)
    assert ["response_format" in body for body in served.sent] == [True, False, False]


def test_options_that_a_server_names_are_left_out(serve):
    def replies(body, number):
        for name in ("max_tokens", "temperature", "seed"):
            if name in body:
                return refused(400, f"Unsupported parameter: '{name}'; use max_completion_tokens")
        return said(GOOD)

    served = serve(replies)
    assert ask(served.url)(INQUIRY)
    assert "response_format" in served.sent[-1]
    assert served.sent[-1]["max_completion_tokens"] > 200
    assert len(served.sent) == 4


def test_a_request_that_is_refused_whatever_is_left_out_fails(serve):
    served = serve(lambda body, number: refused(400, "seed temperature max_tokens no"))
    with pytest.raises(JudgeFailed, match="refuses to judge, 400"):
        ask(served.url)(INQUIRY)
    assert len(served.sent) == 5


def test_a_prompt_that_is_too_long_is_named_as_that(serve):
    served = serve(lambda body, number: refused(400, "This model's maximum context length is 512 tokens"))
    with pytest.raises(PromptTooLong):
        ask(served.url)(INQUIRY)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (said("I would rather not say."), "no JSON object"),
        (said(GOOD[:-10]), ""),
        (said(None), "said nothing"),
        (said(None, message={"role": "assistant", "content": None, "refusal": "I cannot."}), "I cannot"),
        (said(GOOD, finish_reason="content_filter"), "filtered"),
        ((200, {}, b"<html>a portal</html>"), "no JSON object"),
        ((200, {}, b"[1]"), "no JSON object"),
        ((200, {}, b'{"choices": [{}]}'), "no message"),
        ((200, {}, b'{"error": "x"}'), "no message"),
    ],
)
def test_a_reply_that_holds_no_verdict_is_unreadable_and_then_missing(serve, reply, why):
    served = serve(lambda body, number: reply)
    (verdict,) = judge(served.url).supported([CLAIM])
    assert verdict.value is None
    assert verdict.reason
    assert why in verdict.reason
    assert len(served.sent) == 3


def test_thoughts_before_the_reply_are_passed_over(serve):
    served = serve(lambda body, number: said(f'<think>{{"verdicts": []}} hm</think>\n{GOOD}'))
    assert ask(served.url)(INQUIRY) == json.loads(GOOD)


def test_no_more_requests_are_under_way_than_allowed(serve):
    def replies(body, number):
        time.sleep(0.03)
        return said(GOOD)

    served = serve(replies)
    claims = [Claim(f"Leave is {n} days.", (f"Leave is {n} days.",)) for n in range(12)]
    verdicts = judge(served.url, concurrency=3).supported(claims)
    assert [verdict.value for verdict in verdicts] == [1.0] * 12
    assert 2 <= served.most_at_once <= 3


def test_the_key_comes_from_the_argument_or_the_environment(serve, monkeypatch):
    served = serve(lambda body, number: said(GOOD))
    ask(served.url)(INQUIRY)
    monkeypatch.setenv("OPENAI_API_KEY", "second")
    ask(served.url)(INQUIRY)
    monkeypatch.setenv("RAG_JUDGE_KEY", "first")
    ask(served.url)(INQUIRY)
    ask(served.url, key=KEY)(INQUIRY)
    keys = [headers["Authorization"].removeprefix("Bearer ") for headers in served.headers]
    assert keys == ["none", "second", "first", KEY]


def test_a_key_for_another_server_is_not_sent_unencrypted(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert ask("http://models.example:8000/v1")._client.api_key == "none"
    assert ask("https://models.example:8000/v1")._client.api_key == KEY


def test_the_organisation_of_the_environment_is_not_sent(serve, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    served = serve(lambda body, number: said(GOOD))
    ask(served.url)(INQUIRY)
    assert "org-mine" not in json.dumps(served.headers)


def test_the_key_is_nowhere_to_be_seen(serve, caplog):
    """A server that says it back, in errors and in replies, and logs at their most talkative."""
    replies = [
        refused(401, f"wrong key {KEY}"),
        refused(500, f"{KEY}"),
        refused(400, f"response_format {KEY}"),
        said(GOOD.replace("it says so", f"the key is {KEY}")),
        said(f"no {KEY}"),
    ]
    served = serve(lambda body, number: replies[number % len(replies)])
    seen = []
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            asks = endpoint_judge(served.url, "small", key=KEY, tries=1)
            seen += [repr(asks), str(asks), asks.name, repr(asks.asks)]
            for _ in range(4):
                try:
                    seen.append(repr(asks.supported([CLAIM])))
                except JudgeFailed as error:
                    seen.append("".join(traceback.format_exception(error)))
    seen += [record.getMessage() for record in caplog.records]
    together = "\n".join(seen)
    assert "***" in together
    assert KEY not in together


NO_ADDRESS = ["localhost:8000", "ftp://x/v1", "", "http://x:99999/v1", "http://[x/v1"]


@pytest.mark.parametrize("url", [*NO_ADDRESS, f"https://me:{KEY}@x.example/v1", f"https://x/v1?key={KEY}"])
def test_an_address_that_is_none_or_holds_a_key_is_refused_without_showing_it(url):
    with pytest.raises(InputError) as caught:
        ask(url)
    assert KEY not in str(caught.value)


def test_numbers_out_of_range_and_a_broken_key_are_refused():
    for named in ({"timeout_s": 0}, {"tries": 0}, {"concurrency": 0}, {"timeout_s": float("nan")}):
        with pytest.raises(InputError):
            ask("http://localhost/v1", **named)
    with pytest.raises(InputError) as caught:
        ask("http://localhost/v1", key=f"{KEY}\nX: y")
    assert KEY not in str(caught.value)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtra, match="pip install"):
        ask("http://localhost/v1")


def test_what_no_text_can_hold_is_in_no_reason(serve):
    served = serve(lambda body, number: said(None, message={"content": None, "refusal": f"no \ud800 {KEY}"}))
    (verdict,) = judge(served.url, key=KEY).supported([CLAIM])
    assert verdict.reason.encode()
    assert KEY not in verdict.reason
    served.replies = lambda body, number: refused(400, "\ud800 no")
    with pytest.raises(JudgeFailed) as caught:
        judge(served.url).supported([CLAIM])
    assert str(caught.value).encode()


def test_unreadable_is_a_failure_of_the_judge():
    assert issubclass(Unreadable, JudgeFailed)
