#include "bench/support/node.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/processes/leftovers.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace greenroom::bench {

namespace fs = std::filesystem;

using nlohmann::json;

namespace {

constexpr std::chrono::seconds patience{20};

/// A port that is free now. The node is told, and not asked for it, so that it
/// can be measured with a silent log.
std::uint16_t free_port() {
  unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  auto* address = reinterpret_cast<sockaddr*>(&here);
  if (!socket || ::bind(socket.get(), address, size) != 0
      || ::getsockname(socket.get(), address, &size) != 0)
    throw std::system_error(errno, std::generic_category(), "a free port");
  return ntohs(here.sin_port);
}

void git(const fs::path& cwd, std::vector<std::string> args) {
  command what;
  what.argv = {"git", "-c", "user.name=Ada", "-c",
               "user.email=ada@example.org"};
  what.argv.insert(what.argv.end(), args.begin(), args.end());
  what.cwd = cwd;
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM=1",
              "GIT_CONFIG_GLOBAL=/dev/null"};
  if (auto result = run_command(what); !result.ok())
    throw std::runtime_error("git: " + result.err);
}

} // namespace

node::node(const node_options& options) : port_(free_port()) {
  make_upstream();
  json project{{"id", "demo"},
               {"repo", (dir_.path() / "demo.git").string()},
               {"default_branch", "main"},
               {"max_active_sessions", 10}};
  std::vector<std::string> argv{program("greenroom"), "serve"};
  for (auto& setting :
       {"node.data_dir=" + (dir_.path() / "data").string(),
        "http.listen=127.0.0.1:" + std::to_string(port_),
        "http.threads=" + std::to_string(options.http_threads),
        "log.level=" + options.log_level, std::string{"sandbox.mode=none"},
        "projects=" + json{project}.dump()}) {
    argv.push_back("--set");
    argv.push_back(setting);
  }
  process_ = std::make_unique<child>(argv, dir_.path() / "log");
  await_serving();
  key_ = read_file(dir_.path() / "data/admin.key").value_or("");
  key_.erase(key_.find_last_not_of('\n') + 1);
}

node::~node() {
  try {
    process_->terminate();
    std::error_code none;
    for (auto& session :
         fs::directory_iterator{dir_.path() / "data/sessions", none})
      kill_leftovers(session.path().filename().string());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "clearing up after a node: %s\n", e.what());
  }
}

void node::make_upstream() const {
  git(dir_.path(), {"init", "-q", "-b", "main", "work"});
  git(dir_.path() / "work", {"commit", "-qm", "First", "--allow-empty"});
  git(dir_.path(), {"clone", "-q", "--bare", "work", "demo.git"});
}

void node::await_serving() {
  auto end = std::chrono::steady_clock::now() + patience;
  while (process_->running() && std::chrono::steady_clock::now() < end)
    try {
      if (connection{port_}.ask(request("GET", "/readyz")).status == 200)
        return;
    } catch (const std::system_error&) {
      ::poll(nullptr, 0, 20); // it does not listen yet
    }
  throw std::runtime_error("the node does not serve: " + log());
}

std::string node::make_session() {
  static unsigned made = 0;
  json body{{"new_branch", "bench-" + std::to_string(++made)}};
  auto answer = connection{port_}.ask(
    request("POST", "/projects/demo/sessions", body.dump()));
  if (answer.status != 201)
    throw std::runtime_error("no session: " + answer.body + '\n' + log());
  return "/projects/demo/sessions/"
         + json::parse(answer.body)["data"]["id"].get<std::string>();
}

std::string node::log() const {
  return read_file(dir_.path() / "log").value_or("");
}

} // namespace greenroom::bench
