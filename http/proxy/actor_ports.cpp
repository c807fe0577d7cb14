#include "http/proxy/actor_ports.hpp"

#include "http/edge/await_answer.hpp"
#include "http/proxy/last_output.hpp"
#include "http/proxy/preview_settings.hpp"
#include "messages/errors.hpp"
#include "messages/ports.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>
#include <utility>

namespace greenroom::http::proxy {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds look_up_timeout{5'000};

/// On top of what a session takes at most to connect.
constexpr milliseconds connect_slack{1'500};

/// What is known of a session is asked again after this long.
constexpr milliseconds fresh{1'000};

constexpr std::size_t max_known = 4096;

struct disk_result {
  std::string made;
  std::string problem; // not empty: nothing was made
};

constexpr std::uint32_t looked_at = 20; // execs, newest first

/// The newest that runs without a person at its terminal, else the newest.
std::string likely_exec(std::string_view list) {
  auto all = nlohmann::json::parse(list);
  for (auto& one : all)
    if (one.at("status") == "running" && !one.contains("tty"))
      return one.at("exec_id");
  return all.empty() ? std::string{} : all[0].at("exec_id").get<std::string>();
}

session_info info_from(std::string_view text) {
  auto all = nlohmann::json::parse(text);
  session_info result;
  result.project_id = all.at("project_id");
  std::string status = all.at("status");
  for (auto last : {"ended", "expired", "terminated", "failed"})
    if (status == last)
      result.over = status;
  if (!result.over.empty()) {
    result.reason = all.value("status_reason", "");
    result.ended_at = all.value("ended_at", "");
  }
  return result;
}

} // namespace

asio::awaitable<session_actor> actor_ports::find(std::string session_id) {
  find_session wanted{{}, std::move(session_id)};
  auto found = co_await await_answer<session_actor>(bridge_, directory_, wanted,
                                                    look_up_timeout);
  co_return found;
}

asio::awaitable<session_info> actor_ports::look_up(std::string session_id,
                                                   std::uint64_t epoch) {
  if (auto* info = known(session_id, epoch))
    co_return *info;
  co_return co_await look_up_anew(std::move(session_id));
}

const session_info* actor_ports::known(const std::string& session_id,
                                       std::uint64_t epoch) {
  const auto now = std::chrono::steady_clock::now();
  const auto found = known_.find(session_id);
  if (found == known_.end() || now - found->second.asked >= fresh
      || (epoch != 0 && epoch != found->second.info.epoch))
    return nullptr;
  return &found->second.info;
}

/// Apart, since its frame is large, and most requests do without.
asio::awaitable<session_info>
actor_ports::look_up_anew(std::string session_id) {
  const auto now = std::chrono::steady_clock::now();
  whereabouts owner;
  if (peers_) {
    const std::string any_project;
    owner = co_await other_owner(bridge_, *peers_, any_project, session_id,
                                 look_up_timeout);
    if (!owner.elsewhere.empty()) {
      session_info there;
      there.elsewhere = owner.elsewhere;
      there.epoch = owner.epoch;
      co_return there;
    }
  }
  // By the directory each time: a session that has crashed, or gone to sleep,
  // has another actor.
  auto handle = co_await find(session_id);
  auto view = co_await await_answer<session_view>(
    bridge_, handle, get_session{}, look_up_timeout);
  auto info = info_from(view.json.view());
  if (info.over.empty()) {
    get_project wanted{info.project_id};
    auto project = co_await await_answer<project_record>(
      bridge_, directory_, wanted, look_up_timeout);
    info.rules = project.preview;
  }
  const auto before = known_.find(session_id);
  const auto may_have_moved =
    peers_
    && (before == known_.end() || before->second.info.epoch != owner.epoch);
  if (may_have_moved || !settings_.is_loaded(session_id)) {
    std::function<std::string()> load = [this, session_id] {
      settings_.refresh(session_id);
      return std::string{};
    };
    co_await on_disk(std::move(load));
  }
  if (known_.size() >= max_known)
    known_.clear();
  info.epoch = owner.epoch;
  known_[session_id] = {handle, info, now};
  co_return info;
}

asio::awaitable<project_rules> actor_ports::rules_of_projects() {
  list_projects all;
  auto found = co_await await_answer<project_list>(bridge_, directory_, all,
                                                   look_up_timeout);
  project_rules result;
  for (auto& one : found.projects)
    result[one.id] = one.preview;
  co_return result;
}

/// Runs `work` on a thread that may wait for the disk. Throws refused where it
/// throws.
asio::awaitable<std::string>
actor_ports::on_disk(std::function<std::string()> work) {
  auto start = [&](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    elsewhere_([shared, loop = loop_, work]() mutable {
      disk_result result;
      try {
        result.made = work();
      } catch (const std::exception& e) {
        result.problem = e.what();
      }
      // What the handler holds belongs to the loop's thread, and goes there.
      if (auto home = loop.lock())
        home->post([to = std::move(shared), result] { (*to)(result); });
    });
  };
  auto result = co_await asio::async_initiate<const asio::use_awaitable_t<>&,
                                              void(disk_result)>(
    start, asio::use_awaitable);
  if (result.problem.empty())
    co_return std::move(result.made);
  spdlog::error("previews: {}", result.problem);
  throw refused{errc::unavailable,
                "the server's disk does not let this preview be shown, try "
                "again"};
}

// -- what its commands printed ------------------------------------------------

asio::awaitable<std::string> actor_ports::exec_of(session_actor session,
                                                  std::uint16_t port) {
  list_ports all;
  auto known =
    co_await await_answer<port_list>(bridge_, session, all, look_up_timeout);
  for (auto* list : {&known.ports, &known.closed})
    for (auto& one : *list)
      if (one.port == port && !one.exec_id.empty())
        co_return one.exec_id;
  list_execs newest{looked_at, {}};
  auto page =
    co_await await_answer<exec_page>(bridge_, session, newest, look_up_timeout);
  co_return likely_exec(page.json.view());
}

asio::awaitable<printed_last> actor_ports::last_output(std::string session_id,
                                                       std::uint16_t port) {
  auto session = co_await find(session_id);
  printed_last result;
  result.exec_id = co_await exec_of(session, port);
  if (result.exec_id.empty())
    co_return result;
  get_exec wanted{result.exec_id};
  auto view =
    co_await await_answer<exec_view>(bridge_, session, wanted, look_up_timeout);
  result.status = nlohmann::json::parse(view.json.view()).at("status");
  auto dir =
    session_dir(data_dir_, session_id) / runner::exec_dir(result.exec_id);
  std::function<std::string()> read = [dir] { return proxy::last_output(dir); };
  result.text = co_await on_disk(std::move(read));
  co_return result;
}

asio::awaitable<unique_fd> actor_ports::connect(std::string session_id,
                                                std::uint16_t port) {
  // Not by the conditional operator: with a co_await in one branch, GCC 12
  // destroys the other branch's copy once too often.
  session_actor handle;
  if (auto known = known_.find(session_id); known != known_.end())
    handle = known->second.handle;
  else
    handle = co_await find(session_id);
  connect_port wanted{port};
  port_connection made;
  try {
    made = co_await await_answer<port_connection>(
      bridge_, handle, wanted,
      milliseconds{connect_port_timeout} + connect_slack);
  } catch (const refused&) {
    known_.erase(session_id); // it may have another actor by now
    throw;
  }
  unique_fd socket{made.socket.take()};
  if (!socket)
    throw refused{errc::unavailable, "the connection into the session is gone"};
  co_return socket;
}

} // namespace greenroom::http::proxy
