"""The main job on a real engine: the official OpenAI client asks the Hub, and MLX's own server on a node answers.

Usage: real_engine.py --commands FOLDER --model FOLDER [unittest's words]. `make real-engine` runs it.

The model is a tiny one with random weights (tiny_model.py): it always says the same nonsense, so what comes through the
Hub can be compared, character by character, with what the engine says when it is asked directly.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import unittest
from contextlib import closing
from itertools import islice
from pathlib import Path

import openai
from house import MODEL, House, ask
from processes import wait_until

PROMPT = "Say something nobody has said before."
TOKENS = 150  # more than a second of generating: long enough to watch
ENDLESS = 6000  # a minute of generating: nobody waits for its end
REQUEST_PATIENCE_S = 60.0
# A generating engine keeps a whole core busy even where it has to share it; a waiting one uses next to nothing.
WATCH_S = 0.5
BUSY_S = 0.06
# From a client's leaving until the engine rests; it finishes the token it is at.
REST_PATIENCE_S = 5.0

house: House


def direct(path: str, **body) -> dict:
    """What the engine answers when it is asked without Hub and agent."""
    asked = {"model": str(house.model), "temperature": 0, "max_tokens": TOKENS, **body}
    return ask(house.engine_url + path, asked, REQUEST_PATIENCE_S)


def client(key: str | None = None) -> openai.OpenAI:
    """No retries: what a test sees is what the Hub said the first time."""
    return openai.OpenAI(
        base_url=f"{house.hub_url}/v1", api_key=key or house.api_key, max_retries=0, timeout=REQUEST_PATIENCE_S
    )


def messages(text: str = PROMPT) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def engine_is_busy() -> bool:
    before = house.engine.cpu_s()
    time.sleep(WATCH_S)
    return house.engine.cpu_s() - before > BUSY_S


def raw(method: str, path: str, body: dict | None = None) -> http.client.HTTPConnection:
    """A request on a connection of its own, to see all bytes of the answer or to hang up on it."""
    connection = http.client.HTTPConnection(house.hub_url.removeprefix("http://"), timeout=REQUEST_PATIENCE_S)
    headers = {"Authorization": f"Bearer {house.api_key}", "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    return connection


class TheOfficialClient(unittest.TestCase):
    def test_lists_the_model(self):
        self.assertIn(MODEL, [model.id for model in client().models.list()])

    def test_gets_the_engines_own_words_in_one_piece(self):
        expected = direct("/v1/chat/completions", messages=messages())
        answer = client().chat.completions.create(model=MODEL, messages=messages(), temperature=0, max_tokens=TOKENS)
        self.assertEqual(answer.choices[0].message.content, expected["choices"][0]["message"]["content"])
        self.assertEqual(len(answer.choices[0].message.content), TOKENS, "one token is one character")
        self.assertEqual(answer.choices[0].finish_reason, "length")
        self.assertEqual(answer.model, MODEL)
        self.assertEqual(answer.usage.completion_tokens, TOKENS)
        self.assertEqual(answer.usage.prompt_tokens, expected["usage"]["prompt_tokens"])

    def test_reads_the_first_token_while_the_engine_makes_the_others(self):
        expected = direct("/v1/chat/completions", messages=messages())
        begun, engine_before = time.monotonic(), house.engine.cpu_s()
        first = work_at_first = None
        text, finish = "", None
        for chunk in client().chat.completions.create(
            model=MODEL, messages=messages(), temperature=0, max_tokens=TOKENS, stream=True
        ):
            self.assertEqual(chunk.model, MODEL)
            self.assertIsNone(chunk.usage, "nobody asked for the usage")
            piece = chunk.choices[0].delta.content or ""
            if piece and first is None:
                first, work_at_first = time.monotonic() - begun, house.engine.cpu_s() - engine_before
            text += piece
            finish = chunk.choices[0].finish_reason or finish
        whole, work = time.monotonic() - begun, house.engine.cpu_s() - engine_before
        self.assertEqual(text, expected["choices"][0]["message"]["content"])
        self.assertEqual(finish, "length")
        self.assertLess(first, whole / 2, "the first token comes long before the last")
        self.assertLess(work_at_first, work / 2, "most of the engine's work is done after the first token arrived")

    def test_gets_the_usage_of_a_stream_when_it_asks_for_it(self):
        expected = direct("/v1/chat/completions", messages=messages())["usage"]
        *_, last = client().chat.completions.create(
            model=MODEL,
            messages=messages(),
            temperature=0,
            max_tokens=TOKENS,
            stream=True,
            stream_options={"include_usage": True},
        )
        self.assertEqual(last.choices, [])
        self.assertEqual(last.usage.prompt_tokens, expected["prompt_tokens"])
        self.assertEqual(last.usage.completion_tokens, TOKENS)

    def test_completes_plain_text_streamed_and_in_one_piece(self):
        expected = direct("/v1/completions", prompt=PROMPT)["choices"][0]["text"]
        asked = {"model": MODEL, "prompt": PROMPT, "temperature": 0, "max_tokens": TOKENS}
        answer = client().completions.create(**asked)
        self.assertEqual((answer.choices[0].text, answer.model), (expected, MODEL))
        self.assertEqual(answer.choices[0].finish_reason, "length")
        streamed = list(client().completions.create(**asked, stream=True))
        self.assertEqual("".join(chunk.choices[0].text for chunk in streamed if chunk.choices), expected)
        self.assertEqual({chunk.model for chunk in streamed}, {MODEL})

    def test_is_told_that_a_model_is_unknown(self):
        with self.assertRaises(openai.NotFoundError) as told:
            client().chat.completions.create(model="no-such-model", messages=messages())
        self.assertEqual(told.exception.code, "model_not_found")
        self.assertIn("no-such-model", told.exception.message)

    def test_is_told_that_its_key_is_wrong(self):
        with self.assertRaises(openai.AuthenticationError) as told:
            client(key="not-a-key").chat.completions.create(model=MODEL, messages=messages())
        self.assertEqual(told.exception.code, "invalid_api_key")
        with self.assertRaises(openai.AuthenticationError):
            client(key="not-a-key").models.list()


class WhoLeaves(unittest.TestCase):
    def the_engine_rests_and_the_next_one_is_served(self):
        left = time.monotonic()
        wait_until("the engine rests after its client left", REST_PATIENCE_S, lambda: not engine_is_busy())
        answer = client().chat.completions.create(model=MODEL, messages=messages("Next."), temperature=0, max_tokens=8)
        self.assertEqual(len(answer.choices[0].message.content), 8)
        self.assertLess(time.monotonic() - left, REST_PATIENCE_S + 5, "nobody queues behind work for someone who left")

    def test_a_stream_stops_the_engine(self):
        before = house.status()["traffic"]["cancelled"]
        stream = client().chat.completions.create(
            model=MODEL, messages=messages(), temperature=0, max_tokens=ENDLESS, stream=True
        )
        self.assertEqual(len(list(islice(stream, 5))), 5)
        self.assertTrue(engine_is_busy(), "the engine generates while the client reads")
        stream.close()
        self.the_engine_rests_and_the_next_one_is_served()
        self.assertEqual(house.status()["traffic"]["cancelled"], before + 1)

    def test_before_an_unstreamed_answer_stops_the_engine(self):
        # Asked directly, this engine would generate to the end: the agent asks it for a stream in any case.
        asked = {"model": MODEL, "messages": messages(), "temperature": 0, "max_tokens": ENDLESS}
        waiting = raw("POST", "/v1/chat/completions", asked)
        wait_until("the engine begins", REST_PATIENCE_S, engine_is_busy)
        waiting.close()
        self.the_engine_rests_and_the_next_one_is_served()


class TheMachine(unittest.TestCase):
    def test_keeps_its_paths_to_itself(self):
        chat = {"model": MODEL, "messages": messages(), "temperature": 0, "max_tokens": 8}
        text = {"model": MODEL, "prompt": PROMPT, "temperature": 0, "max_tokens": 8}
        usage = {"stream": True, "stream_options": {"include_usage": True}}
        for method, path, body in [
            ("GET", "/v1/models", None),
            ("POST", "/v1/chat/completions", chat),
            ("POST", "/v1/chat/completions", chat | usage),
            ("POST", "/v1/completions", text),
            ("POST", "/v1/completions", text | usage),
            ("POST", "/v1/chat/completions", chat | {"model": str(house.model)}),
            ("POST", "/v1/chat/completions", chat | {"messages": "not a list"}),
            ("POST", "/v1/completions", text | {"prompt": 7}),
        ]:
            with self.subTest(path=path, body=body):
                with closing(raw(method, path, body)) as connection:
                    answer = connection.getresponse()
                    seen = f"{answer.getheaders()}{answer.read().decode()}"
                if body and body["model"] != MODEL:
                    seen = seen.replace(body["model"], "")  # what the client wrote may be repeated to it
                # A JSON text may write a slash as \/.
                seen = seen.replace("\\/", "/")
                self.assertNotIn(str(house.model), seen)
                self.assertNotIn(str(house.model.parent), seen)
                self.assertNotIn(str(house.home), seen)

    def test_writes_no_prompt_answer_or_key_into_a_log(self):
        prompt = "A sentence that only this test has ever said."
        answer = client().chat.completions.create(model=MODEL, messages=messages(prompt), temperature=0, max_tokens=40)
        logs = house.own_logs()
        self.assertNotIn(prompt, logs)
        self.assertNotIn(answer.choices[0].message.content, logs)
        self.assertNotIn(house.api_key, logs)
        self.assertNotIn(house.passphrase, logs)


def main() -> int:
    global house
    words = argparse.ArgumentParser(description="The main job on a real engine")
    words.add_argument("--commands", type=Path, required=True, help="the folder of porten and porten-hub")
    words.add_argument("--model", type=Path, required=True, help="the folder of the tiny model")
    mine, others = words.parse_known_args()
    # Asked to end, this ends as after Ctrl-C: with its processes gone and its folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ["NO_PROXY"] = "127.0.0.1"
    home = Path(tempfile.mkdtemp(prefix="porten-engine-"))
    house = House(mine.commands.resolve(), mine.model.resolve(), home)
    try:
        house.open()
        done = unittest.main(argv=[sys.argv[0], *others], exit=False, verbosity=2).result
        # A subtest that fails names the test it belongs to.
        failed = len({getattr(test, "test_case", test).id() for test, _ in done.failures + done.errors})
        if failed:
            print(house.tails(), flush=True)
        print(f"{done.testsRun - failed} passed, {failed} failed")
        return 1 if failed or not done.testsRun else 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        print(f"{house.tails()}\nThe house did not open: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    finally:
        house.close()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
