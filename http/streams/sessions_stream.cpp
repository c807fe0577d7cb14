#include "http/streams/sessions_stream.hpp"

#include "http/edge/ask.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/node_monitor.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/sse_lines.hpp"
#include "runtime/api_json/project_events.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace greenroom::http {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds look_period{5};

/// Events wait for so long until it is known where all sessions stand.
constexpr seconds state_timeout{5};

/// One write, more only where a single session has written more at once.
constexpr std::size_t max_write = 64 * 1024;

/// So much the cursor's time stays behind for sessions that have no place in it
/// yet: those that end meanwhile keep theirs.
constexpr millis max_behind = 120'000;

/// A list may lack what was created a moment before it.
constexpr millis list_overlap = 10'000;

/// Nothing more is taken while so much waits for a slow client: the store has
/// it. Each session's stream has one write waiting at most.
constexpr std::size_t max_queue = 1024;

} // namespace

sessions_stream::sessions_stream(exchange_ptr ex, sessions_watch what)
  : long_response(*ex), env_(ex->env), what_(std::move(what)),
    ex_(std::move(ex)), begun_(clock::now()), last_write_(begun_) {}

void sessions_stream::begin() {
  if (!env_.streams.add(shared_from_this()))
    return;
  if (what_.resumed)
    cursor_ = *what_.resumed;
  look();
}

/// What happens after the head has come is seen: it is sent once all sessions
/// have said where they stand.
void sessions_stream::open() {
  response head;
  head.content_type = "text/event-stream";
  head.headers.emplace_back("X-Accel-Buffering", "no");
  body_ = ex_->begin(std::move(head));
  // What has come since then is newer than the cursor.
  if (!what_.resumed)
    cursor_.time = begun_at_;
  send(retry_line() + opening_id(to_string(cursor_)));
  ask_late_again();
}

/// Those that have not said where they stand are asked anew. What happens from
/// now on is to be seen, and when they answer "now" may be much later.
void sessions_stream::ask_late_again() {
  if (what_.resumed || what_.earliest)
    return;
  std::vector<std::shared_ptr<stream>> late;
  for (auto& [session_id, one] : members_)
    if (!one.opened && !cursor_.seen.contains(session_id))
      late.push_back(one.of);
  for (auto& one : late)
    one->close(closing::left);
  if (!late.empty())
    looked_ = {};
}

void sessions_stream::close(closing why) {
  if (!ex_)
    return;
  if (body_)
    body_->finish();
  else
    ex_->refuse(why_closed(why));
  done();
}

void sessions_stream::done() {
  auto self = shared_from_this();
  body_.reset();
  ex_.reset();
  queue_.clear();
  sending_.clear();
  // Each takes itself off its session's subscription.
  for (auto& [session_id, one] : std::exchange(members_, {}))
    one.of->close(closing::left);
  env_.streams.remove(*this);
}

void sessions_stream::tick(clock::time_point now) {
  if (!ex_)
    return;
  // Other nodes say nothing here of what happens there.
  if (first_list_ || news() != news_ || now - looked_ >= look_period)
    look();
  if (first_list_ && now - begun_ > state_timeout) {
    refuse(
      {errc::unavailable, "the list of sessions cannot be read, try again"});
    return;
  }
  forget_ended(cursor_time());
  flush();
  if (ex_ && body_ && !writing_
      && now - last_write_ >= env_.options.heartbeat) {
    last_write_ = now;
    body_->write({heartbeat()}, {});
  }
}

// -- which sessions -----------------------------------------------------------

/// How much has happened on this node that a look would find.
std::uint64_t sessions_stream::news() const {
  auto& events = env_.monitor.counters->events;
  return events[event_kind::session_created].value()
         + events[event_kind::review_started].value()
         + events[event_kind::review_finished].value();
}

void sessions_stream::look() {
  if (looking_)
    return;
  looking_ = true;
  looked_ = clock::now();
  news_ = news();
  find_live what{what_.projects, what_.sessions, 0, {}};
  // Those that came and went since the last look, too, or while the client was
  // away.
  what.created_since = std::max(begun_at_, looked_at_ - list_overlap);
  looked_at_ = now_ms();
  if (!first_list_)
    what.events_after = taken_;
  else if (cursor_.project_event)
    what.events_after = *cursor_.project_event;
  else if (what_.earliest)
    what.events_after = 0;
  if (first_list_ && what_.resumed) {
    what.created_since = cursor_.time - ended_stays;
    for (auto& [session_id, seq] : cursor_.seen)
      what.also.push_back(session_id);
  }
  // Those that could not be had may be over by now.
  if (!first_list_)
    for (auto& [session_id, seq] : cursor_.seen)
      if (!members_.contains(session_id) && !ended_.contains(session_id))
        what.also.push_back(session_id);
  for (auto& [session_id, since] : awaited_)
    what.also.push_back(session_id);
  handlers::ask<live_list>(
    ex_, env_.monitor.operations, env_.options.ordinary, std::move(what),
    [self = shared_from_this()](const live_list& all) { self->found(all); },
    [self = shared_from_this()](const ask_error& why) {
      self->not_found(to_refusal(why));
    });
}

/// The next tick looks again, unless that is known to be of no use now.
void sessions_stream::not_found(const refusal& why) {
  looking_ = false;
  if (first_list_
      && (why.code == errc::unavailable || why.code == errc::overloaded))
    refuse(why);
}

void sessions_stream::refuse(const refusal& why) {
  if (!ex_ || body_)
    return;
  ex_->refuse(why);
  done();
}

