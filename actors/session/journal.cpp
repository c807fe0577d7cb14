// What a session asks of its journal writer, and what follows from the answers:
// every event gets its place there, and goes out once.
#include "actors/session/session.hpp"

#include "runtime/api_json/records.hpp"

#include <nlohmann/json.hpp>

#include <utility>
#include <variant>

namespace greenroom {

namespace {

constexpr std::chrono::seconds disk_pause{1};

} // namespace

bool session_actor_state::post(journal::any_request what) {
  return context_->journals->post(id(), journal_, std::move(what));
}

void session_actor_state::read_journal() {
  for (auto& result : journal_->take())
    std::visit([this](auto& x) { (*this)(x); }, result);
}

// Of a session that is new: its directories are there.
void session_actor_state::operator()(journal::opened& x) {
  begin(x, {});
}

// What the files say of one that is not.
void session_actor_state::take_over(journal::opened& found) {
  last_ = found.last;
  ended_published_ = found.end_published;
  ports_ = std::move(found.ports);
  closed_ports_ = std::move(found.closed_ports);
  archived_ = found.archived;
  for (auto& [exec_id, place] : found.places)
    places_.emplace(std::move(exec_id), place);
  for (auto& output : found.outputs) {
    live_exec exec;
    exec.records = exec.announced = output.records;
    exec.printed = output.printed;
    live_.insert_or_assign(std::move(output.exec_id), std::move(exec));
  }
  if (found.waiting) {
    stuck_ = true;
    retry_soon();
  }
  arriving_ = found.arriving;
  perform(session::recover(machine_, std::move(found.past)));
}

// -- events -------------------------------------------------------------------

// An event goes to watchers only after it is in the timeline.
void session_actor_state::publish(std::vector<timeline_entry> entries) {
  if (entries.empty())
    return;
  ++appends_asked_;
  post(journal::append{std::move(entries)});
}

void session_actor_state::operator()(journal::appended& x) {
  appends_done_ += x.requests;
  auto again = std::exchange(stuck_, false);
  announce(x.entries);
  release_answers();
  if (again)
    pump_all();
  pack_on();
}

// What the disk does not take waits, in order; no new work is admitted
// meanwhile, so no more waits than the execs in memory can bring about. Who
// asked is answered all the same.
void session_actor_state::operator()(const journal::not_appended& x) {
  appends_done_ += x.requests;
  stuck_ = true;
  release_answers();
  win_room_for_end();
  retry_soon();
}

// What follows from an event begins once that is written down.
void session_actor_state::announce(const std::vector<timeline_entry>& entries) {
  if (entries.empty())
    return;
  last_ = entries.back().id;
  if (entries.back().kind == event_kind::session_ended)
    ended_published_ = true;
  broadcast(entries);
  for (auto& entry : entries) {
    note_work(entry.kind);
    note(entry);
    count(entry.kind);
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

void session_actor_state::publish(const session::effect::publish& what) {
  auto fields = nlohmann::ordered_json::object();
  for (auto& [key, value] : what.fields)
    std::visit([&](auto& x) { fields[key] = x; }, value);
  timeline_entry entry;
  entry.kind = what.kind;
  entry.time = now_ms();
  entry.data = event_json(entry.time, id(), fields);
  std::vector<timeline_entry> entries;
  entries.push_back(std::move(entry));
  publish(std::move(entries));
}

timeline_entry
session_actor_state::exec_event(event_kind kind,
                                const nlohmann::ordered_json& exec) const {
  timeline_entry entry;
  entry.kind = kind;
  entry.time = now_ms();
  entry.exec_id = exec.at("exec_id").get<std::string>();
  entry.data = event_json(entry.time, id(), exec);
  return entry;
}

// For /metrics.
void session_actor_state::count(event_kind kind) {
  auto& counters = *context_->counters;
  counters.events[kind].add();
  if (kind == event_kind::session_ended)
    counters.sessions_ended[record().status].add();
}

void session_actor_state::publish_exec(event_kind kind,
                                       const std::string& exec_id) {
  if (kind == event_kind::exec_exited)
    context_->counters->execs_ended[machine_.execs.at(exec_id).status].add();
  std::vector<timeline_entry> entries;
  entries.push_back(exec_event(kind, json_of(machine_.execs.at(exec_id))));
  publish(std::move(entries));
}

// -- once more ----------------------------------------------------------------

void session_actor_state::retry_soon() {
  if (!std::exchange(retrying_, true))
    self_->delayed_send(self_, disk_pause, retry_later{});
}

void session_actor_state::try_again() {
  if (auto write_again = std::exchange(pending_change_, nullptr))
    write_again();
  if (std::exchange(review_waiting_, false))
    queue_review();
  if (std::exchange(checkout_waiting_, false))
    make_checkout();
  if (std::exchange(install_waiting_, false))
    install_checkout();
  look_at_turn();
  if (!std::exchange(retrying_, false))
    return;
  release_answers();
  for (auto& [exec_id, known] : unsettled_)
    if (std::exchange(known.waits, false))
      post(journal::settle{exec_id, known.reason, now_ms()});
  if (stuck_) {
    ++appends_asked_;
    post(journal::append{});
  } else {
    pump_all();
  }
  if (auto setup = std::exchange(setup_waiting_, std::nullopt))
    feed(session::event::exec_asked{0, std::move(*setup), now_ms()});
}

} // namespace greenroom
