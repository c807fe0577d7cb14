// Who watches a session, and what they get to see.
#include "actors/session/session.hpp"

#include "runtime/api_json/records.hpp"
#include "runtime/timeline/event_encoding.hpp"

#include <caf/send.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom {

// Of events without bytes in a log: all of their text is in them.
void session_actor_state::broadcast(
  const std::vector<timeline_entry>& entries) {
  if (live_watchers_.empty())
    return;
  // Where it cannot be encoded, they see at the next one that they lack it,
  // and read it from the log.
  try {
    event_data data{context_->session_dir(id()), id()};
    broadcast(encode_batch(data, entries, entries.front().id.seq - 1));
  } catch (const std::exception& e) {
    spdlog::error("session {}: events not sent: {}", id(), e.what());
  }
}

// Encoded once; all watchers share the one message. The end is small, and
// nothing would follow it.
void session_actor_state::broadcast(event_batch batch) {
  if (live_watchers_.empty())
    return;
  const auto end = batch.end;
  const auto last = batch.last;
  const auto weight = weight_of(batch);
  auto message = caf::make_message(std::move(batch));
  for (auto& [watcher, window] : live_watchers_)
    if (!window || window->admit(last, weight) || end)
      caf::anon_send(watcher, message);
  if (end)
    live_watchers_.clear();
}

watch_reply session_actor_state::watch(const watch_session& request) {
  // One that reads the log may know of events before they are announced here.
  if (!request.at_end && request.after != last_.seq)
    return {watch_state::behind, last_};
  if (ended_published_)
    return {watch_state::over, last_};
  auto watcher = caf::actor_cast<caf::actor>(request.watcher);
  if (std::ranges::find(live_watchers_, watcher, &live_watcher::handle)
      == live_watchers_.end()) {
    live_watchers_.push_back({watcher, std::nullopt});
    self_->monitor(watcher);
  }
  return {watch_state::hot, last_};
}

void session_actor_state::unwatch(const caf::actor_addr& watcher) {
  auto found = std::ranges::find_if(
    live_watchers_, [&](auto& x) { return x.handle.address() == watcher; });
  if (found == live_watchers_.end())
    return;
  self_->demonitor(watcher);
  *found = std::move(live_watchers_.back());
  live_watchers_.pop_back();
}

void session_actor_state::taken(const taken_events& x) {
  auto watcher = caf::actor_cast<caf::actor>(x.watcher);
  auto found =
    std::ranges::find(live_watchers_, watcher, &live_watcher::handle);
  if (found == live_watchers_.end())
    return;
  auto& window = found->window;
  if (!window)
    window.emplace(relay_window);
  if (!window->taken(x.seq))
    return;
  event_batch where{last_.seq, last_.seq, false, {}, {}};
  window->admit(where.last, weight_of(where));
  caf::anon_send(watcher, std::move(where));
}

namespace {

std::string where_it_stands(const session::state& s) {
  if (s.restore == session::restoring::making)
    return "its checkout is being made of its last checkpoint";
  if (!s.restore_problem.empty())
    return "it is tried again, the last try failed: " + s.restore_problem;
  return "its turn has not come; whoever needs the checkout has it made next";
}

} // namespace

session_view session_actor_state::view() {
  auto encode = [this] {
    return session_json(record(), machine_.running, preview_url_of(record()));
  };
  if (machine_.restore != session::restoring::no) {
    auto json = encode();
    json["restoring"] = where_it_stands(machine_);
    return {shared_text{to_text(json)}};
  }
  if (view_.empty())
    view_ = shared_text{to_text(encode())};
  return {view_};
}

} // namespace greenroom
