"""Three nodes with PostgreSQL, each in a network of its own, clients that ask
them for things and note what they were told, and whether that holds: for
partitions and upgrade beside this file.
"""
import collections
import contextlib
import ctypes
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NODES = ("a", "b", "c")
HUB = "10.77.0.1"
STANDBY = "10.77.0.2"
ADDRESS = {name: f"10.77.0.{10 + i}" for i, name in enumerate(NODES)}
PORT = 8080
LEASE = 10  # cluster.timeout, seconds
KEY = "of-a-cluster-that-is-cut-" + str(random.randrange(10**12))
PROJECTS = ("p0", "p1", "p2", "p3", "p4", "p5")
CLONE_NEWNET = 0x40000000


def say(text):
    print(text, flush=True)


class Failed(Exception):
    pass


def run(*argv, **more):
    done = subprocess.run(argv, check=False, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: {done.stderr}")
    return done.stdout


# -- the network ---------------------------------------------------------------


class Network:
    """A bridge in a namespace of its own, `hub`, and one namespace a node; each
    is there as long as the process that holds it."""

    def __init__(self):
        self.holders = {}

    def open(self):
        for name in ("hub", *NODES):
            self.holders[name] = subprocess.Popen(
                ("unshare", "--net", "sh", "-c", "echo; exec sleep infinity"),
                stdout=subprocess.PIPE)
            self.holders[name].stdout.readline()
            self.ip(name, "link", "set", "lo", "up")
        self.ip("hub", "link", "add", "name", "bridge", "type", "bridge")
        for address in (HUB, STANDBY):
            self.ip("hub", "addr", "add", f"{address}/24", "dev", "bridge")
        self.ip("hub", "link", "set", "bridge", "up")
        for name in NODES:
            self.ip("hub", "link", "add", f"to-{name}", "type", "veth", "peer",
                    "name", "eth", "netns", str(self.holders[name].pid))
            self.ip("hub", "link", "set", f"to-{name}", "master", "bridge", "up")
            self.ip(name, "addr", "add", f"{ADDRESS[name]}/24", "dev", "eth")
            self.ip(name, "link", "set", "eth", "up")

    def enter(self, name):
        """A command's first words, which run the rest in a node's network."""
        return ["nsenter", f"--net={self.path(name)}"]

    def path(self, name):
        return f"/proc/{self.holders[name].pid}/ns/net"

    def ip(self, name, *what):
        run(*self.enter(name), "ip", *what)

    def mute(self, name, towards):
        """Drops what a node sends to others, without telling anybody."""
        for other in towards:
            self.ip(name, "route", "add", "blackhole", f"{other}/32")

    def unmute(self, name, towards):
        for other in towards:
            self.ip(name, "route", "del", "blackhole", f"{other}/32")

    def unplug(self, name):
        self.ip("hub", "link", "set", f"to-{name}", "down")

    def plug(self, name):
        self.ip("hub", "link", "set", f"to-{name}", "up")

    def close(self):
        for holder in self.holders.values():
            holder.kill()
            holder.wait()


def enter_network(path):
    with open(path, encoding="ascii") as file:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


# -- what runs in it -----------------------------------------------------------


class Database:
    """PostgreSQL in the network of the hub, and a standby at an address of its
    own that has all that was acknowledged."""

    def __init__(self, network, work):
        self.work = work
        self.bin = sorted(
            entry.path for entry in os.scandir("/usr/lib/postgresql"))[-1] + "/bin"
        self.log = open(os.path.join(work, "db.log"), "w", encoding="utf-8")
        self.network = network
        self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres",
                        "--clear-groups"]
        self.primary, self.standby = HUB, STANDBY
        self.processes = {}
        self.make(HUB, "initdb", "-U", "greenroom", "-A", "trust", "--no-sync")
        with open(f"{self.dir(HUB)}/data/pg_hba.conf", "a",
                  encoding="utf-8") as file:
            file.write("host all all 10.77.0.0/24 trust\n"
                       "local replication all trust\n"
                       "host replication all 10.77.0.0/24 trust\n")
        self.start()
        self.sql("CREATE DATABASE greenroom")
        self.follow()

    def dir(self, address):
        return os.path.join(self.work, "db-" + address)

    def make(self, address, program, *arguments):
        where = self.dir(address)
        shutil.rmtree(where, ignore_errors=True)
        os.mkdir(where)
        shutil.chown(where, "postgres", "postgres")
        subprocess.run([*self.network.enter("hub"), *self.as_user,
                        f"{self.bin}/{program}", "-D", f"{where}/data",
                        *arguments], check=True, cwd=where, stdout=self.log,
                       stderr=self.log)

    def sql(self, statement):
        return run(f"{self.bin}/psql", "-qAt", "-h", self.dir(self.primary),
                   "-U", "greenroom", "postgres", "-c", statement).strip()

    def run_at(self, address):
        where = self.dir(address)
        self.processes[address] = subprocess.Popen(
            [*self.network.enter("hub"), *self.as_user, f"{self.bin}/postgres",
             "-D", f"{where}/data", "-k", where, "-c",
             f"listen_addresses={address}", "-c", "fsync=off"],
            stdout=self.log, stderr=self.log, cwd=where)
        await_that("PostgreSQL", lambda: subprocess.run(
            (f"{self.bin}/pg_isready", "-q", "-h", where, "-U", "greenroom"),
            check=False).returncode == 0)

    def start(self):
        self.run_at(self.primary)

    def follow(self):
        """Makes the standby anew, and has commits wait for it."""
        self.make(self.standby, "pg_basebackup", "-h", self.dir(self.primary),
                  "-U", "greenroom", "-R", "-c", "fast", "--no-sync")
        self.run_at(self.standby)
        self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.sql("SELECT pg_reload_conf()")
        await_that("the standby", lambda: self.sql(
            "SELECT sync_state FROM pg_stat_replication") == "sync")

    def fail_over(self, seconds):
        """The primary dies, and is a standby of its standby afterwards."""
        self.end(self.primary, signal.SIGKILL)
        time.sleep(seconds)
        self.primary, self.standby = self.standby, self.primary
        # Nobody follows yet whom its commits could wait for.
        with open(f"{self.dir(self.primary)}/data/postgresql.auto.conf", "a",
                  encoding="utf-8") as file:
            file.write("synchronous_standby_names = ''\n")
        self.sql("SELECT pg_reload_conf()")
        self.sql("SELECT pg_promote()")
        time.sleep(seconds)
        self.follow()

    def end(self, address, number):
        process = self.processes.pop(address, None)
        if process is None:
            return
        children = children_of(process.pid)
        process.send_signal(number)
        process.wait()
        if number == signal.SIGKILL:
            # They would go on serving who is connected.
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, number)

    def stop(self):
        self.end(self.primary, signal.SIGINT)

    def close(self):
        for address in list(self.processes):
            self.end(address, signal.SIGINT)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(one) for one in file.read().split()]


