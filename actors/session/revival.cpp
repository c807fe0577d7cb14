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

// What the last stored change was asked to do lies in the event that announced
// it.
session::last_change change_in(const std::string& events) {
  session::last_change result;
  auto list = nlohmann::json::parse(events, nullptr, false);
  if (!list.is_array() || list.empty())
    return result;
  auto& data = list.back()["data"];
  if (!data.is_object())
    return result;
  result.announces_setup = data.contains(session::setup_field);
  result.author = {data.value("by", ""), data.value("by_name", ""),
                   data.value("author", "")};
  result.message = data.value("message", "");
  result.skip_review = data.value("skip_review", false);
  result.auto_merge = data.value("auto_merge", false);
  return result;
}

} // namespace

void session_actor_state::revive() {
  recover_events();
  auto past = read_past();
  resume_output(past);
  perform(session::recover(machine_, std::move(past)));
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

// -- what the files say -------------------------------------------------------

// Execs are what the timeline says of them; requests lie beside the logs.
session::past session_actor_state::read_past() {
  session::past result;
  timeline_reader reader{dir_};
  std::uint64_t after = 0;
  for (;;) {
    auto entries = reader.entries(after, entries_at_once, bytes_at_once);
    if (entries.empty())
      break;
    after = entries.back().id.seq;
    for (auto& entry : entries)
      read_entry(result, entry);
  }
  read_files(result);
  if (!is_live(record().status))
    ports_.clear();
  result.listens = !ports_.empty();
  result.checkout =
    std::filesystem::exists(std::filesystem::symlink_status(dir_ / "checkout"));
  result.setup_known = result.execs.contains(session::setup_exec)
                       || archive_->find(session::setup_exec).has_value();
  result.last = change_in(record().last_event_data);
  return result;
}

void session_actor_state::read_entry(session::past& result,
                                     const timeline_entry& entry) {
  switch (entry.kind) {
    case event_kind::session_ended:
      ended_published_ = true;
      return;
    case event_kind::port_opened:
    case event_kind::port_closed:
      recover_port(entry);
      return;
    case event_kind::git_pushed:
    case event_kind::git_committed: {
      result.used = true;
      auto data = nlohmann::json::parse(entry.data, nullptr, false);
      result.tip = data.is_object() ? data.value("new", "") : "";
      return;
    }
    case event_kind::exec_queued: {
      exec_record exec;
      if (auto request = kept_request(exec_dir(entry.exec_id)))
        exec.spec = std::move(*request);
      exec.spec.exec_id = entry.exec_id;
      read_exec_json(entry.data, exec);
      places_[entry.exec_id].queued = entry.id.seq;
      if (result.execs.emplace(entry.exec_id, std::move(exec)).second)
        result.order.push_back(entry.exec_id);
      return;
    }
    case event_kind::exec_started:
    case event_kind::exec_exited: {
      auto found = result.execs.find(entry.exec_id);
      if (found == result.execs.end())
        return;
      read_exec_json(entry.data, found->second);
      if (entry.kind == event_kind::exec_started) {
        result.used = true;
      } else {
        places_[entry.exec_id].exited = entry.id.seq;
        result.finalized.push_back(entry.exec_id);
        forget_surplus(result);
      }
      return;
    }
    default:
      return;
  }
}

// No more than a session that was never away holds.
void session_actor_state::forget_surplus(session::past& result) {
  if (result.finalized.size() <= machine_.bounds.max_finished)
    return;
  auto id = std::move(result.finalized.front());
  result.finalized.pop_front();
  result.execs.erase(id);
  std::erase(result.order, id);
  archive(id);
}

// Of execs that are not over.
void session_actor_state::read_files(session::past& result) {
  auto live = is_live(record().status);
  for (auto& [id, exec] : result.execs) {
    if (is_over(exec.status))
      continue;
    if (live && was_sent(exec_dir(id)))
      result.sent.insert(id);
    if (auto end = live ? std::nullopt : read_exit_record(exec_dir(id)))
      result.outcomes.emplace(id, outcome_of(*end));
  }
}

// What of their output is yet to be announced.
void session_actor_state::resume_output(const session::past& what) {
  if (!is_live(record().status))
    return;
  std::vector<std::string> open;
  for (auto& id : what.order)
    if (!is_over(what.execs.at(id).status))
      open.push_back(id);
  if (open.empty())
    return;
  auto cutters = resume_cutters(dir_, open);
  for (auto& exec_id : open) {
    auto cutter = cutters.find(exec_id);
    live_exec exec{cutter == cutters.end() ? output_event_splitter{exec_id}
                                           : cutter->second};
    for (std::size_t i = 0; i < output_streams; ++i)
      exec.printed[i] = exec.cutter.progress().recorded[i];
    live_.insert_or_assign(exec_id, std::move(exec));
  }
}

} // namespace greenroom
