// How a runner is found, started, lost and stopped.
#include "actors/runner_link/loop.hpp"

#include "messages/ids.hpp"
#include "messages/shortage.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/base/session_paths.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace greenroom {

namespace {

// How long a runner may take to start, or to stop.
constexpr std::chrono::seconds answer_time{10};
// To answer a hello: one that lives may be making its sandbox anew meanwhile,
// and is not to be killed for that.
constexpr std::chrono::seconds hello_time{60};
// Between two tries to find out whether a runner is there.
constexpr std::chrono::seconds retry_pause{1};
// How many of those a runner gets that is to end in any case.
constexpr int max_stop_tries = 10;

// True for what passes.
bool is_shortage(const std::exception& what) {
  auto* error = dynamic_cast<const std::system_error*>(&what);
  if (error == nullptr)
    return false;
  auto found = refusal_of_shortage(error->code());
  return found && found->code == errc::overloaded;
}

std::string nonce_in(const std::filesystem::path& file) {
  auto text = read_file(file);
  if (!text)
    throw std::runtime_error("runner.json is missing");
  return runner::parse_runner_config(*text).nonce;
}

} // namespace

void runner_link::loop::attach(const std::string& id, const std::string& mirror,
                               runner_user_actor user, bool start) {
  drop(id);
  auto& entry = links_[id];
  entry.user = std::move(user);
  entry.mirror = mirror;
  entry.start = start;
  connect(id, entry);
}

void runner_link::loop::stop(const std::string& id, runner_user_actor user) {
  auto& entry = links_[id];
  entry.user = std::move(user);
  entry.stopping = true;
  if (entry.at == phase::up)
    tell_stop(id, entry);
  else if (entry.at == phase::asleep)
    fall_asleep(id, entry);
  else if (entry.at == phase::idle)
    connect(id, entry);
  else if (entry.at == phase::greeting)
    expect_by(id, entry, answer_time);
  // Else it is on its way up, and is stopped when it gets there.
}

std::filesystem::path runner_link::loop::dir_of(const std::string& id) const {
  return session_dir(options_.data_dir, id);
}

// Dials; where nobody listens, starts a runner or says that there is none.
void runner_link::loop::connect(const std::string& id, link& entry) {
  // While what one left is being killed, a new one would be killed too.
  if (reaping_.contains(id)) {
    entry.at = phase::reaping;
    return;
  }
  try {
    if (connect_to_living(id, entry))
      return;
  } catch (const std::exception& e) {
    // Whether there is a runner cannot be told right now (out of descriptors,
    // say), and to guess would cost what runs in it.
    spdlog::error("session {}: runner: {}", id, e.what());
    not_now(id, entry, e.what());
    return;
  }
  start_or_give_up(id, entry);
}

// Who wants a runner for a new command is refused, and may ask again; who wants
// to know what became of the commands has to wait. Who wants them ended does
// not wait for ever: then all that was left is killed.
void runner_link::loop::not_now(const std::string& id, link& entry,
                                const std::string& reason) {
  if (entry.start && !entry.stopping) {
    auto user = entry.user;
    drop(id);
    caf::anon_send(user, runner_down{reason});
    return;
  }
  if (entry.connection)
    disown(entry.connection->connection.fd());
  entry.connection.reset();
  if (entry.stopping && ++entry.stop_tries == max_stop_tries) {
    down(id, reason);
    return;
  }
  entry.at = phase::retrying;
  expect_by(id, entry, retry_pause);
}

// False where there is no runner, and none that could have left anything.
bool runner_link::loop::connect_to_living(const std::string& id, link& entry) {
  if (auto connection = runner_connection::dial(dir_of(id)))
    greet(id, entry, std::move(*connection));
  else if ((!entry.start && !entry.stopping)
           || std::filesystem::exists(dir_of(id) / runner::config_file))
    // There was one, and nobody saw its end: somebody wants to know what became
    // of what ran in it, or has removed its files.
    reap(id, entry);
  else
    return false;
  return true;
}

// What cannot be started now is not tried again: the user hears why.
void runner_link::loop::start_or_give_up(const std::string& id, link& entry) {
  try {
    start_runner(id, entry);
  } catch (const std::exception& e) {
    spdlog::error("session {}: runner: {}", id, e.what());
    down(id, e.what());
  }
}

// Those that run already are found again however many they are.
void runner_link::loop::check_descriptors() const {
  const auto most = options_.max_descriptors;
  if (most != 0 && owners_.size() >= most)
    throw std::system_error(
      EMFILE, std::generic_category(),
      "this node has descriptors for " + std::to_string(most)
        + " runners and inputs of commands, an eighth of its limit of open "
          "files; try again when sessions have ended, or raise the limit "
          "(LimitNOFILE=)");
}