class Node:
    def __init__(self, name, network, work, programs):
        self.name = name
        self.network = network
        self.log_path = os.path.join(work, f"{name}.log")
        certificates = os.path.join(work, "certificates", name)
        tls = {"cert": certificates + ".pem", "key": certificates + ".key",
               "ca": os.path.join(work, "certificates", "ca.pem")}
        projects = [{"id": one, "repo": os.path.join(work, one + ".git"),
                     "max_active_sessions": 200} for one in PROJECTS]
        settings = {
            "node.name": name, "node.data_dir": os.path.join(work, name),
            "http.listen": f"{ADDRESS[name]}:{PORT}", "preview.listen": "null",
            "storage.url": f"postgresql://greenroom@{HUB},{STANDBY}/greenroom",
            "cluster.listen": f"{ADDRESS[name]}:7000",
            "cluster.timeout": f"{LEASE}s", "cluster.tls": json.dumps(tls),
            "sessions.checkpoint_every": "2s", "sandbox.mode": "none",
            "projects": json.dumps(projects)}
        self.settings = [
            word for key, value in settings.items()
            for word in ("--set", f"{key}={value}")]
        self.start(programs)

    def start(self, programs=None):
        """With other programs than before, if some are given."""
        if programs:
            self.programs = programs
        with open(self.log_path, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*self.network.enter(self.name),
                 os.path.join(self.programs, "greenroom"), "serve",
                 *self.settings],
                stdout=log, stderr=log,
                env={**os.environ, "GREENROOM_ADMIN_KEY": KEY})
        await_that(f"node {self.name}", lambda: self.serves())

    def serves(self):
        if self.process.poll() is not None:
            raise Failed(f"node {self.name} has ended")
        try:
            return ask(self.name, "GET", "/readyz", timeout=2)[0] == 200
        except OSError:
            return False

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


