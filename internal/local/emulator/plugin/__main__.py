"""An AWS emulator for Archipelago: moto as a server, with what it lacks.

Usage: python3 -m plugin --port PORT [--replication-delay SECONDS] [--pace FACTOR]

Serves on loopback until its standard input ends, so that it never outlives the
program that started it, however that one died.
"""

import argparse
import gc
import io
import os
import sys
import threading
import traceback

# MOTO is the version whose classes the modules here change, private ones too.
MOTO = "5.2.1"


def check_moto() -> None:
    """End, with a sentence, where another version is installed, or none."""
    try:
        import boto3
        import moto
        import moto.server
    except ImportError as e:
        sys.exit(f"{e}: run `make setup`, which fetches it")
    if moto.__version__ != MOTO:
        sys.exit(f"want moto {MOTO}, which it changes, and there is {moto.__version__}: run `make setup`, which fetches it")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--replication-delay", type=float, default=1.0)
    parser.add_argument("--pace", type=float, default=1.0)
    options = parser.parse_args()
    check_moto()

    # Every client below, and moto's own, speaks to this server alone.
    os.environ.update(
        AWS_ACCESS_KEY_ID="emulator",
        AWS_SECRET_ACCESS_KEY="emulator",
        AWS_ENDPOINT_URL=f"http://localhost:{options.port}",
        AWS_DEFAULT_REGION="us-east-1",
        # Instances carry the user data that the fleet reads, and nothing else.
        MOTO_IAM_LOAD_MANAGED_POLICIES="false",
    )

    # What is imported stays: to look for what nobody refers to any more, again and
    # again, takes a tenth of the start, and of each request that reads a model.
    gc.disable()

    from . import start

    start.load()

    from werkzeug.datastructures import Headers
    from werkzeug.serving import WSGIRequestHandler, make_server
    from werkzeug.test import run_wsgi_app
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from . import alarms, balancers, buckets, cbor, conflicts, control, customs, dashboards, deletes, delivery, enabled, entries, evaluation, existing, groups, keys
    from . import lags, metrics, models, permissions, played, policies, providers, queries, quotas, refreshes, schedules, shared, speed, stacks, tables
    from . import throttles, updates, zones
    from .clock import clock

    clock.start(options.pace)
    shared.install()
    speed.install()
    models.install()
    stacks.install()
    tables.install()
    queries.install()
    throttles.install()
    conflicts.install()
    lags.install()
    buckets.install(options.replication_delay)
    customs.install()
    played.install()
    groups.install()
    quotas.install()
    enabled.install()
    updates.install()
    refreshes.install()
    policies.install()
    providers.install()
    dashboards.install()
    schedules.install()
    metrics.install()
    alarms.install()
    evaluation.install()
    balancers.install()
    entries.install()
    permissions.install()
    deletes.install()
    delivery.install()
    keys.install()
    existing.install()
    zones.install()

    class Handler(WSGIRequestHandler):
        # Header and body go out as one. The Go SDK closes a request's body when the
        # header of its answer is there, and net/http, which may not have seen the end
        # of that body yet, then closes the connection before the rest is read.
        wbufsize = 64 << 10
        # What is left of an answer follows at once, whatever the client has acknowledged.
        disable_nagle_algorithm = True

        def run_wsgi(self) -> None:
            """Answer, and leave the connection open, as AWS does. werkzeug's own looks for the
            rest of a body that nobody read, up to 10 ms, and closes the connection."""
            try:
                answer, status, headers = run_wsgi_app(self.server.app, self.make_environ(), buffered=True)
                body = b"".join(answer)
            except ConnectionError:
                raise
            except Exception:
                traceback.print_exc()
                self.close_connection = True  # some of the body may be unread
                body, status, headers = b"", "500 Internal Server Error", Headers()
            code, _, phrase = status.partition(" ")
            if bodiless := code in ("204", "304"):
                headers.remove("Content-Length")
            elif self.command != "HEAD":
                headers["Content-Length"] = str(len(body))
            self.send_response(int(code), phrase)
            for name, value in headers:
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD" and not bodiless:
                self.wfile.write(body)

        def make_environ(self):
            # "100 Continue" goes out before the body is awaited, and all of the body is read
            # before anything answers: what were left of it would be the next request.
            self.wfile.flush()
            environ = super().make_environ()
            if environ.get("wsgi.input_terminated"):
                body = environ["wsgi.input"].read()
            else:
                length = int(environ.get("CONTENT_LENGTH") or 0)
                body = environ["wsgi.input"].read(length)
                if len(body) < length:
                    raise ConnectionAbortedError("the client ended within a request's body")
            environ["wsgi.input"] = io.BytesIO(body)
            return environ

        def date_time_string(self, timestamp=None) -> str:
            """Rule R29: the date of Auto Scaling's answers, by which the controller judges, is
            that of the clock. All others have this machine's: clients correct their own clocks
            by it, and the CDK CLI, for one, then waits for minutes."""
            headers = getattr(self, "headers", None)  # a request without any has none
            if timestamp is None and "/autoscaling/aws4_request" in (headers and headers.get("Authorization") or ""):
                timestamp = clock.seconds()
            return super().date_time_string(timestamp)

        def log_request(self, code="-", size="-") -> None:
            pass

    app = control.wrap(cbor.wrap(DomainDispatcherApplication(create_backend_app)))
    server = make_server("localhost", options.port, app, threaded=True, request_handler=Handler)
    threading.Thread(target=exit_with_parent, daemon=True).start()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
    gc.enable()
    print("ready", flush=True)
    server.serve_forever()


def exit_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


main()