void runner_link::loop::start_runner(const std::string& id, link& entry) {
  if (!entry.start || entry.stopping) {
    auto user = entry.user;
    drop(id);
    caf::anon_send(user, runner_down{});
    return;
  }
  check_descriptors();
  auto dir = dir_of(id);
  runner::runner_config config;
  config.session_id = id;
  config.nonce = random_hex(16);
  config.kill_grace = options_.kill_grace;
  config.idle = options_.idle;
  config.lease = options_.lease.string();
  if (options_.plan)
    config.sandbox = options_.plan(id, entry.mirror);
  if (!config.sandbox)
    ensure_dir(dir / "home");
  // The last one's, or what has come into its place and is no file.
  remove_tree(dir / runner::config_file);
  write_runner_config(dir, config);
  entry.starter.emplace(options_.binary, dir, id);
  entry.at = phase::starting;
  expect_by(id, entry, answer_time);
  own(entry.starter->fd(), {id, {}}, EPOLLIN);
}

void runner_link::loop::starter_done(const std::string& id, link& entry) {
  disown(entry.starter->fd());
  auto problem = entry.starter->finish();
  entry.starter.reset();
  if (problem) {
    spdlog::error("session {}: runner not started: {}", id, *problem);
    down(id, *problem);
    return;
  }
  auto connection = runner_connection::dial(dir_of(id));
  if (connection)
    greet(id, entry, std::move(*connection));
  else
    down(id, "the runner ended at once");
}

void runner_link::loop::greet(const std::string& id, link& entry,
                              runner_connection connection) {
  try {
    entry.nonce = nonce_in(dir_of(id) / runner::config_file);
  } catch (const std::exception& e) {
    if (is_shortage(e))
      throw;
    // Nor will it be readable later: nobody can talk to that runner any more.
    spdlog::error("session {}: {}", id, e.what());
    down(id, "runner.json is damaged, so its commands could not be found "
             "again");
    return;
  }
  if (entry.dormant) {
    std::lock_guard guard{entry.dormant->mutex};
    entry.dormant->connection = std::move(connection);
    entry.connection = std::exchange(entry.dormant, nullptr);
  } else {
    entry.connection =
      std::make_shared<shared_connection>(std::move(connection));
  }
  entry.at = phase::greeting;
  expect_by(id, entry, entry.stopping ? answer_time : hello_time);
  own(entry.connection->connection.fd(), {id, {}}, EPOLLIN);
  if (!entry.connection->connection.send(runner::hello{
        runner::lowest_version, runner::highest_version, entry.nonce}))
    down(id, "the runner hung up");
}

void runner_link::loop::tell_stop(const std::string& id, link& entry) {
  expect_by(id, entry,
            answer_time + std::chrono::milliseconds{2 * options_.kill_grace});
  send(id, runner::stop{});
}

// Lets go of the connection; the runner lives on.
void runner_link::loop::drop(const std::string& id) {
  auto found = links_.find(id);
  if (found == links_.end())
    return;
  auto& entry = found->second;
  while (!entry.inputs.empty())
    close_input(entry, std::string{entry.inputs.begin()->first},
                "the session's runner is gone");
  for (auto ticket : std::exchange(entry.connects, {}))
    refuse_connect(entry.user, ticket, "the session's runner is gone");
  if (entry.starter)
    disown(entry.starter->fd());
  if (entry.connection)
    disown(entry.connection->connection.fd());
  for (const auto& one : {entry.connection, entry.dormant})
    if (one) {
      std::lock_guard guard{one->mutex};
      one->dropped = true;
    }
  {
    std::lock_guard guard{mutex_};
    connections_.erase(id);
  }
  timed_.erase(id);
  links_.erase(found);
}

// There is no runner any more. What it left behind is killed, for nobody could
// ever say what became of it; then its user hears of it.
void runner_link::loop::down(const std::string& id, const std::string& reason) {
  auto found = links_.find(id);
  if (found == links_.end())
    return;
  refuse_held(found->second, reason);
  auto user = found->second.user;
  auto stopping = found->second.stopping;
  // One that ended as told has left nothing but its network, which goes too.
  auto clean = stopping && found->second.at == phase::up && reason.empty();
  drop(id);
  if (clean) {
    caf::anon_send(user, runner_down{});
    return;
  }
  auto& entry = links_[id];
  entry.user = std::move(user);
  entry.stopping = stopping;
  entry.gone = reason;
  reap(id, entry);
}

void runner_link::loop::reap(const std::string& id, link& entry) {
  entry.at = phase::reaping;
  reaping_.insert(id);
  reaper_.reap(id);
}

void runner_link::loop::reaped(const std::string& id) {
  reaping_.erase(id);
  auto found = links_.find(id);
  if (found == links_.end() || found->second.at != phase::reaping)
    return;
  auto& entry = found->second;
  if (entry.gone) {
    runner_down news{*entry.gone};
    auto user = entry.user;
    drop(id);
    caf::anon_send(user, std::move(news));
    return;
  }
  start_or_give_up(id, entry);
}

} // namespace greenroom