# -- clients -------------------------------------------------------------------


def ask(node, method, path, body=None, headers=None, timeout=20):
    """Status and data of an answer; OSError where there is none."""
    connection = http.client.HTTPConnection(ADDRESS[node], PORT, timeout=timeout)
    try:
        connection.request(method, path,
                           None if body is None else json.dumps(body),
                           {"X-API-Key": KEY, "Content-Type": "application/json",
                            **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
    except http.client.HTTPException as e:
        raise OSError(str(e)) from e
    finally:
        connection.close()
    return answer.status, json.loads(text).get("data") if text else None


def await_that(what, holds, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.1)
    raise Failed(f"{what}: not in {seconds} s")


class Stream(threading.Thread):
    """A session's events by one node, over all cuts: resumed by its last id."""

    def __init__(self, node, path):
        super().__init__(daemon=True)
        self.node, self.path = node, path
        self.events = []  # (id, type, data), in the order in which they came
        self.over = False
        self.start()

    def run(self):
        while not self.over:
            try:
                self.read_once()
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.2)

    def read_once(self):
        connection = http.client.HTTPConnection(ADDRESS[self.node], PORT,
                                                timeout=20)
        headers = {"X-API-Key": KEY}
        if self.events:
            headers["Last-Event-ID"] = "-".join(map(str, self.events[-1][0]))
        connection.request("GET", self.path + "/events", None, headers)
        answer = connection.getresponse()
        if answer.status == 204:
            self.over = True
        if answer.status != 200:
            answer.read()
            return
        one = {}
        for line in answer:
            line = line.decode().rstrip("\n")
            if line == "":
                if "id" in one and "data" in one:
                    number = tuple(int(part) for part in one["id"].split("-"))
                    self.events.append((number, one.get("event"), one["data"]))
                one = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(": ")
                one[name] = value
            if self.over:
                return


class Writer(threading.Thread):
    """Appends a number to a file of a session, command by command, by all nodes
    in turn, and notes which of them were acknowledged and when."""

    def __init__(self, path, stop):
        super().__init__(daemon=True)
        self.path, self.stop = path, stop
        self.acknowledged = []  # (number, begun, ended)
        self.start()

    def run(self):
        number = 0
        while not self.stop.is_set():
            number += 1
            begun = time.monotonic()
            try:
                status, data = ask(
                    NODES[number % len(NODES)], "POST", self.path + "/exec",
                    {"command": f"echo {number} >>numbers", "wait": "10s",
                     "exec_id": f"n{number}"}, timeout=15)
            except OSError:
                continue
            if status == 200 and data and data.get("exit_code") == 0:
                self.acknowledged.append((number, begun, time.monotonic()))
            else:
                time.sleep(0.1)


class Creator(threading.Thread):
    """Creates sessions with an Idempotency-Key each, again until answered, and
    checks every second one in."""

    def __init__(self, project, stop, work):
        super().__init__(daemon=True)
        self.project, self.stop, self.work = project, stop, work
        self.created = {}  # id by branch
        self.landed = {}   # commit by branch
        self.problems = []
        self.start()

    def run(self):
        number = 0
        while not self.stop.is_set():
            number += 1
            branch = f"made-{self.project}-{number}"
            sid = self.create(branch)
            if sid and number % 2 == 0:
                self.check_in(sid, branch)
            time.sleep(0.3)

    def create(self, branch):
        answers = set()
        for turn in range(40):
            if self.stop.is_set() and turn > 20:
                return None
            try:
                status, data = ask(
                    random.choice(NODES), "POST",
                    f"/projects/{self.project}/sessions", {"new_branch": branch},
                    {"Idempotency-Key": branch}, timeout=15)
            except OSError:
                continue
            if status == 201:
                answers.add(data["id"])
                break
            if status == 409:
                # An earlier try may have made it, on a node that is gone.
                return None
            time.sleep(0.5)
        if not answers:
            return None
        self.created[branch] = answers.pop()
        return self.created[branch]

    def check_in(self, sid, branch):
        path = f"/projects/{self.project}/sessions/{sid}"
        node = random.choice(NODES)
        try:
            if ask(node, "POST", path + "/exec",
                   {"command": f"echo {branch} >made.txt", "wait": "10s"},
                   timeout=15)[0] != 200:
                return
            status, data = ask(node, "POST", path + "/checkin",
                               {"commit_message": branch}, timeout=40)
        except OSError:
            return
        if status == 200 and data.get("commit"):
            self.landed[branch] = data["commit"]


class Pusher(threading.Thread):
    """Pushes commits to a session by git, all nodes in turn, and notes which were
    taken."""

    def __init__(self, project, stop, work, name):
        super().__init__(daemon=True)
        self.stop = stop
        self.clone = os.path.join(work, f"clone-{name}")
        self.taken = []  # (commit, begun)
        self.undone = []  # of these, what was not there at the next push
        self.branch = f"pushed-{name}-{random.randrange(10**6)}"
        status, data = ask("a", "POST", f"/projects/{project}/sessions",
                           {"new_branch": self.branch})
        if status != 201:
            raise Failed(f"a session to push to: {status} {data}")
        self.path = f"/projects/{project}/sessions/{data['id']}"
        self.url = data["auth_clone_url"]
        self.git("clone", "-q", self.url, self.clone, cwd=work)
        self.start()

    def git(self, *what, cwd=None):
        return subprocess.run(
            ("git", "-c", "user.name=Ada", "-c", "user.email=a@example.org",
             "-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=10", *what),
            cwd=cwd or self.clone, check=False, capture_output=True, text=True,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0",
                 "GIT_CONFIG_GLOBAL": "/dev/null"})

    def run(self):
        number = 0
        while not self.stop.is_set():
            number += 1
            node = NODES[number % len(NODES)]
            url = self.url
            for name in NODES:
                url = url.replace(ADDRESS[name], ADDRESS[node])
            self.git("commit", "-q", "--allow-empty", "-m", f"push {number}")
            begun = time.monotonic()
            # What was taken once and is not there any more goes with it again.
            done = self.git("push", "--porcelain", url, "HEAD")
            if done.returncode == 0:
                self.compare(done.stdout)
                tip = self.git("rev-parse", "HEAD").stdout.strip()
                self.taken.append((tip, begun))
            time.sleep(0.3)

    def compare(self, report):
        """Whether the push found in its place what was taken before."""
        found = re.search(r"\t([0-9a-f]+)\.\.[0-9a-f]+$", report, re.MULTILINE)
        if found and self.taken and self.git(
                "merge-base", "--is-ancestor", self.taken[-1][0],
                found[1]).returncode != 0:
            self.undone.append(self.taken[-1][0])


