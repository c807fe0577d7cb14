#include "runtime/api_json/records.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <csignal>

using namespace greenroom;
using nlohmann::ordered_json;

namespace {

session_record session() {
  session_record result;
  result.id = "s0123456789abcdefghi";
  result.project_id = "demo";
  result.node = "node-1";
  result.status = session_status::active;
  result.branch = "work";
  result.created_by = "admin";
  result.created_at = 1000;
  result.expires_at = 2000;
  result.base_commit = "never shown";
  result.token_hash = "never shown";
  return result;
}

exec_record exec() {
  exec_record result;
  result.spec.exec_id = "build";
  result.spec.command = "make";
  result.spec.env = {{"TOKEN", "never shown"}};
  result.created_at = 1000;
  return result;
}

} // namespace

TEST_CASE("a session shows its fields in order, and no empty optional ones") {
  CHECK(session_json(session(), 2).dump()
        == R"({"id":"s0123456789abcdefghi","project_id":"demo",)"
           R"("checkout_id":"co-s0123456789abcdefghi","pod_name":"node-1",)"
           R"("preview_url":"","status":"active","created_by":"admin",)"
           R"("created_at":"1970-01-01T00:00:01.000Z",)"
           R"("expires_at":"1970-01-01T00:00:02.000Z","branch":"work",)"
           R"("on_expire":"rescue","labels":{},"running_execs":2,)"
           R"("preview_port":8080})");
}

TEST_CASE("a session that is over shows when and why") {
  auto record = session();
  record.status = session_status::failed;
  record.status_reason = "the disk is full";
  record.ended_at = 3000;
  record.feature_slug = "login";
  record.expiry = on_expire::checkin;
  record.labels = {{"team", "blue"}};
  CHECK_FALSE(session_json(record, 0).contains("rescue_refs"));
  record.rescue_refs = {{"refs/greenroom/rescue/s/tree", "c1", "the files"}};
  record.rescue_note = "in the mirror only";
  CHECK(session_json(record, 0)["rescue_refs"].dump()
        == R"([{"ref":"refs/greenroom/rescue/s/tree","commit":"c1",)"
           R"("holds":"the files"}])");
  CHECK(session_json(record, 0)["rescue_note"] == "in the mirror only");
  CHECK_FALSE(session_json(record, 0).contains("commit"));
  CHECK_FALSE(session_json(record, 0).contains("review_id"));
  record.commit = "c0ffee";
  record.review_id = "r1";
  auto json = session_json(record, 0);
  CHECK(json["commit"] == "c0ffee");
  CHECK(json["review_id"] == "r1");
  CHECK(json["status"] == "failed");
  CHECK(json["status_reason"] == "the disk is full");
  CHECK(json["ended_at"] == "1970-01-01T00:00:03.000Z");
  CHECK(json["feature_slug"] == "login");
  CHECK(json["on_expire"] == "checkin");
  CHECK(json["labels"] == ordered_json{{"team", "blue"}});
}

TEST_CASE("an exec that waits shows neither start nor end") {
  CHECK(exec_json("demo", "sid", exec(), {}).dump()
        == R"({"exec_id":"build","session_id":"sid","command":"make",)"
           R"("status":"queued","created_at":"1970-01-01T00:00:01.000Z",)"
           R"("stdout_bytes":0,"stderr_bytes":0,"truncated":false,)"
           R"("stream_url":"/projects/demo/sessions/sid/events)"
           R"(?exec_id=build&from=earliest",)"
           R"("output_url":"/projects/demo/sessions/sid/execs/build/output"})");
}

TEST_CASE("an exec shows the input and the terminal that were asked for") {
  auto record = exec();
  CHECK_FALSE(exec_json("demo", "sid", record, {}).contains("stdin"));
  CHECK_FALSE(exec_json("demo", "sid", record, {}).contains("tty"));
  record.spec.stdin_open = true;
  record.spec.rows = 24;
  record.spec.cols = 80;
  auto json = exec_json("demo", "sid", record, {});
  CHECK(json["stdin"] == "open");
  CHECK(json["tty"] == ordered_json{{"rows", 24}, {"cols", 80}});
}

