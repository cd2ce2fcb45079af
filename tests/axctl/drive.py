"""Drives the published axctl against a running daemon, as a person at a shell would.

Usage: drive.py URL OPERATOR_TOKEN WORK_DIR TAOSCTL, with axctl beside this interpreter. Everything happens below WORK_DIR. Prints
one line a step; the first step that fails ends it with status 1 and what the client said.
"""

import json
import os
import pathlib
import re
import select
import shlex
import stat
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

URL, OPERATOR, WORK, TAOSCTL = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4]
AXCTL = str(pathlib.Path(sys.executable).parent / "axctl")
PAT = re.compile(r"axp_[ua]_[A-Za-z0-9]{10}\.[A-Za-z0-9]{49}")


class Failed(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failed(what)


class Shell:
    """A HOME and a working directory of its own, without any AX_ variable of the caller's."""

    def __init__(self, name, **more):
        self.dir = WORK / name
        self.dir.mkdir(parents=True)
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("AX_", "TAOS"))}
        home = more.pop("HOME", str(self.dir))
        self.env = {**keep, "HOME": home, "NO_COLOR": "1", "COLUMNS": "400", "TERM": "dumb", **more}

    def run(self, *args, status=0, stdin=""):
        return self.command(AXCTL, *args, status=status, stdin=stdin)

    def command(self, *args, status=0, stdin=""):
        done = subprocess.run(
            args, cwd=self.dir, env=self.env, input=stdin, capture_output=True, text=True, timeout=60
        )
        if done.returncode != status:
            raise Failed(f"{shlex.join(args)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def json(self, *args, **more):
        out = self.run(*args, "--json", **more)
        try:
            return json.loads(out)
        except ValueError as error:
            raise Failed(f"axctl {shlex.join(args)}: not JSON: {out}") from error


def post(path, body, token):
    request = urllib.request.Request(
        URL + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.load(reply)


def get(path, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(URL + path, headers=headers), timeout=20) as reply:
        return json.load(reply)


STEPS = []


def step(function):
    STEPS.append(function)
    return function


class World:
    """What earlier steps found out."""


@step
def the_operators_token_makes_the_first_key(w):
    made = post("/api/v1/keys", {"name": "axctl"}, OPERATOR)
    check(PAT.fullmatch(made["token"]), made)
    w.pat, w.pat_id = made["token"], made["credential_id"]


@step
def a_user_logs_in_with_it(w):
    w.user = Shell("user")
    out = w.user.run("login", "--url", URL, "--token", w.pat)
    check("Exchange successful" in out and "Identity: operator" in out, out)
    check("Space: operator" in out, out)


@step
def whoami_tells_the_user(w):
    me = w.user.json("auth", "whoami")
    check(me["username"] == "operator" and me["principal_type"] == "user" and me["bound_agent"] is None, me)
    w.space = me["space_id"]
    check(me["resolved_space_id"] == w.space, me)


@step
def spaces_are_listed_made_and_read(w):
    spaces = w.user.json("spaces", "list")
    check([s["id"] for s in spaces if s["is_default"]] == [w.space], spaces)
    made = w.user.json("spaces", "create", "Workshop", "--description", "for tools")
    check(made["name"] == "Workshop", made)
    check(w.user.json("spaces", "get", made["id"])["slug"] == "workshop", made)
    check(w.user.json("spaces", "members")[0]["username"] == "operator", "members")
    w.user.run("spaces", "create", "workshop", status=1)


@step
def agents_are_created_read_listed_changed_and_deleted(w):
    made = w.user.json("agents", "create", "Scout", "--description", "looks around", "--model", "m1")
    check(made["name"] == "Scout" and made["origin"] == "mcp" and made["space_id"] == w.space, made)
    check("Created agent: Second" in w.user.run("agents", "create", "Second"), "text output")
    check(w.user.json("agents", "get", "scout")["id"] == made["id"], "by name")
    check(w.user.json("agents", "get", made["id"])["name"] == "Scout", "by id")
    check({a["name"] for a in w.user.json("agents", "list")} == {"Scout", "Second"}, "list")
    w.user.run("agents", "create", "SCOUT", status=1)
    changed = w.user.json(
        "agents", "update", "Scout", "--bio", "b", "--specialization", "s", "--system-prompt", "p",
        "--type", "sentinel", "--status", "inactive",
    )
    check((changed["bio"], changed["agent_type"], changed["status"]) == ("b", "sentinel", "inactive"), changed)
    check(changed["system_prompt"] == "p" and changed["description"] == "looks around", changed)
    w.user.run("agents", "avatar", "Scout", "--set", status=1)  # its picture is longer than what the client allows
    w.user.run("agents", "update", "Scout", "--avatar-url", "https://box.example/scout.svg")
    rows = w.user.json("agents", "status")
    check({r["presence"] for r in rows} == {"offline"}, rows)
    check(w.user.json("agents", "tools", made["id"])["enabled_tools"] == [], "tools")
    w.user.run("agents", "delete", "Second", "--yes")
    w.user.run("agents", "get", "Second", status=1)


@step
def a_token_is_minted_saved_and_made_a_profile(w):
    work = w.user.dir / "worker"
    work.mkdir()
    shown = w.user.json(
        "token", "mint", "builder", "--create", "--save-to", str(work), "--profile", "b", "--no-print-token"
    )
    check(shown["token_redacted"] and "token" not in shown, shown)
    file = pathlib.Path(shown["token_file"])
    check(stat.S_IMODE(file.stat().st_mode) == 0o600, "mode of the token file")
    w.agent_pat, w.agent_id = file.read_text().strip(), shown["agent_id"]
    check(PAT.fullmatch(w.agent_pat), "the token file")
    plain = w.user.run("token", "mint", "builder", "--audience", "cli")
    w.second = PAT.search(plain).group()


@step
def the_profile_verifies_and_exports(w):
    check("verified" in w.user.run("profile", "verify", "b"), "verify")
    out = w.user.run("profile", "env", "b")
    check(f"export AX_TOKEN={w.agent_pat}" in out and f"export AX_AGENT_ID={w.agent_id}" in out, "env")
    as_agent = f'eval "$({shlex.quote(AXCTL)} profile env b)" && {shlex.quote(AXCTL)} auth whoami --json'
    me = json.loads(w.user.command("sh", "-c", as_agent))
    check(me["bound_agent"]["agent_name"] == "builder", me)
    check("Fingerprint registered" in w.user.run("profile", "use", "b"), "use")
    check("Fingerprint registered" in w.user.run("profile", "use", "b"), "use again")
    w.user.run("profile", "remove", "b")


@step
def the_agent_is_itself(w):
    w.agent = Shell("agent")
    (w.agent.dir / ".ax").mkdir()
    w.agent.env.update(
        AX_TOKEN=w.agent_pat, AX_BASE_URL=URL, AX_AGENT_NAME="builder", AX_AGENT_ID=w.agent_id, AX_SPACE_ID=w.space
    )
    me = w.agent.json("auth", "whoami")
    check(me["principal_type"] == "agent" and me["id"] == w.agent_id, me)
    check(me["bound_agent"]["agent_name"] == "builder" and me["resolved_space_id"] == w.space, me)
    check([s["id"] for s in w.agent.json("spaces", "list")] == [w.space], "an agent's spaces")
    check([a["name"] for a in w.agent.json("agents", "list")] == ["builder"], "what an agent sees")
    w.agent.run("agents", "create", "child", status=1)
    w.agent.run("keys", "create", "--name", "k", status=1)
    check(w.agent.json("agents", "update", "builder", "--bio", "mine")["bio"] == "mine", "its own bio")
    w.agent.run("agents", "update", "builder", "--model", "m", status=1)
    w.agent.run("agents", "update", "Scout", "--bio", "x", status=1)
    row = next(r for r in w.user.json("agents", "status") if r["name"] == "builder")
    check(row["presence"] == "online" and row["last_active"], row)


@step
def the_exchange_shows_its_claims(w):
    claims = w.agent.json("auth", "exchange", "--class", "agent_access", "--agent", w.agent_id)
    check(claims["sub"] == w.agent_id and claims["expires_in"] == 900, claims)
    admin = w.user.json("auth", "exchange", "--class", "user_admin", "--scope", "agents.create")
    check(admin["token_class"] == "user_admin" and admin["expires_in"] == 300, admin)
    w.agent.run("auth", "exchange", "--class", "user_access", status=1)
    w.user.run("auth", "exchange", "--class", "user_admin", "--scope", "messages", status=1)


@step
def keys_are_made_listed_rotated_and_revoked(w):
    made = w.user.json("keys", "create", "--name", "narrow", "--scope-to-agent", w.agent_id)
    check(made["allowed_agent_ids"] == [w.agent_id], made)
    narrow = Shell("narrow", AX_TOKEN=made["token"], AX_BASE_URL=URL, AX_SPACE_ID=w.space)
    check([a["name"] for a in narrow.json("agents", "list")] == ["builder"], "a key for one agent")
    narrow.run("agents", "get", "Scout", status=1)
    plain = w.user.run("keys", "create", "--name", "plain")
    check(PAT.search(plain), plain)
    rotated = w.user.json("keys", "rotate", made["credential_id"])
    check(PAT.fullmatch(rotated["token"]) and rotated["token"] != made["token"], rotated)
    listed = {k["credential_id"]: k["lifecycle_state"] for k in w.user.json("keys", "list")}
    check(listed[made["credential_id"]] == "revoked" and listed[rotated["credential_id"]] == "active", listed)
    check("Revoked" in w.user.run("keys", "revoke", rotated["credential_id"]), "revoke")
    w.user.run("keys", "list")


@step
def credentials_are_issued_audited_and_revoked(w):
    made = w.user.json("credentials", "issue-agent-pat", "builder", "--name", "third", "--audience", "both")
    check(made["bound_agent_id"] == w.agent_id and made["expires_at"], made)
    w.user.run("credentials", "issue-agent-pat", "builder", status=1)  # a fourth is one too many
    report = w.user.json("credentials", "audit")
    check(report["summary"]["cleanup_required"] == 1, report)
    w.user.run("credentials", "audit", "--strict", status=2)
    w.user.run("credentials", "revoke", made["credential_id"], "--yes")
    w.user.run("credentials", "revoke", made["credential_id"], "--yes")
    states = {c["credential_id"]: c["lifecycle_state"] for c in w.user.json("credentials", "list")}
    check(states[made["credential_id"]] == "revoked", states)
    w.user.run("credentials", "list")


@step
def an_enrollment_makes_its_agent(w):
    made = w.user.json("credentials", "issue-enrollment", "--name", "newcomer")
    check(made["lifecycle_state"] == "pending_enrollment" and made["bound_agent_id"] is None, made)
    check("Enrollment token created" in w.user.run("credentials", "issue-enrollment"), "text")
    w.new = Shell("new")
    (w.new.dir / ".ax").mkdir()
    out = w.new.run("auth", "init", "--token", made["token"], "--url", URL, "--agent", "newcomer")
    check("Agent registered: newcomer" in out and "Space: operator" in out, out)
    me = w.new.json("auth", "whoami")
    check(me["bound_agent"]["agent_name"] == "newcomer", me)
    again = w.new.run("auth", "init", "--token", made["token"], "--url", URL, "--agent", "newcomer")
    check("Agent registered: newcomer" in again, again)
    check(w.user.json("agents", "get", "newcomer")["id"] == me["id"], "the same agent")
    other = Shell("other")
    (other.dir / ".ax").mkdir()
    other.run("auth", "init", "--token", made["token"], "--url", URL, "--agent", "another", status=1)


@step
def another_languages_library_verifies_a_token_by_the_jwk_set(w):
    import jwt

    token = post("/auth/exchange", {"audience": "ax-mcp", "requested_ttl": 60}, w.agent_pat)["access_token"]
    kid = jwt.get_unverified_header(token)["kid"]
    keys = {key["kid"]: jwt.PyJWK.from_dict(key) for key in get("/.well-known/jwks.json")["keys"]}
    claims = jwt.decode(token, keys[kid].key, algorithms=["EdDSA"], audience="ax-mcp", issuer="taosd")
    check(claims["agent_id"] == w.agent_id and claims["exp"] - claims["iat"] == 60, claims)
    head, body, signature = token.split(".")
    try:
        jwt.decode(f"{head}.{body[:-2]}AA.{signature}", keys[kid].key, algorithms=["EdDSA"], audience="ax-mcp")
    except jwt.PyJWTError:
        return
    raise Failed("an altered token was verified")


@step
def a_profile_of_taosctl_is_an_identity_for_axctl(w):
    both = Shell("both", TAOS_URL=URL, TAOS_TOKEN=OPERATOR)
    both.command(TAOSCTL, "token", "mint", "shared", "--create", "--profile", "s", "--json")
    as_agent = f'eval "$({shlex.quote(TAOSCTL)} profile env s --ax)" && {shlex.quote(AXCTL)} auth whoami --json'
    me = json.loads(both.command("sh", "-c", as_agent))
    check(me["bound_agent"]["agent_name"] == "shared", me)


@step
def tasks_are_made_listed_read_and_changed(w):
    for who in (w.user, w.agent):
        made = who.json("tasks", "create", "Count the files", "--description", "all of them", "--priority", "high")
        check(made["status"] == "not_started" and made["space_id"] == w.space, made)
        check(any(t["id"] == made["id"] for t in who.json("tasks", "list", "--limit", "5")), "list")
        check(who.json("tasks", "get", made["id"])["description"] == "all of them", "get")
        changed = who.json("tasks", "update", made["id"], "--status", "in_progress", "--priority", "urgent")
        check((changed["status"], changed["priority"]) == ("in_progress", "urgent"), changed)
        who.run("tasks", "update", made["id"], "--status", "done")
        stored = get(f"/api/v1/tasks/{made['id']}", OPERATOR)
        check(stored["status"] == "done" and stored["finished_at"], stored)
        who.run("tasks", "update", made["id"], "--priority", "at once", status=1)
    given = w.user.json("tasks", "create", "For the builder", "--assign", w.agent_id)
    check(get(f"/api/v1/tasks/{given['id']}", OPERATOR)["assignee_id"] == w.agent_id, given)


@step
def context_is_set_read_listed_and_deleted(w):
    for who, key in ((w.user, "spec:a/b"), (w.agent, "notes with space")):
        who.run("context", "set", key, "a value", "--ttl", "600")
        check(who.json("context", "get", key)["value"] == "a value", key)
        rows = who.json("context", "list", "--prefix", key[:4])
        check([row["key"] for row in rows] == [key] and rows[0]["ttl"] == 600, rows)
        who.run("context", "list")
        who.run("context", "delete", key)
        who.run("context", "get", key, status=1)


@step
def files_are_uploaded_and_downloaded(w):
    for who, name in ((w.user, "plan.md"), (w.agent, "table.csv")):
        content = f"# {name}\n" * 20_000  # too long to be put into the context whole
        (who.dir / name).write_text(content)
        sent = who.json("upload", "file", name, "--no-message", "--key", f"file:{name}")
        check(sent["filename"] == name and sent["size"] == len(content), sent)
        who.run("context", "download", f"file:{name}", "--output", "back")
        check((who.dir / "back").read_text() == content, "it came back changed")
        kept = who.json("context", "upload-file", name, "--vault", "--key", f"kept:{name}")
        check(kept, "upload-file")
        stored = get(f"/api/v1/context/kept%3A{name}", OPERATOR)
        check(stored["expires_at"] is None and stored["artifact_type"] == "RESEARCH", stored)
        (who.dir / "x.bin").write_bytes(b"\0\1\2")
        who.run("upload", "file", "x.bin", "--no-message", status=1)


@step
def messages_are_sent_read_changed_and_searched(w):
    for who, name in ((w.user, "operator"), (w.agent, "builder")):
        who.run("send", f"a word from {name} to @builder", "--no-wait")
        stored = get("/api/v1/messages?limit=1", OPERATOR)["messages"][0]
        check(stored["content"] == f"a word from {name} to @builder" and stored["display_name"] == name, stored)
        check(stored["space_id"] == w.space and stored["mentions"] == ["builder"], stored)
        listed = who.json("messages", "list", "--limit", "5")
        check(listed[0]["id"] == stored["id"], listed)
        check(who.json("messages", "get", stored["id"])["content"] == stored["content"], "get")
        check(who.json("messages", "edit", stored["id"], f"{name} thought again")["content"].endswith("again"), "edit")
        found = who.json("messages", "search", f"{name} thought", "--limit", "3")
        check([m["id"] for m in found] == [stored["id"]], found)
        check(who.json("messages", "read", stored["id"])["status"] == "success", "read")
        who.run("messages", "read", "--all")
        check(who.json("messages", "list", "--unread") == [], "all is read")
        who.run("messages", "list", "--mark-read")
        who.run("messages", "delete", stored["id"])
        who.run("messages", "get", stored["id"], status=1)
    w.user.run("send", "into the dark", "--space-id", "00000000-0000-7000-8000-000000000000", "--no-wait", status=1)
    (w.user.dir / "plan.txt").write_text("step one\n")
    w.user.run("send", "see the file", "--file", "plan.txt", "--no-wait")
    stored = get("/api/v1/messages?limit=1", OPERATOR)["messages"][0]
    check(stored["attachments"][0]["filename"] == "plan.txt", stored)


def began(who, *args):
    return subprocess.Popen(
        [AXCTL, *args], cwd=who.dir, env=who.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )


@step
def a_reply_is_waited_for_and_a_stream_is_watched(w):
    asking = began(w.user, "send", "how far are you?", "--to", "builder", "--timeout", "40", "--json")
    asked = None
    while asked is None and asking.poll() is None:
        for message in w.agent.json("messages", "list", "--unread"):
            if message["content"] == "@builder how far are you?":
                asked = message
    check(asked, "the question never came")
    w.agent.run("send", "nearly done", "--reply-to", asked["id"], "--no-wait")
    out, err = asking.communicate(timeout=60)
    # It shows on the same output how long it has waited.
    check(asking.returncode == 0 and '"content": "nearly done"' in out, f"{out}\n{err}")
    watching = began(w.agent, "watch", "--mention", "--timeout", "40", "--json", "--quiet")
    while watching.poll() is None:
        w.user.run("send", "look here", "--to", "builder", "--no-wait")
    out, err = watching.communicate(timeout=60)
    check(watching.returncode == 0 and "look here" in out, f"{out}\n{err}")


@step
def the_clients_own_contracts_hold(w):
    for who, name, author in ((w.user, "probe-user.md", "operator"), (w.agent, "probe-agent.md", "builder")):
        (who.dir / name).write_text(f"# {name}\n")
        told = who.json("qa", "contracts", "--write", "--upload-file", name, "--send-message")
        failed = [check for check in told["checks"] if not check["ok"]]
        check(told["ok"] and not failed and told["summary"]["checks_total"] == 16, failed)
        # What the client was told is what the server has.
        artifacts = told["artifacts"]
        message = get(f"/api/v1/messages/{artifacts['message_id']}", OPERATOR)
        check(name in message["content"] and message["author"]["name"] == author, message)
        check(message["attachments"][0]["id"] == artifacts["attachment_id"], message)
        file = urllib.request.Request(
            f"{URL}/api/v1/uploads/files/{artifacts['attachment_id']}", headers={"Authorization": f"Bearer {OPERATOR}"}
        )
        with urllib.request.urlopen(file, timeout=20) as reply:
            check(reply.read() == f"# {name}\n".encode() and reply.headers["content-type"].startswith("text/markdown"), name)
        for key in (artifacts["context_key"], artifacts["upload_context_key"]):
            try:
                get(f"/api/v1/context/{urllib.parse.quote(key, safe='')}", OPERATOR)
                raise Failed(f"{key} was to be gone")
            except urllib.error.HTTPError as error:
                check(error.code == 404, key)
        check(who.json("qa", "preflight", "--write")["ok"], "preflight")


@step
def events_are_streamed_and_mentions_listened_for(w):
    for who, name in ((w.user, "operator"), (w.agent, "builder")):
        streaming = began(who, "events", "stream", "--max-events", "3", "--json")
        while streaming.poll() is None:
            w.user.run("send", f"for the stream of {name}", "--no-wait")
        out, err = streaming.communicate(timeout=60)
        events = [json.loads(line) for line in out.splitlines()]
        check([event["event"] for event in events] == ["connected", "message", "message"], f"{out}\n{err}")
        check(events[0]["data"]["space_id"] == w.space, events[0])
        for event in events[1:]:
            stored = get(f"/api/v1/messages/{event['data']['id']}", OPERATOR)
            check(stored == event["data"], stored)
        first, second = (event["data"]["seq"] for event in events[1:])
        check(second == first + 1, "none was left out")
    listening = began(w.agent, "listen", "--dry-run", "--json")
    try:
        heard = None
        while heard is None and listening.poll() is None:
            w.user.run("send", "listen to this", "--to", "builder", "--no-wait")
            ready, _, _ = select.select([listening.stdout], [], [], 1)
            line = listening.stdout.readline() if ready else ""
            heard = line if "listen to this" in line else None
        check(heard, f"nothing was heard: {listening.poll()}")
    finally:
        listening.terminate()
        listening.communicate(timeout=20)


@step
def a_revoked_key_is_dead_at_once(w):
    w.user.run("keys", "revoke", w.pat_id)
    w.user.run("login", "--url", URL, "--token", w.pat, status=1)
    try:
        post("/auth/exchange", {}, w.pat)
    except urllib.error.HTTPError as error:
        body = json.load(error)
        check(error.code == 401 and body["detail"]["error"] == "invalid_credential", body)
        return
    raise Failed("a revoked key was exchanged")


def main():
    world = World()
    for function in STEPS:
        try:
            function(world)
        except Failed as failure:
            print(f"FAILED {function.__name__}: {failure}")
            return 1
        print(f"ok {function.__name__}")
    return 0


sys.exit(main())
