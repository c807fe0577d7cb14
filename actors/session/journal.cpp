// Timeline and watchers: every event gets its place here, and goes out once.
#include "actors/session/session.hpp"

#include "runtime/api_json/records.hpp"
#include "runtime/disk/disk_reserve.hpp"
#include "runtime/disk/fsync_queue.hpp"
#include "runtime/timeline/event_encoding.hpp"

#include <caf/send.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <system_error>

namespace greenroom {

namespace {

constexpr std::chrono::seconds disk_pause{1};

} // namespace

// Numbers the entries and hands them to the kernel. False where the disk does
// not take them; the timeline is then as it was.
bool session_actor_state::append(std::vector<timeline_entry>& entries) {
  auto seq = timeline_->last_id().seq;
  for (auto& entry : entries)
    entry.id = {record().epoch, ++seq};
  // On a full disk what ends a session has room in the reserve.
  auto may_spend = entries.back().kind == event_kind::session_ended;
  for (bool again = true; again;)
    try {
      timeline_->append(entries);
      again = false;
    } catch (const std::system_error& e) {
      if (may_spend && disk_reserve{context_->data_dir}.spend())
        continue;
      spdlog::error("session {}: the timeline takes no events: {}", id(),
                    e.what());
      return false;
    }
  context_->syncer->mark_dirty(dir_);
  return true;
}

// An event goes to watchers only after it is in the timeline. What the disk
// does not take waits, in order; no new work is admitted meanwhile, so the
// backlog holds no more than the execs at hand can bring about.
void session_actor_state::publish(std::vector<timeline_entry> entries) {
  if (entries.empty())
    return;
  auto after = timeline_->last_id().seq;
  if (!backlog_.empty() || !append(entries)) {
    std::ranges::move(entries, std::back_inserter(backlog_));
    if (!std::exchange(retrying_, true))
      self_->delayed_send(self_, disk_pause, retry_later{});
    return;
  }
  event_data data{dir_, id()};
  broadcast(data, entries, after);
  announced(entries);
}

// What follows from an event begins once that is written down.
void session_actor_state::announced(
  const std::vector<timeline_entry>& entries) {
  for (auto& entry : entries) {
    auto exited = entry.kind == event_kind::exec_exited;
    if (entry.kind == event_kind::exec_queued)
      places_[entry.exec_id].queued = entry.id.seq;
    if (!exited && entry.kind != event_kind::exec_started)
      continue;
    if (exited) {
      places_[entry.exec_id].exited = entry.id.seq;
      live_.erase(entry.exec_id);
      look_after_exec();
    }
    feed(session::event::exec_announced{entry.exec_id, exited, now_ms()});
  }
}

void session_actor_state::try_backlog() {
  if (auto write_again = std::exchange(pending_change_, nullptr))
    write_again();
  if (std::exchange(review_waiting_, false))
    queue_review();
  if (std::exchange(checkout_waiting_, false))
    make_checkout();
  if (std::exchange(install_waiting_, false))
    install_checkout();
  if (!std::exchange(retrying_, false))
    return;
  publish(std::exchange(backlog_, {}));
  if (backlog_.empty())
    for (auto& [exec_id, exec] : live_)
      go_on_soon(exec_id, exec);
}

void session_actor_state::broadcast(event_data& data,
                                    const std::vector<timeline_entry>& entries,
                                    std::uint64_t after) {
  auto end = entries.back().kind == event_kind::session_ended;
  ended_published_ = ended_published_ || end;
  if (live_watchers_.empty())
    return;
  // Encoded once; all watchers share the one message.
  // Where it cannot be encoded, they see at the next one that they lack it,
  // and read it from the log.
  try {
    auto batch = caf::make_message(encode_batch(data, entries, after));
    for (auto& watcher : live_watchers_)
      caf::anon_send(watcher, batch);
  } catch (const std::exception& e) {
    spdlog::error("session {}: events not sent: {}", id(), e.what());
  }
  if (end)
    live_watchers_.clear();
}

void session_actor_state::publish(const session::effect::publish& what) {
  auto fields = nlohmann::ordered_json::object();
  for (auto& [key, value] : what.fields)
    std::visit([&](auto& x) { fields[key] = x; }, value);
  auto now = now_ms();
  timeline_entry entry;
  entry.kind = what.kind;
  entry.time = now;
  entry.data = event_json(now, id(), fields);
  std::vector<timeline_entry> entries;
  entries.push_back(std::move(entry));
  publish(std::move(entries));
}

std::vector<timeline_entry>
session_actor_state::exec_event(event_kind kind,
                                const nlohmann::ordered_json& exec) const {
  auto now = now_ms();
  timeline_entry entry;
  entry.kind = kind;
  entry.time = now;
  entry.exec_id = exec.at("exec_id").get<std::string>();
  entry.data = event_json(now, id(), exec);
  std::vector<timeline_entry> entries;
  entries.push_back(std::move(entry));
  return entries;
}

void session_actor_state::publish_exec(event_kind kind,
                                       const std::string& exec_id) {
  publish(exec_event(kind, json_of(machine_.execs.at(exec_id))));
}

// This event does not wait for the disk: what is not in the timeline would be
// forgotten by a crash, though it runs.
bool session_actor_state::publish_queued(
  const session::effect::keep_exec& what) {
  live_output progress;
  progress.queue_position = what.queue_position;
  auto entries =
    exec_event(event_kind::exec_queued,
               exec_json(record().project_id, id(), what.exec, progress));
  auto after = timeline_->last_id().seq;
  if (!backlog_.empty() || !append(entries)) {
    std::error_code none;
    std::filesystem::remove_all(exec_dir(what.exec.spec.exec_id), none);
    return false;
  }
  event_data data{dir_, id()};
  broadcast(data, entries, after);
  announced(entries);
  return true;
}

// -- watchers -----------------------------------------------------------------

watch_reply session_actor_state::watch(const watch_session& request) {
  auto last = timeline_->last_id();
  if (request.at_end || request.after >= last.seq) {
    if (ended_published_)
      return {watch_state::over, last};
    auto watcher = caf::actor_cast<caf::actor>(request.watcher);
    if (request.at_end || request.after == last.seq) {
      if (std::ranges::find(live_watchers_, watcher) == live_watchers_.end()) {
        live_watchers_.push_back(watcher);
        self_->monitor(watcher);
      }
      return {watch_state::hot, last};
    }
  }
  return {watch_state::behind, last};
}

void session_actor_state::unwatch(const caf::actor_addr& watcher) {
  auto found = std::ranges::find_if(live_watchers_, [&](const caf::actor& x) {
    return x.address() == watcher;
  });
  if (found == live_watchers_.end())
    return;
  self_->demonitor(watcher);
  *found = std::move(live_watchers_.back());
  live_watchers_.pop_back();
}

session_view session_actor_state::view() {
  if (view_.empty())
    view_ = shared_text{to_text(
      session_json(record(), machine_.running, preview_url_of(record())))};
  return {view_};
}

} // namespace greenroom