def check_pushes(pusher):
    if not pusher.taken:
        raise Failed("no push was taken")
    last = pusher.taken[-1][0]
    status, data = ask("a", "POST", pusher.path + "/exec",
                       {"command": f"git merge-base --is-ancestor {last} HEAD",
                        "wait": "20s"}, timeout=30)
    if status != 200 or data["exit_code"] != 0:
        raise Failed(f"commit {last}, whose push was taken, is not in the branch")


# -- a run ---------------------------------------------------------------------


class Cluster:
    def __init__(self, programs):
        self.work = tempfile.mkdtemp(prefix="greenroom-cut-")
        os.chmod(self.work, 0o711)
        self.network = Network()
        self.nodes = {}
        self.database = None
        self.programs = programs

    def start(self):
        self.network.open()
        enter_network(self.network.path("hub"))
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null",
                       "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "a@example.org",
                       "GIT_COMMITTER_NAME": "Ada",
                       "GIT_COMMITTER_EMAIL": "a@example.org"}
        seed = os.path.join(self.work, "seed")
        run("git", "init", "-q", "-b", "main", seed)
        with open(os.path.join(seed, "numbers"), "w", encoding="ascii") as file:
            file.write("0\n")
        run("git", "-C", seed, "add", ".")
        run("git", "-C", seed, "commit", "-qm", "first", env=environment)
        for project in PROJECTS:
            run("git", "clone", "-q", "--bare", seed,
                os.path.join(self.work, project + ".git"))
        run(os.path.join(HERE, "config/cluster/certificates.sh"),
            os.path.join(self.work, "certificates"), *NODES)
        self.database = Database(self.network, self.work)
        for name in NODES:
            self.nodes[name] = Node(name, self.network, self.work,
                                    self.programs)
        self.await_all_ready()

    def await_all_ready(self):
        def ready():
            for name in NODES:
                try:
                    status, data = ask(name, "GET", "/nodes", timeout=5)
                except OSError:
                    return False
                if status != 200 or len(data["nodes"]) != len(NODES) or any(
                        one["state"] != "ready" or not one["reachable"]
                        for one in data["nodes"]):
                    return False
            return True
        await_that("three nodes that are ready", ready, 120)

    def owner_of(self, path):
        for name in NODES:
            try:
                status, data = ask(name, "GET", path, timeout=5)
            except OSError:
                continue
            if status == 200:
                return data["pod_name"]
        raise Failed("no node answers for " + path)

    def close(self, keep_logs):
        for node in self.nodes.values():
            node.stop()
        if self.database:
            self.database.close()
        self.network.close()
        if keep_logs:
            say(f"the nodes' logs are in {self.work}")
        else:
            shutil.rmtree(self.work, ignore_errors=True)


