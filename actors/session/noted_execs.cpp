// Where there are several nodes, the store knows how the session's commands
// stand: a node that goes on with it tells of those that ran on a node which is
// lost, and lists the others.
#include "actors/session/session.hpp"

#include "messages/errors.hpp"
#include "runtime/api_json/records.hpp"

#include <caf/actor_cast.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <optional>
#include <utility>

namespace greenroom {

namespace event = session::event;

namespace {

constexpr const char* lost_elsewhere =
  "the node that it ran on was lost, or has given the session up";

// Nobody knows how it ended.
void lose(exec_record& exec) {
  exec.status = exec.outcome.status = exec_status::lost;
  exec.outcome.ended_at = now_ms();
  exec.outcome.reason = lost_elsewhere;
}

std::optional<exec_record> read_note(const std::string& json) {
  auto text = nlohmann::json::parse(json, nullptr, false);
  if (!text.is_object() || !text.contains("exec_id")
      || !text["exec_id"].is_string())
    return std::nullopt;
  exec_record exec;
  exec.spec.exec_id = text["exec_id"].get<std::string>();
  read_exec_json(json, exec);
  return exec;
}

} // namespace

// Nobody waits for it: what is missing of it is what a lost node misses anyway.
void session_actor_state::note(const timeline_entry& entry) {
  if (!context_->cluster)
    return;
  if (entry.kind == event_kind::exec_queued
      || entry.kind == event_kind::exec_started
      || entry.kind == event_kind::exec_exited)
    send_note({id(), record().epoch, entry.exec_id, entry.data});
}

void session_actor_state::forget_note(const std::string& exec_id) {
  if (context_->cluster)
    send_note({id(), record().epoch, exec_id, {}});
}

void session_actor_state::send_note(note_exec what) {
  ++notes_;
  auto over = [this] {
    --notes_;
    pack_on();
  };
  self_
    ->request(caf::actor_cast<exec_notes_actor>(context_->store), store_timeout,
              std::move(what))
    .then([over](done) { over(); },
          [this, over](const caf::error& e) {
            spdlog::warn("session {}: an exec is not noted: {}", id(),
                         to_refusal(e).message);
            over();
            // As with any other change: this one must not go on.
            if (to_refusal(e).code == errc::conflict)
              leave(e);
          });
}

// What the timeline here has is left as it is.
void session_actor_state::take_noted(const std::vector<std::string>& noted) {
  std::uint64_t place = 0; // before all that the timeline has
  for (auto& json : noted) {
    auto exec = read_note(json);
    ++place;
    if (!exec || machine_.execs.contains(exec->spec.exec_id))
      continue;
    // It is to be run again: what it made may not be in the checkpoint.
    if (exec->spec.exec_id == session::setup_exec && !machine_.setup.empty())
      continue;
    places_[exec->spec.exec_id] = {place, 0, true};
    auto live = is_live(record().status);
    if (live && !is_over(exec->status)) {
      missed_.push_back(std::move(*exec));
      continue;
    }
    if (!is_over(exec->status))
      lose(*exec);
    feed(event::exec_noted{std::move(*exec), false});
  }
  tell_missed();
}

void session_actor_state::tell_missed() {
  for (auto& exec : std::exchange(missed_, {})) {
    lose(exec);
    feed(event::exec_noted{std::move(exec), true});
  }
}

} // namespace greenroom
