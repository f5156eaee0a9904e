"""The speed bench hides no failure: what came back with an error is counted, and its time is in no figure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tools.bench_speed.messages import SLOT
from tools.bench_speed.models import Project
from tools.bench_speed.page import DEFAULT, PASSERELLE, Results, _page, directly, through_the_desk
from tools.bench_speed.stacks import Stack
from tools.bench_speed.turns import Crowd, Lane, Timed, crowds

UNAVAILABLE = {"messages": [{"kind": "notice", "text": "L'assistant ne répond pas."}]}
ANSWER = {"messages": [{"kind": "answer", "text": "Selon l'article…"}]}


class Desk(BaseHTTPRequestHandler):
    """Opens conversations; answers every message but what is to fail."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/conversations":
            self._answer(201, {"id": "1", "token": "t"})
        elif said["text"] == "hang up":
            self.close_connection = True
        else:
            replies = {"break": (503, {}), "be silent": (200, {"messages": []}), "be down": (200, UNAVAILABLE)}
            self._answer(*replies.get(said["text"], (200, ANSWER)))

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _answer(self, status: int, body: object) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Lane]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    Thread(target=server.serve_forever, daemon=True).start()
    yield Lane(through_the_desk(PASSERELLE), Stack(Project(tmp_path, tmp_path), tmp_path, server.server_port), is_direct=False)
    server.shutdown()
    server.server_close()


def test_whatever_is_no_answer_counts_as_failed_and_the_conversation_goes_on(lane: Lane) -> None:
    timed = Timed()
    visitor = lane.visitor()
    for text in ("hello", "break", "be silent", "be down", "hang up", "hello"):
        visitor.say(text, timed)
    assert len(timed.milliseconds) == 2
    assert timed.kinds == {"answer": 2}
    assert timed.failures == {"status 503": 1, "empty reply": 1, "unavailable": 1, "RemoteDisconnected": 1}


def test_so_many_visitors_at_once_ask_at_least_as_many_questions_as_wanted(lane: Lane) -> None:
    crowd = crowds([lane], visitors=8, turns=100, blocks=2)[lane.name]
    assert len(crowd.timed.milliseconds) == 8 * 7 * 2
    assert crowd.a_second > 0


def test_the_page_shows_failures_and_which_goals_are_missed() -> None:
    failed = Timed([30.0, 31.0], Counter({"status 503": 1}))
    results = Results(memory={PASSERELLE: {"rasa": (901.0, 950.0)}, DEFAULT: {"rasa": (800.0, 850.0)}})
    for stack, milliseconds in ((PASSERELLE, 30.0), (DEFAULT, 50.0)):
        lane = through_the_desk(stack)
        results.questions[lane] = results.questions[directly(stack)] = Timed([milliseconds] * 9)
        results.forms[lane, SLOT] = Timed([milliseconds] * 9)
        results.crowds.setdefault(8, {})[lane] = Crowd(failed if stack == PASSERELLE else Timed([50.0]), 0.1)
    page = _page(results)
    assert "Failed turns in all: 1." in page
    assert "| 8 | Passerelle, through the desk | 2 | 1 status 503 |" in page
    assert "| a question's median, beside Rasa default | 0.60 × | 0.60 to 0.60 | ≤ 0.75 × | kept |" in page
    assert "| the median of an answer to the form, beside Rasa default | 0.60 × | 0.60 to 0.60 | ≤ 0.5 × | **missed** |" in page
    assert "| memory of the rasa process (RSS) | 901 MB |  | ≤ 900 MB | **missed** |" in page