def numbers_in(path):
    """What the session's file has now."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for node in NODES:
            try:
                status, data = ask(node, "POST", path + "/exec",
                                   {"command": "cat numbers", "wait": "10s"})
                if status != 200 or data.get("exit_code") != 0:
                    continue
                connection = http.client.HTTPConnection(ADDRESS[node], PORT,
                                                        timeout=20)
                connection.request(
                    "GET", f"{path}/execs/{data['exec_id']}/output?stream=stdout",
                    None, {"X-API-Key": KEY})
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status == 200:
                    return [int(line) for line in text.split()]
            except (OSError, http.client.HTTPException):
                continue
        time.sleep(0.5)
    raise Failed("the session's file cannot be read")


def check_streams(streams):
    by_id = {}
    for stream in streams:
        ids = [one[0] for one in stream.events]
        if any(b <= a for a, b in zip(ids, ids[1:])):
            raise Failed(f"ids of events by node {stream.node} do not grow: {ids}")
        for number, kind, data in stream.events:
            known = by_id.setdefault(number, (kind, data))
            if known != (kind, data):
                raise Failed(f"event {number} is {known} and {(kind, data)}")
    return by_id


def check_creates(creator):
    for branch, sid in creator.created.items():
        def there(path=f"/projects/{creator.project}/sessions/{sid}"):
            try:
                return ask(random.choice(NODES), "GET", path)[0] == 200
            except OSError:
                return False
        await_that(f"session {sid}, whose creation was acknowledged", there, 30)
    if len(set(creator.created.values())) != len(creator.created):
        raise Failed("two keys made one session")


def check_landed(creator, work):
    for branch, commit in creator.landed.items():
        upstream = os.path.join(work, creator.project + ".git")
        tip = subprocess.run(("git", "-C", upstream, "rev-parse", branch),
                             check=False, capture_output=True, text=True)
        if tip.stdout.strip() != commit:
            raise Failed(f"{branch} was checked in as {commit} and is "
                         f"{tip.stdout.strip() or 'not there'}")


def check_numbers(writer, there, moved_at):
    """What was acknowledged by whoever goes on with the session is there. What a
    lost node was told after the last checkpoint may be missing."""
    lost = [one for one in writer.acknowledged if one[0] not in there]
    after = [one for one in lost if moved_at is not None and one[1] > moved_at]
    if moved_at is None and lost:
        raise Failed(f"acknowledged commands are lost: {lost}")
    if after:
        raise Failed(f"commands acknowledged after the move are lost: {after}")
    doubled = [n for n, count in collections.Counter(there).items() if count > 1]
    if doubled:
        raise Failed(f"commands ran twice: {doubled}")
    return len(lost)
