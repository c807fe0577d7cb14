#include "bench/support/node.hpp"

#include "runtime/base/files.hpp"
#include "runtime/exec/orphans.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

namespace greenroom::bench {

namespace fs = std::filesystem;

using nlohmann::json;

namespace {

constexpr std::chrono::seconds timeout{20};

} // namespace

node::node(const node_options& options)
  : port_(free_port()), preview_port_(options.previews ? free_port() : 0) {
  make_repository(upstream(), options.upstream);
  auto projects = json::array();
  for (auto id : {"demo", "crowd"})
    projects.push_back({{"id", id},
                        {"repo", upstream().string()},
                        {"default_branch", "main"},
                        {"max_active_sessions", 10'000}});
  auto here = "127.0.0.1:" + std::to_string(port_);
  std::vector<std::string> settings{
    "node.data_dir=" + data_dir().string(),
    "http.listen=" + here,
    "preview.listen="
      + (preview_port_ == 0 ? std::string{"null"}
                            : "127.0.0.1:" + std::to_string(preview_port_)),
    "http.public_url=http://" + here,
    "http.threads=" + std::to_string(options.http_threads),
    "log.level=" + options.log_level,
    "sandbox.mode=" + options.sandbox,
    "projects=" + projects.dump()};
  settings.insert(settings.end(), options.more.begin(), options.more.end());
  argv_ = {program("greenroom"), "serve"};
  for (auto& setting : settings) {
    argv_.push_back("--set");
    argv_.push_back(setting);
  }
  start();
  auto* given = std::getenv("GREENROOM_ADMIN_KEY");
  key_ =
    given != nullptr ? given : read_file(data_dir() / "admin.key").value_or("");
  key_.erase(key_.find_last_not_of('\n') + 1);
}

node::~node() {
  try {
    if (process_)
      process_->terminate();
    std::error_code none;
    std::vector<std::string> sessions;
    for (auto& session : fs::directory_iterator{data_dir() / "sessions", none})
      sessions.push_back(session.path().filename());
    kill_orphans(sessions);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "clearing up after a node: %s\n", e.what());
  }
}

void node::start() {
  process_ = std::make_unique<child>(argv_, dir_.path() / "log");
  await_serving();
}

void node::stop() {
  process_->terminate();
}

void node::kill() {
  process_.reset();
}

void node::await_serving() {
  auto end = std::chrono::steady_clock::now() + timeout;
  while (process_->running() && std::chrono::steady_clock::now() < end) {
    try {
      if (connection{port_}.ask(request("GET", "/readyz")).status == 200)
        return;
    } catch (const std::system_error&) {
      // It does not listen yet.
    }
    ::poll(nullptr, 0, 5); // asked without a pause it would be kept from it
  }
  throw std::runtime_error("the node does not serve: " + log());
}

made_session node::make_session() {
  static unsigned made = 0;
  auto branch = "bench-" + std::to_string(++made);
  auto data = ask("POST", "/projects/demo/sessions", {{"new_branch", branch}});
  made_session result;
  result.id = data["id"];
  result.path = "/projects/demo/sessions/" + result.id;
  result.branch = branch;
  result.clone_url = data["auth_clone_url"];
  return result;
}

void node::exec(const made_session& in, const std::string& shell_command) {
  auto data = ask("POST", in.path + "/exec",
                  {{"command", shell_command}, {"wait", "60s"}});
  if (data["exit_code"] != 0)
    throw std::runtime_error("an exec: " + data.dump());
}

json node::ask(std::string_view method, std::string_view path,
               const json& body) {
  auto answer = connection{port_}.ask(
    request(method, path, body.is_null() ? "" : body.dump()));
  if (answer.status < 200 || answer.status > 202)
    throw std::runtime_error(std::string{method} + ' ' + std::string{path}
                             + ": " + answer.body + '\n' + log());
  return json::parse(answer.body)["data"];
}

std::string node::log() const {
  return read_file(dir_.path() / "log").value_or("");
}

} // namespace greenroom::bench
