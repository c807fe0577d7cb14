#include "http/sse/watcher.hpp"

#include "messages/errors.hpp"
#include "runtime/events/encode.hpp"

#include <caf/atom.hpp>
#include <caf/sec.hpp>

#include <algorithm>
#include <utility>

namespace greenroom::http {

namespace {

using std::chrono::milliseconds;

/// A write that took less shows a quick client.
constexpr milliseconds quick{100};

/// The first pause before a lost session is looked for; each next one is twice
/// as long. Together they last about 12 s.
constexpr milliseconds first_pause{100};
constexpr unsigned max_tries = 7;
constexpr unsigned max_tries_unopened = 4;

/// True for an error that a revived session would not give.
bool is_passing(const caf::error& why) {
  return why == caf::sec::request_receiver_down
         || why == caf::sec::request_timeout
         || why.category() == caf::atom("exit");
}

} // namespace

watcher::watcher(caf::actor_config& config, std::shared_ptr<sink> out,
                 watch_task task)
  : stream_actor::base(config), out_(std::move(out)), task_(std::move(task)) {
  set_down_handler([this](caf::down_msg& message) {
    if (message.source == task_.session.address())
      lose();
  });
}

const char* watcher::name() const {
  return "greenroom.http.watcher";
}

watcher::behavior_type watcher::make_behavior() {
  if (task_.start.from >= watch_start::kind::after)
    sent_ = task_.start.id.seq;
  monitor(task_.session);
  ask();
  return {[this](const event_batch& batch) { live(batch); },
          [this](sink_written) { written(); },
          [this](sink_closed) { finish(); }, [this](look_again) { look(); }};
}

// -- what its session says ----------------------------------------------------

void watcher::ask() {
  state_ = state::asking;
  asked_ = true;
  auto at_end = !opened_ && task_.start.from < watch_start::kind::after;
  request(task_.session, opened_ ? task_.patience : task_.look_up,
          watch_session{stream_actor{this}, sent_, at_end})
    .then(
      [this, g = generation_](const watch_reply& reply) {
        if (g == generation_)
          standing(reply);
      },
      [this, g = generation_](const caf::error& why) {
        if (g == generation_)
          failed(why);
      });
}

void watcher::standing(const watch_reply& reply) {
  asked_ = false;
  tries_ = 0;
  known_ = reply.last.seq;
  if (!opened_ && !decide(reply))
    return;
  if (reply.state == watch_state::over && sent_ >= known_) {
    ending_ = true;
    go_on();
  } else if (reply.state == watch_state::hot && sent_ == known_) {
    state_ = state::hot;
  } else if (reply.state == watch_state::hot) {
    fall_behind(known_);
  } else {
    state_ = state::reading;
    go_on();
  }
}

/// Makes the client's answer of the first word of the session. False: it was
/// no stream.
bool watcher::decide(const watch_reply& reply) {
  using enum watch_start::kind;
  auto over = reply.state == watch_state::over;
  auto& start = task_.start;
  std::vector<slice> first;
  if (start.from == unsaid || start.from == now) {
    sent_ = known_;
    if (over)
      sent_ = start.from == unsaid || known_ == 0 ? 0 : known_ - 1;
  } else if (start.id.seq > known_) {
    first.push_back(gap_event(reply.last));
    sent_ = known_;
  } else if (start.from == resumed && over && start.id.seq == known_) {
    out_->no_content();
    return false;
  } else if (start.from == resumed && start.id.seq < known_
             && !task_.filter.accepts_all()) {
    // A client with a filter never gets the id of session.ended, so whether it
    // has all there will ever be shows only in what follows its id.
    state_ = state::reading;
    read();
    return false;
  }
  open(std::move(first));
  return true;
}

void watcher::open(std::vector<slice> first) {
  opened_ = true;
  writing_ = true;
  write_began_ = std::chrono::steady_clock::now();
  out_->open(std::move(first));
}

void watcher::read() {
  asked_ = true;
  request(task_.session, task_.patience,
          read_events{sent_, task_.filter, chunk_})
    .then(
      [this, g = generation_](const event_batch& batch) {
        if (g == generation_)
          read_answer(batch);
      },
      [this, g = generation_](const caf::error& why) {
        if (g == generation_)
          failed(why);
      });
}

void watcher::read_answer(const event_batch& batch) {
  asked_ = false;
  if (batch.last <= sent_ && !batch.end) {
    // The log holds less than the session said: it is not in order, and may
    // be so again once the session has looked after it.
    lose();
    return;
  }
  tries_ = 0;
  sent_ = batch.last;
  known_ = std::max(known_, sent_);
  if (!opened_) {
    if (batch.text.empty() && batch.end) {
      out_->no_content();
      return;
    }
    if (batch.text.empty() && sent_ < known_) {
      read();
      return;
    }
  }
  ending_ = batch.end;
  // The reader of the log has applied the filter.
  std::vector<slice> text;
  if (!batch.text.empty())
    text.push_back({batch.text.owner(), batch.text.view()});
  if (!opened_)
    open(std::move(text));
  else if (!text.empty())
    put(std::move(text));
  go_on();
}

void watcher::live(const event_batch& batch) {
  // Batches that a lost session had sent before are as good as others.
  if ((state_ != state::hot && state_ != state::lost) || ending_
      || batch.last <= position())
    return;
  if (batch.after != position()) {
    if (state_ == state::hot)
      fall_behind(batch.last);
    return;
  }
  queue_.push_back({batch.last, batch.end, batch.text.size(), parts_of(batch)});
  queued_ += batch.text.size();
  if (!writing_)
    flush();
  else if (queued_ > max_queued && state_ == state::hot)
    fall_behind(batch.last);
}

void watcher::failed(const caf::error& why) {
  asked_ = false;
  if (is_passing(why))
    lose();
  else
    refuse(to_refusal(why));
}

// -- what its client takes ----------------------------------------------------

void watcher::written() {
  writing_ = false;
  auto took = std::chrono::steady_clock::now() - write_began_;
  chunk_ = took < quick ? std::min(chunk_ * 2, max_read) : min_read;
  flush();
}

void watcher::put(std::vector<slice> parts) {
  writing_ = true;
  write_began_ = std::chrono::steady_clock::now();
  out_->write(std::move(parts));
}

/// Writes what waits, up to a write's size, and goes on.
void watcher::flush() {
  std::vector<slice> parts;
  std::size_t size = 0;
  while (!queue_.empty()) {
    auto& next = queue_.front();
    if (!parts.empty() && size + next.kept > max_write)
      break;
    for (auto& part : next.parts) {
      size += part.size();
      parts.push_back(std::move(part));
    }
    sent_ = next.last;
    ending_ = ending_ || next.end;
    queued_ -= next.kept;
    queue_.pop_front();
  }
  if (!parts.empty())
    put(std::move(parts));
  go_on();
}

/// The next step, once nothing is in flight.
void watcher::go_on() {
  if (writing_ || asked_ || state_ == state::done)
    return;
  if (ending_ && queue_.empty()) {
    out_->end();
    finish();
  } else if (state_ == state::reading) {
    if (sent_ < known_)
      read();
    else
      ask();
  }
}

/// Stops being hot: the log has what is missing, up to `known` at least.
void watcher::fall_behind(std::uint64_t known) {
  send(task_.session, unwatch_session{stream_actor{this}});
  queue_.clear();
  queued_ = 0;
  known_ = std::max(known_, known);
  state_ = state::reading;
  go_on();
}

// -- when its session is gone -------------------------------------------------

void watcher::lose() {
  if (state_ == state::done || ending_ || reminded_)
    return;
  ++generation_;
  asked_ = false;
  state_ = state::lost;
  if (tries_ == (opened_ ? max_tries : max_tries_unopened)) {
    refuse({errc::unavailable, "the session is restarting, try again"});
    return;
  }
  reminded_ = true;
  delayed_send(stream_actor{this}, first_pause * (1u << tries_), look_again{});
  ++tries_;
}

void watcher::look() {
  reminded_ = false;
  if (state_ != state::lost || asked_ || ending_)
    return;
  asked_ = true;
  request(task_.directory, task_.look_up,
          find_session{task_.project_id, task_.session_id})
    .then(
      [this, g = generation_](const session_actor& session) {
        if (g == generation_)
          found(session);
      },
      [this, g = generation_](const caf::error& why) {
        if (g == generation_)
          not_found(why);
      });
}

void watcher::found(const session_actor& session) {
  asked_ = false;
  demonitor(task_.session.address());
  task_.session = session;
  monitor(session);
  // What waits was sent by the one before and is in the log as well.
  queue_.clear();
  queued_ = 0;
  ask();
}

void watcher::not_found(const caf::error& why) {
  asked_ = false;
  if (is_passing(why) || to_refusal(why).code == errc::unavailable)
    lose();
  else
    refuse(to_refusal(why));
}

// -- the rest -----------------------------------------------------------------

void watcher::refuse(const refusal& why) {
  if (opened_)
    out_->end();
  else
    out_->refuse(why);
  finish();
}

void watcher::finish() {
  state_ = state::done;
  queue_.clear();
  quit();
}

std::vector<slice> watcher::parts_of(const event_batch& batch) const {
  std::vector<slice> result;
  if (batch.text.empty())
    return result;
  if (task_.filter.accepts_all()) {
    result.push_back({batch.text.owner(), batch.text.view()});
    return result;
  }
  for (auto part : select(batch, task_.filter))
    result.push_back({batch.text.owner(), part});
  return result;
}

/// Says that the client's id is none of this session's. It carries the id after
/// which the stream goes on, so that the client's next try is a good one.
slice watcher::gap_event(const event_id& last) const {
  auto text = std::make_shared<std::string>();
  append_sse(*text, last, event_kind::stream_gap,
             gap_data_json(now_ms(), task_.session_id, task_.start.id,
                           {last.epoch, last.seq + 1}));
  std::string_view view = *text;
  return {std::move(text), view};
}

} // namespace greenroom::http
