"""The stand-in of the model's API: it answers like the real one, does what a script says, and refuses what is wrong."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pco.sim import model as package
from pco.sim.model import KEY, Model

TOOLS = [{"name": "Bash", "description": "runs", "input_schema": {"type": "object"}}]
SAY = {"text": "An answer that is longer than one piece of a stream, so that there are several."}
RUN = {"text": "I run it.", "tool": "Bash", "input": {"command": "ls", "description": "look"}}


@pytest.fixture
def model():
    """A server without rules."""
    with Model() as serving:
        yield serving


def rules(*steps, match=""):
    """One rule."""
    return [{"match": match, "steps": list(steps)}]


def user(words):
    """A message of a person."""
    return {"role": "user", "content": [{"type": "text", "text": words}]}


def send(model, method, path, body=None, key=KEY, **headers):
    """One request; the response, and its body as bytes, as far as it came."""
    connection = http.client.HTTPConnection(urlsplit(model.url).netloc, timeout=20)
    try:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, {"x-api-key": key, "content-type": "application/json", **headers})
        response = connection.getresponse()
        try:
            return response, response.read()
        except http.client.IncompleteRead as cut:
            return response, cut.partial
    finally:
        connection.close()


def ask(model, /, *messages, stream=False, **more):
    """A message as the agent sends it; the response and what came."""
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": list(messages) or [user("Hello")]}
    return send(model, "POST", "/v1/messages?beta=true", {**body, "tools": TOOLS, "stream": stream, **more})


def answer(model, /, *messages, **more):
    """The answer, not streamed."""
    response, data = ask(model, *messages, **more)
    assert response.status == 200, data
    return json.loads(data)


def events(data):
    """The events of a stream: each is two lines and an empty one."""
    found = []
    for part in data.decode().split("\n\n")[:-1]:
        name, told = part.split("\n")
        assert name.startswith("event: ") and told.startswith("data: ")
        found.append((name[7:], json.loads(told[6:])))
    return found


def said(answered):
    """Its texts."""
    return "".join(part["text"] for part in answered["content"] if part["type"] == "text")


def test_a_stream_has_the_events_of_the_real_one_in_their_order(model):
    model.set_rules(rules({**RUN, "usage": {"input_tokens": 7, "output_tokens": 3}}))

    response, data = ask(model, stream=True)

    assert response.status == 200
    assert response.getheader("content-type").startswith("text/event-stream")
    assert response.getheader("request-id").startswith("req_")
    told = events(data)
    assert [name for name, _ in told if name != "content_block_delta"] == [
        "message_start",
        "ping",
        *["content_block_start", "content_block_stop"] * 2,
        "message_delta",
        "message_stop",
    ]
    assert all(event["type"] == name for name, event in told)
    begun = told[0][1]["message"]
    assert (begun["role"], begun["content"], begun["stop_reason"]) == ("assistant", [], None)
    assert begun["usage"]["input_tokens"] == 7
    ended = next(event for name, event in told if name == "message_delta")
    assert (ended["delta"]["stop_reason"], ended["usage"]["output_tokens"]) == ("tool_use", 3)


def test_what_a_stream_says_in_pieces_is_what_is_said_at_once(model):
    model.set_rules(rules({**SAY, "tool": "Bash", "input": {"command": "ls – ünïcödé"}}))

    whole, (_, data) = answer(model), ask(model, stream=True)

    deltas = [event for name, event in events(data) if name == "content_block_delta"]
    texts = [event["delta"]["text"] for event in deltas if event["delta"]["type"] == "text_delta"]
    inputs = [event["delta"]["partial_json"] for event in deltas if event["delta"]["type"] == "input_json_delta"]
    assert len(texts) > 1
    assert "".join(texts) == said(whole) == SAY["text"]
    assert json.loads("".join(inputs)) == whole["content"][1]["input"] == {"command": "ls – ünïcödé"}
    assert [event["index"] for event in deltas] == [0] * len(texts) + [1]


def test_the_conversation_itself_says_which_step_it_is_and_the_last_one_repeats(model):
    model.set_rules(rules(RUN, {"tools": [{"name": "Bash", "input": {}}, {"name": "Bash", "input": {}}]}, SAY))
    messages, stops, calls = [user("Go")], [], []
    for _ in range(4):
        answered = answer(model, *messages)
        stops.append(answered["stop_reason"])
        called = [part["id"] for part in answered["content"] if part["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call, "content": "ok"} for call in called]
        messages.append({"role": "assistant", "content": answered["content"]})
        messages.append(
            {"role": "user", "content": results} if results else user("<system-reminder>x</system-reminder>")
        )
        calls += called

    assert stops == ["tool_use", "tool_use", "end_turn", "end_turn"]
    assert len(set(calls)) == 3


def test_a_new_word_of_a_person_begins_the_steps_anew_and_chooses_the_rule(model):
    model.set_rules([*rules(RUN, match="go on"), *rules(SAY)])
    before = [user("Hello"), {"role": "assistant", "content": "Hm."}]

    assert said(answer(model, *before, user("Please go on"))) == RUN["text"]
    assert said(answer(model, *before, user("Please stop"))) == SAY["text"]


def test_what_is_attached_counts_as_said_and_what_the_cli_says_itself_does_not(model):
    model.set_rules([*rules({"text": "in"}, match="SECRET"), *rules({"text": "out"})])
    reminder = "<system-reminder>\n{}SECRET\n</system-reminder>"

    assert said(answer(model, user("Read @it"), user(reminder.format("")))) == "out"
    both = {"role": "user", "content": [user("Read @it")["content"][0]]}
    both["content"].append({"type": "text", "text": reminder.format("Result of calling the Read tool:\n1\t")})
    assert said(answer(model, both)) == "in"


def test_a_prompt_brings_its_own_steps(model):
    assert said(answer(model, user(f"Do this.\nScript: {json.dumps([SAY])}\nThanks."))) == SAY["text"]
    attached = (
        '<system-reminder>\nResult of calling the Read tool:\n12\tScript: [{"text": "from a file"}]\n</system-reminder>'
    )
    both = {"role": "user", "content": [*user("@it")["content"], {"type": "text", "text": attached}]}
    assert said(answer(model, both)) == "from a file"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('[{"text": ]', "Expecting value"),
        ("[]", "expected a list of steps"),
        ("[1]", "step 0: expected a mapping, not 1"),
        ('[{"text": "x"}, {"txt": "x"}]', "step 1: 'txt' is not known (known are text, tool,"),
        ('[{"sleep": "long"}]', 'step 0: sleep: expected int, not "long"'),
        ('[{"times": true, "status": 500}]', "step 0: times: expected int, not true"),
    ],
)
def test_a_bad_script_in_a_prompt_is_answered_with_what_is_wrong(model, line, why):
    words = said(answer(model, user(f"Script: {line}")))

    assert words.startswith("The line `Script:` in the prompt cannot be played: ")
    assert why in words


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([{"match": "("}], "rule 0: expected {"),
        ([{"match": "(", "steps": [SAY]}], "rule 0: match: missing ), unterminated"),
        ([{"match": 1, "steps": [SAY]}], "rule 0: match: "),
        ([{"match": "", "steps": [SAY]}, {"match": "", "steps": "x"}], "rule 1: expected a list of steps"),
    ],
)
def test_bad_rules_are_refused_whoever_gives_them_and_the_old_ones_stay(model, tmp_path, given, why):
    model.set_rules(rules(SAY))
    with pytest.raises(ValueError) as refused:
        model.set_rules(given)
    assert str(refused.value).startswith(why)

    response, data = send(model, "PUT", "/_rules", given)
    assert (response.status, json.loads(data)["error"]["message"]) == (400, str(refused.value))
    assert said(answer(model)) == SAY["text"]

    (tmp_path / "rules").write_text(json.dumps(given))
    done = run("--rules", str(tmp_path / "rules"))
    assert (done.returncode, str(refused.value) in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def run(*args):
    """The stand-in as a program, which ends by itself."""
    command = [sys.executable, "-m", "pco.sim.model", *args]
    environment = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[3])}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_is_one_as_often_as_the_script_says_then_the_step_is_played(model, status, kind, stream):
    model.set_rules(rules({"status": status, "message": "no", "retry_after": 3, "times": 2, **SAY}))

    for _ in range(2):
        response, data = ask(model, stream=stream)
        told = json.loads(data)
        assert (response.status, response.getheader("retry-after")) == (status, "3")
        assert (told["type"], told["error"]) == ("error", {"type": kind, "message": "no"})
        assert told["request_id"] == response.getheader("request-id")
    response, _ = ask(model, stream=stream)

    assert (response.status, response.getheader("retry-after")) == (200, None)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_cut_breaks_off_in_the_middle(model, stream):
    model.set_rules(rules({**SAY, "cut": True, "times": 1}))

    response, data = ask(model, stream=stream)

    assert response.status == 200
    assert data
    assert b"message_stop" not in data
    with pytest.raises(ValueError):
        json.loads(data)
    assert said(answer(model)) == SAY["text"]


def test_a_stream_alone_is_cut_where_the_script_says_so(model):
    model.set_rules(rules({**SAY, "cut": "stream"}))

    assert b"message_stop" not in ask(model, stream=True)[1]
    assert said(answer(model)) == SAY["text"]


def test_garbage_is_no_json(model):
    model.set_rules(rules({"garbage": True}))

    response, data = ask(model)

    assert response.status == 200
    with pytest.raises(ValueError):
        json.loads(data)


def test_what_is_slow_keeps_nobody_else_waiting(model):
    model.set_rules([*rules({**SAY, "sleep": 60}, match="slow"), *rules(SAY, match="quick")])
    slow = threading.Thread(target=patient, args=(model,), daemon=True)
    slow.start()
    while not model.requests:
        time.sleep(0.01)

    assert said(answer(model, user("quick"))) == SAY["text"]
    assert slow.is_alive()


def patient(model):
    """Ask what takes long, until the test is over."""
    with suppress(OSError):
        ask(model, user("slow"))


def test_two_conversations_at_once_do_not_meet(model):
    model.set_rules(
        [
            *rules(*({"text": f"a{n}"} for n in range(20)), match="A"),
            *rules(*({"text": f"b{n}"} for n in range(20)), match="B"),
        ]
    )
    heard = {"A": [], "B": []}

    def talk(name):
        messages = [user(name)]
        for _ in range(20):
            answered = answer(model, *messages)
            heard[name].append(said(answered))
            messages += [
                {"role": "assistant", "content": answered["content"]},
                user("<system-reminder>go</system-reminder>"),
            ]

    talkers = [threading.Thread(target=talk, args=(name,)) for name in heard]
    for talker in talkers:
        talker.start()
    for talker in talkers:
        talker.join()

    assert heard == {"A": [f"a{n}" for n in range(20)], "B": [f"b{n}" for n in range(20)]}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": ""}, "model: Field required"),
        ({"max_tokens": 0}, "max_tokens: Field required"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "must use the user role"),
        ({"messages": [user(" ")]}, "non-whitespace text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "no"}]}]},
            "unexpected tool_use_id",
        ),
        (
            {"messages": [user("x"), {"role": "assistant", "content": [{"type": "tool_use", "id": "a"}]}, user("y")]},
            "without tool_result",
        ),
    ],
)
def test_what_the_real_api_refuses_is_refused(model, change, why):
    response, data = ask(model, **change)

    assert response.status == 400
    assert why in json.loads(data)["error"]["message"]


def test_only_its_key_is_taken_either_way_and_none_is_kept(model):
    body = {"model": "m", "max_tokens": 1, "messages": [user("x")], "tools": TOOLS}

    assert send(model, "POST", "/v1/messages", body, key="sk-other")[0].status == 401
    assert send(model, "POST", "/v1/messages", body, key="")[0].status == 401
    assert send(model, "POST", "/v1/messages", body, key="", authorization=f"Bearer {KEY}")[0].status == 200
    assert [request["by"] for request in model.requests] == ["key", "", "bearer"]
    assert KEY not in json.dumps(model.requests) and "sk-other" not in json.dumps(model.requests)


def test_all_that_was_asked_is_kept_and_turns_are_those_with_tools(model):
    answer(model, user("Hello"), system="Be kind.")
    answer(model, user("What is its title?"), tools=[])
    send(model, "POST", "/v1/messages", b"no json")

    asked = json.loads(send(model, "GET", "/_requests")[1])

    assert asked == model.requests
    assert [(turn["said"], turn["system"], turn["tools"]) for turn in model.turns()] == [
        ("Hello", "Be kind.", ["Bash"])
    ]
    assert (asked[0]["offered"], asked[2]["body"]) == (TOOLS, None)


def test_down_is_down_for_all_until_it_is_well_again(model):
    assert send(model, "PUT", "/_down", {"status": 529})[0].status == 200
    assert ask(model)[0].status == 529
    assert send(model, "PUT", "/_down", {"statos": 529})[0].status == 400
    send(model, "PUT", "/_down", {})
    assert ask(model)[0].status == 200


def test_tokens_are_counted_and_other_paths_are_not_there(model):
    response, data = send(model, "POST", "/v1/messages/count_tokens", {"messages": [user("x" * 4000)]})

    assert response.status == 200
    assert 1000 < json.loads(data)["input_tokens"] < 1100
    assert send(model, "POST", "/v1/complete", {})[0].status == 404
    assert send(model, "GET", "/")[0].status == 404
    assert send(model, "HEAD", "/")[0].status == 200


def test_as_a_program_it_says_where_it_is_and_keeps_a_log(tmp_path):
    command = [
        sys.executable,
        "-m",
        "pco.sim.model",
        "--url-file",
        str(tmp_path / "url"),
        "--log",
        str(tmp_path / "log"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[3])}
    with subprocess.Popen(command, env=environment) as program:
        try:
            while not (tmp_path / "url").exists():
                assert program.poll() is None
                time.sleep(0.01)
            there = type("There", (), {"url": (tmp_path / "url").read_text()})
            assert said(answer(there)) == "I looked at it; nothing needs to be done."
            assert json.loads((tmp_path / "log").read_text())["said"] == "Hello"
        finally:
            program.terminate()