TEST_CASE("an exec that runs shows what it has printed so far") {
  auto record = exec();
  record.spec.command.clear();
  record.spec.argv = {"make", "-j2"};
  record.status = exec_status::running;
  record.started_at = 1500;
  record.outcome.stdout_bytes = 77; // not valid yet
  auto json = exec_json("demo", "sid", record, {10, 20, true});
  CHECK(json["argv"] == ordered_json{"make", "-j2"});
  CHECK_FALSE(json.contains("command"));
  CHECK(json["status"] == "running");
  CHECK(json["started_at"] == "1970-01-01T00:00:01.500Z");
  CHECK(json["stdout_bytes"] == 10);
  CHECK(json["stderr_bytes"] == 20);
  CHECK(json["truncated"] == true);
  for (auto absent : {"exit_code", "signal", "ended_at"})
    CHECK_FALSE(json.contains(absent));
}

TEST_CASE("an exec that exited shows its code, 0 too") {
  auto record = exec();
  record.status = record.outcome.status = exec_status::exited;
  record.started_at = 1500;
  record.outcome.ended_at = 1700;
  record.outcome.stdout_bytes = 5;
  record.outcome.truncated = true;
  auto json = exec_json("demo", "sid", record, {10, 20, false});
  CHECK(json["exit_code"] == 0);
  CHECK_FALSE(json.contains("signal"));
  CHECK(json["ended_at"] == "1970-01-01T00:00:01.700Z");
  CHECK(json["stdout_bytes"] == 5);
  CHECK(json["stderr_bytes"] == 0);
  CHECK(json["truncated"] == true);
}

TEST_CASE("an exit code is shown of no exec that did not exit") {
  auto record = exec();
  record.outcome.exit_code = 1;
  for (auto status : {exec_status::signaled, exec_status::timed_out,
                      exec_status::canceled, exec_status::lost}) {
    record.status = status;
    record.outcome.signal = 0;
    auto json = exec_json("demo", "sid", record, {});
    CHECK(json["status"] == to_string(status));
    CHECK_FALSE(json.contains("exit_code"));
    CHECK_FALSE(json.contains("signal"));
    // An exec may be lost before anyone knew when.
    CHECK_FALSE(json.contains("ended_at"));
  }
}

TEST_CASE("signals have the names that a client sends") {
  auto record = exec();
  record.status = exec_status::signaled;
  auto name = [&](int number) {
    record.outcome.signal = number;
    return exec_json("demo", "sid", record, {})["signal"];
  };
  CHECK(name(SIGINT) == "INT");
  CHECK(name(SIGKILL) == "KILL");
  CHECK(name(SIGRTMIN + 2) == "RTMIN+2");
  CHECK(name(999) == "999");
}

TEST_CASE("an exec is read back from what it shows") {
  exec_record exec;
  exec.spec.exec_id = "e";
  exec.spec.argv = {"ls", "-l"};
  exec.spec.stdin_open = true;
  exec.spec.rows = 24;
  exec.spec.cols = 80;
  exec.created_at = 1'000'000'000'000;
  exec.started_at = 1'000'000'001'000;
  exec.status = exec.outcome.status = exec_status::exited;
  exec.outcome.exit_code = 3;
  exec.outcome.ended_at = 1'000'000'002'000;
  exec.outcome.stdout_bytes = 7;
  exec_record read;
  read.spec.exec_id = "e";
  read_exec_json(to_text(exec_json("p", "s", exec, {})), read);
  exec.spec.first_input = unknown_input; // it is not shown
  CHECK(read == exec);
  // What is known of the request counts more.
  read.spec = {};
  read.spec.command = "true";
  read_exec_json(to_text(exec_json("p", "s", exec, {})), read);
  CHECK(read.spec.argv.empty());
}

TEST_CASE("a key shows nothing of its secret") {
  key_record key;
  key.id = "k1";
  key.name = "ci";
  key.secret_hash = "never shown";
  key.scopes = {"sessions:read"};
  key.created_at = 1000;
  CHECK(key_json(key).dump()
        == R"({"id":"k1","name":"ci","scopes":["sessions:read"],)"
           R"("created_at":"1970-01-01T00:00:01.000Z"})");
  key.projects = {"demo"};
  key.expires_at = 2000;
  CHECK(key_json(key)["projects"] == ordered_json{"demo"});
  CHECK(key_json(key)["expires_at"] == "1970-01-01T00:00:02.000Z");
  key.created_at = 0; // the administrator's, of which nobody knows
  CHECK_FALSE(key_json(key).contains("created_at"));
}

TEST_CASE("an event's data is one line: time, session, then its fields") {
  ordered_json fields;
  fields["session_id"] = "sid";
  fields["text"] = "two\nlines and \xff";
  CHECK(event_json(1000, "sid", fields)
        == R"({"time":"1970-01-01T00:00:01.000Z","session_id":"sid",)"
           "\"text\":\"two\\nlines and \xef\xbf\xbd\"}");
}
