// From store and timeline to a state that is whole again: after a crash of the
// actor, of the node, or when somebody asks for a session that is over.
#include "actors/session/session.hpp"

#include "actors/runner_link/link.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/exec/outcome.hpp"
#include "runtime/exec/spec.hpp"
#include "runtime/runner/client/runner_client.hpp"
#include "runtime/timeline/replay.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace greenroom {

namespace {

constexpr std::size_t entries_at_once = 4096;
constexpr std::size_t bytes_at_once = 1024 * 1024;

} // namespace

void session_actor_state::revive() {
  recover_events();
  recover_execs();
  recover_requests();
  // Until the checkout is in its place, on disk, nobody has used it; so it can
  // be made again.
  machine_.installing = (record().status == session_status::active
                         || record().status == session_status::checking_in)
                        && !has_activity_
                        && !std::filesystem::exists(
                          std::filesystem::symlink_status(dir_ / "checkout"));
}

// What the last stored change was asked to do lies in the event that announced
// it.
void session_actor_state::recover_requests() {
  auto setup = std::exchange(machine_.setup, {});
  auto events = nlohmann::json::parse(record().last_event_data, nullptr, false);
  if (record().status == session_status::creating)
    machine_.setup = std::move(setup);
  if (!events.is_array() || events.empty())
    return;
  auto& data = events.back()["data"];
  switch (record().status) {
    case session_status::active:
      // Cut off between the two: it has never been started.
      if (data.contains(session::setup_field)
          && !machine_.execs.contains(session::setup_exec)
          && !archive_->find(session::setup_exec))
        machine_.setup = std::move(setup);
      return;
    case session_status::checking_in:
      machine_.author = {data.value("by", ""), data.value("by_name", ""),
                         data.value("author", "")};
      machine_.message = data.value("message", "");
      machine_.skip_review = data.value("skip_review", false);
      machine_.auto_merge = data.value("auto_merge", false);
      return;
    default:
      return;
  }
}

// The store had the last change, but the crash came before the timeline did.
void session_actor_state::recover_events() {
  if (record().version <= timeline_->last_version())
    return;
  auto events =
    nlohmann::ordered_json::parse(record().last_event_data, nullptr, false);
  if (!events.is_array())
    return;
  std::vector<timeline_entry> entries;
  for (auto& event : events) {
    timeline_entry entry;
    if (!parse(event.value("type", ""), entry.kind))
      continue;
    entry.time = event.value("time", now_ms());
    entry.version = record().version;
    entry.data = event["data"].dump();
    entries.push_back(std::move(entry));
  }
  spdlog::info("session {}: {} events added that the timeline lacked", id(),
               entries.size());
  publish(std::move(entries));
}

// The session is over, so nothing runs; but nobody wrote down how it ended.
void session_actor_state::close_exec(exec_record& exec) {
  auto record = read_exit_record(exec_dir(exec.spec.exec_id));
  if (record)
    exec.outcome = outcome_of(*record);
  else
    exec.outcome.reason = "the session ended";
  exec.status = exec.outcome.status;
}

// Execs are what the timeline says of them; requests lie beside the logs.
void session_actor_state::recover_execs() {
  timeline_reader reader{dir_};
  std::uint64_t after = 0;
  for (;;) {
    auto entries = reader.entries(after, entries_at_once, bytes_at_once);
    if (entries.empty())
      break;
    after = entries.back().id.seq;
    for (auto& entry : entries)
      recover_exec(entry);
  }
  std::vector<std::string> open;
  for (auto& exec_id : machine_.order)
    if (!is_over(machine_.execs.at(exec_id).status))
      open.push_back(exec_id);
  if (!is_live(record().status))
    for (auto& exec_id : open)
      close_exec(machine_.execs.at(exec_id));
  else if (!open.empty())
    resume_open(open);
}

void session_actor_state::recover_exec(const timeline_entry& entry) {
  switch (entry.kind) {
    case event_kind::session_ended:
      ended_published_ = true;
      return;
    case event_kind::git_pushed:
    case event_kind::git_committed: {
      has_activity_ = true;
      auto data = nlohmann::json::parse(entry.data, nullptr, false);
      machine_.tip = data.is_object() ? data.value("new", "") : "";
      return;
    }
    case event_kind::exec_queued: {
      exec_record exec;
      if (auto request = kept_request(exec_dir(entry.exec_id)))
        exec.spec = std::move(*request);
      exec.spec.exec_id = entry.exec_id;
      read_exec_json(entry.data, exec);
      places_[entry.exec_id].queued = entry.id.seq;
      if (machine_.execs.emplace(entry.exec_id, std::move(exec)).second)
        machine_.order.push_back(entry.exec_id);
      return;
    }
    case event_kind::exec_started:
    case event_kind::exec_exited: {
      auto found = machine_.execs.find(entry.exec_id);
      if (found == machine_.execs.end())
        return;
      read_exec_json(entry.data, found->second);
      if (entry.kind == event_kind::exec_started) {
        has_activity_ = true;
        return;
      }
      places_[entry.exec_id].exited = entry.id.seq;
      // No more than a session that was never away holds.
      feed(session::in::exec_finalized{entry.exec_id});
      return;
    }
    default:
      return;
  }
}

void session_actor_state::resume_open(const std::vector<std::string>& open) {
  auto cutters = resume_cutters(dir_, open);
  bool sent_any = false;
  for (auto& exec_id : open) {
    auto cutter = cutters.find(exec_id);
    live_exec exec{cutter == cutters.end() ? output_event_splitter{exec_id}
                                           : cutter->second};
    for (std::size_t i = 0; i < output_streams; ++i)
      exec.printed[i] = exec.cutter.progress().recorded[i];
    // One whose spawn was sent may have run, even if the runner died before it
    // could answer. What was not sent waits in line again.
    exec.spawn_sent = was_sent(exec_dir(exec_id));
    if (exec.spawn_sent) {
      has_activity_ = true;
      ++machine_.running;
      sent_any = true;
    } else {
      machine_.waiting.push_back(exec_id);
    }
    live_.insert_or_assign(exec_id, std::move(exec));
  }
  if (sent_any) {
    // Only to find what survived; with no runner all of them are settled.
    runner_ = runner_state::asked;
    context_->runners->attach(id(), record().project_id, handle(), false);
    look_soon();
  }
}

} // namespace greenroom
