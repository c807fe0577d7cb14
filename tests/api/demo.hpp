// What most tests of the API do: make a session of the project `demo`, run
// something in it, watch it.
#pragma once

#include "tests/support/eventually.hpp"
#include "tests/support/node_process.hpp"
#include "tests/support/sse_client.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace greenroom::test {

inline const std::string sessions = "/projects/demo/sessions";

/// The answer must have this status; it is shown where it has not.
inline http_reply expect(int status, http_reply reply) {
  INFO(to_string(reply));
  REQUIRE(reply.status == status);
  return reply;
}

inline void expect_refusal(const http_reply& reply, int status,
                           const std::string& code,
                           const std::string& message) {
  INFO(to_string(reply));
  CHECK(reply.status == status);
  CHECK(reply.code() == code);
  CHECK(reply.message() == message);
}

/// One session, seen by the holder of a key. Survives restarts of the node.
class session_user {
public:
  session_user(const node_process& node, std::string id)
    : node_(node), id_(std::move(id)) {}
  session_user(const node_process& node, const json& body)
    : session_user(node, expect(201, node.admin().post(sessions, body))
                           .data()["id"]
                           .get<std::string>()) {}

  const std::string& id() const noexcept {
    return id_;
  }
  std::string path(const std::string& more = {}) const {
    return sessions + '/' + id_ + more;
  }
  std::filesystem::path checkout() const {
    return node_.data_dir() / "sessions" / id_ / "checkout";
  }
  /// It comes a little after the session, where nothing has run in that yet.
  std::filesystem::path new_checkout() const {
    await("a checkout", [this] { return std::filesystem::exists(checkout()); });
    return checkout();
  }

  json get() const {
    return expect(200, node_.admin().get(path())).data();
  }
  std::string status() const {
    return get()["status"];
  }
  http_reply post(const std::string& more, const json& body) const {
    return node_.admin().post(path(more), body);
  }
  http_reply remove() const {
    return node_.admin().remove(path());
  }
  http_reply checkin(const json& body = json::object()) const {
    return post("/checkin", body);
  }

  /// Runs to the end, and gives the Exec with its output.
  json run(const std::string& command) const {
    return expect(200, post("/exec", {{"command", command}, {"wait", "60s"}}))
      .data();
  }
  /// Starts it; it runs, or waits in line, when this returns.
  json start(const std::string& exec_id, const std::string& command) const {
    return expect(202,
                  post("/exec", {{"command", command}, {"exec_id", exec_id}}))
      .data();
  }
  json exec(const std::string& exec_id) const {
    return expect(200, node_.admin().get(path("/execs/" + exec_id))).data();
  }
  json await_status(const std::string& exec_id,
                    const std::string& status) const {
    json last;
    await("exec " + exec_id + " " + status, [&] {
      last = exec(exec_id);
      return last["status"] == status;
    });
    return last;
  }

  sse_client watch(const std::string& query = "from=earliest",
                   const std::string& last_event_id = {}) const {
    return {node_.port(), path("/events?" + query), node_.admin_key(),
            last_event_id};
  }
  json timeline(const std::string& query = {}) const {
    return expect(200, node_.admin().get(path("/timeline?" + query)))
      .data()["events"];
  }

private:
  const node_process& node_;
  std::string id_;
};

/// What an exec printed to one stream, put together from its events. Fails the
/// test where a byte is missing or comes twice.
inline std::string output_of(const std::vector<sse_event>& events,
                             const std::string& exec_id,
                             const std::string& stream = "stdout") {
  std::string text;
  for (auto& event : events) {
    auto& data = event.data;
    if (event.type != "exec.output" || data["exec_id"] != exec_id
        || data["stream"] != stream)
      continue;
    REQUIRE(data["encoding"] == "utf-8");
    REQUIRE(data["offset"] == text.size());
    text += data["data"].get<std::string>();
  }
  return text;
}

/// Kills the node, and starts one that dies where it comes to this step.
inline void start_with_failpoint(node_process& node, const char* name) {
  node.kill9();
  ::setenv("GREENROOM_FAILPOINT", name, 1);
  node.start();
  ::unsetenv("GREENROOM_FAILPOINT");
}

/// Asks a node that dies meanwhile: it gives no answer, and another of its
/// cluster says to try again.
template <class Ask>
bool is_cut_off(Ask ask) {
  try {
    return ask().status == 503;
  } catch (const std::runtime_error&) {
    return true;
  }
}

/// Every id once, one after the other, from `first` on.
inline void check_ids(const std::vector<sse_event>& events,
                      std::uint64_t first = 1) {
  for (auto& event : events) {
    INFO(event.id << ' ' << event.type);
    REQUIRE(event.seq() == first);
    ++first;
  }
}

inline std::vector<std::string> types_of(const std::vector<sse_event>& events) {
  std::vector<std::string> result;
  for (auto& event : events)
    result.push_back(event.type);
  return result;
}

} // namespace greenroom::test