void sessions_stream::found(const live_list& all) {
  looking_ = false;
  if (!ex_)
    return;
  forget_unlisted(all);
  // Those of the cursor have their place in it already.
  for (auto& session : all.sessions)
    if (cursor_.seen.contains(session.session_id) && !is_known(session))
      add(session);
  left_out_ = 0;
  for (auto& session : all.sessions)
    if (is_known(session))
      continue;
    else if (places_taken() < max_sessions_of_cursor)
      add(session);
    else
      ++left_out_;
  take(all);
  first_list_ = false;
  flush();
}

bool sessions_stream::wants(const project_event& event) const {
  auto kind = event_kind::session_created;
  auto& filter = what_.filter;
  if (parse(event.type, kind))
    return filter.accepts(kind, {});
  return filter.exec_id.empty()
         && (filter.kinds == 0 || (filter.kinds & sessions_watch::of_webhooks));
}

/// What no session tells. A page that is full may not be the last.
void sessions_stream::take(const live_list& all) {
  if (first_list_) {
    taken_ =
      cursor_.project_event.value_or(what_.earliest ? 0 : all.last_event);
    cursor_.project_event = taken_;
  }
  for (auto& event : all.events) {
    if (queue_.size() >= max_queue)
      return;
    if (event.number <= taken_)
      continue;
    taken_ = event.number;
    if (!wants(event))
      continue;
    auto text =
      "event: " + event.type + "\ndata: " + project_event_json(event) + '\n';
    queue_.push_back(
      {event.session_id, {whole(std::move(text))}, {}, event.number});
  }
  if (!all.events.empty())
    looked_ = {}; // once more at the next tick
}

bool sessions_stream::is_known(const live_session& session) const {
  return members_.contains(session.session_id)
         || ended_.contains(session.session_id);
}

/// What an old cursor says of sessions that are gone would fill it in time.
/// All that are awaited have been asked for.
void sessions_stream::forget_unlisted(const live_list& all) {
  std::unordered_set<std::string_view> listed;
  for (auto& session : all.sessions)
    listed.insert(session.session_id);
  auto is_gone = [&](auto& item) { return !listed.contains(item.first); };
  if (first_list_)
    std::erase_if(cursor_.seen, is_gone);
  std::erase_if(awaited_, is_gone);
}

/// Of the cursor, by sessions that are in it and by those that come into it.
std::size_t sessions_stream::places_taken() const {
  return cursor_.seen.size()
         + static_cast<std::size_t>(
           std::ranges::count_if(members_, [&](auto& item) {
             return !cursor_.seen.contains(item.first);
           }));
}

// -- what they write ----------------------------------------------------------

/// Not from inside a session's stream, which does not expect to be told then.
void sessions_stream::flush_soon() {
  env_.loop.post([weak = weak_from_this()] {
    if (auto self = weak.lock())
      self->flush();
  });
}

/// Before that an event's id could not say where all of them stand.
bool sessions_stream::is_settled() const {
  return !first_list_
         && (clock::now() - begun_ > state_timeout
             || std::ranges::all_of(members_, [&](auto& item) {
                  return item.second.opened
                         || cursor_.seen.contains(item.first);
                }));
}

void sessions_stream::flush() {
  if (!ex_ || writing_ || !is_settled())
    return;
  if (!body_) {
    open();
    return;
  }
  std::string text;
  if (std::exchange(said_left_out_, left_out_) != left_out_)
    text = ": " + std::to_string(left_out_)
           + " sessions are left out, choose with project or session\n";
  if (queue_.empty() && text.empty())
    return;
  // Once for all that is written: many sessions may be awaited.
  cursor_.time = cursor_time();
  while (!queue_.empty() && text.size() < max_write) {
    auto next = std::move(queue_.front());
    queue_.pop_front();
    if (next.project_event != 0) {
      cursor_.project_event = next.project_event;
      text.append(next.parts.front().view)
        .append("id: " + to_string(cursor_) + "\n\n");
      continue;
    }
    std::string own;
    for (auto& part : next.parts)
      own += part.view;
    text += with_ids(
      own, [&](std::uint64_t seq) { return id_after(next.session_id, seq); },
      next.old);
    if (next.done)
      sending_.push_back(std::move(next.done));
  }
  send(std::move(text));
}

/// What a session's stream says of itself leaves nothing to be sent.
void sessions_stream::send(std::string text) {
  writing_ = true;
  auto sent = [weak = weak_from_this()](bool taken) {
    if (auto self = weak.lock())
      self->written(taken);
  };
  if (text.empty()) {
    env_.loop.post([sent] { sent(true); });
    return;
  }
  last_write_ = clock::now();
  body_->write({whole(std::move(text))}, sent);
}

void sessions_stream::written(bool taken) {
  if (!ex_)
    return;
  writing_ = false;
  if (!taken) {
    close(closing::left);
    return;
  }
  for (auto& told : std::exchange(sending_, {}))
    told(true);
  flush();
}

std::string sessions_stream::id_after(const std::string& session_id,
                                      std::uint64_t seq) {
  awaited_.erase(session_id);
  if (cursor_.seen.contains(session_id)
      || cursor_.seen.size() < max_sessions_of_cursor)
    cursor_.seen[session_id] = seq;
  return to_string(cursor_);
}

/// Who comes back with the cursor gets what sessions without a place in it have
/// done since that time.
unix_ms sessions_stream::cursor_time() const {
  const auto now = now_ms();
  auto result = now;
  for (auto& [session_id, since] : awaited_)
    result = std::min(result, std::max(since, now - max_behind));
  return result;
}

void sessions_stream::forget_ended(unix_ms now) {
  std::erase_if(ended_, [&](const auto& item) {
    if (item.second + ended_stays > now)
      return false;
    cursor_.seen.erase(item.first);
    return true;
  });
}

} // namespace greenroom::http
