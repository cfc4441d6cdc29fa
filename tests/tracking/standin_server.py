"""Stands in for `mlflow server` where one that is slow to start or cannot be made to fail will not do."""

import http.server
import json
import threading
from urllib.parse import urlsplit

_RUN = {
    "info": {"run_id": "r1", "experiment_id": "1", "status": "RUNNING", "lifecycle_stage": "active"},
    "data": {},
}
_EXPERIMENT = {"experiment_id": "1", "name": "study", "lifecycle_stage": "active"}
_ANSWERS = {
    "experiments/search": {"experiments": [_EXPERIMENT]},
    "experiments/get-by-name": {"experiment": _EXPERIMENT},
    "runs/create": {"run": _RUN},
    "runs/get": {"run": _RUN},
    "runs/update": {"run_info": _RUN["info"]},
    "runs/log-batch": {},
    "runs/set-tag": {},
}


class StandinServer:
    """Takes runs and keeps nothing.

    Attributes:
        written: Endpoint and body of all that was written.
        num_stalled: Requests that have been left without an answer.
        refusal: Status and text of the answer to everything, if it is to refuse.
    """

    def __init__(self) -> None:
        self.written: list[tuple[str, dict]] = []
        self.num_stalled = 0
        self.refusal: tuple[int, str] | None = None
        self._goes_on = threading.Event()
        self._goes_on.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self, {})

            def do_POST(self) -> None:
                outer._answer(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def log_message(self, *arguments) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def stall(self) -> None:
        """Go on to take requests, and answer none of them."""
        self._goes_on.clear()

    def go_on(self) -> None:
        self._goes_on.set()

    def stop(self) -> None:
        self.go_on()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: http.server.BaseHTTPRequestHandler, body: dict) -> None:
        if not self._goes_on.is_set():
            self.num_stalled += 1
            self._goes_on.wait()
            request.close_connection = True
            return
        endpoint = "/".join(urlsplit(request.path).path.split("/")[-2:])
        status, text = self.refusal or (200, json.dumps(_ANSWERS.get(endpoint, {})))
        if status == 200 and request.command == "POST":
            self.written.append((endpoint, body))
        request.send_response(status)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text.encode())
