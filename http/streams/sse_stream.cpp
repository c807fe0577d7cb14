#include "http/streams/sse_stream.hpp"

#include "http/edge/session_subscription.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/sse_lines.hpp"
#include "runtime/timeline/event_encoding.hpp"

#include <algorithm>
#include <utility>

namespace greenroom::http {

namespace {

using std::chrono::milliseconds;

/// A write that took less shows a quick client.
constexpr milliseconds quick{100};

} // namespace

stream::stream(exchange_ptr ex, watch_start start, event_filter filter)
  : long_response(*ex), start_(start), filter_(std::move(filter)),
    ex_(std::move(ex)) {}

void stream::join(session_subscription& of) {
  subscription_ = &of;
  of.add(shared_from_this());
}

// -- what its session says ----------------------------------------------------

void stream::standing(const event_id& last, bool ended) {
  if (over())
    return;
  known_ = std::max(known_, last.seq);
  epoch_ = last.epoch;
  ended_ = ended;
  if (std::exchange(begun_, true) || decide(last))
    go_on();
}

/// Makes the client's answer of the first word of the session. False: it was
/// no stream.
bool stream::decide(const event_id& last) {
  using enum watch_start::kind;
  sent_ = start_.id.seq;
  std::vector<slice> first;
  if (start_.from == unsaid || start_.from == now) {
    sent_ = known_;
    if (ended_)
      sent_ = start_.from == unsaid || known_ == 0 ? 0 : known_ - 1;
  } else if (sent_ > known_) {
    first.push_back(gap_event(last));
    sent_ = known_;
  } else if (start_.from == resumed && ended_ && sent_ == known_) {
    no_content();
    return false;
  } else if (start_.from == resumed && sent_ < known_
             && !filter_.accepts_all()) {
    // A client with a filter never gets the id of session.ended, so whether it
    // has all there will ever be shows only in what follows its id.
    return true;
  }
  open(std::move(first));
  return true;
}

void stream::live(const event_batch& batch) {
  if (over())
    return;
  known_ = std::max(known_, batch.last);
  ended_ = ended_ || batch.end;
  if (!following_ || ending_ || batch.last <= position())
    return;
  if (batch.after > position()) {
    fall_behind();
    return;
  }
  queue_.push_back({batch.last, batch.end, batch.text.size(), parts_of(batch)});
  queued_ += batch.text.size();
  if (!writing_)
    flush();
  else if (queued_ > max_queued)
    fall_behind();
}

void stream::read_answer(const event_batch& batch) {
  reading_ = false;
  if (over())
    return;
  hold(batch.text.size());
  if (batch.last <= sent_ && !batch.end) {
    // The log holds less than the session said: it is not in order, and may
    // be so again once the session has looked after it.
    subscription_->lose();
    return;
  }
  sent_ = batch.last;
  known_ = std::max(known_, sent_);
  if (!opened_ && batch.text.empty() && batch.end) {
    no_content();
    return;
  }
  ending_ = batch.end;
  // The reader of the log has applied the filter.
  std::vector<slice> text;
  if (!batch.text.empty())
    text.push_back({batch.text.owner(), batch.text.view()});
  if (!opened_ && (!text.empty() || sent_ >= known_))
    open(std::move(text));
  else if (!text.empty())
    put(std::move(text));
  go_on();
}

void stream::read_failed() {
  reading_ = false;
  hold(0);
  go_on();
}

void stream::refuse(const refusal& why) {
  if (over())
    return;
  if (body_)
    body_->finish();
  else
    ex_->refuse(why);
  done();
}

// -- what its client takes ----------------------------------------------------

void stream::no_content() {
  response answer;
  answer.status = 204;
  answer.content_type = {};
  ex_->send(std::move(answer));
  done();
}

/// Sends the head and the first text.
void stream::open(std::vector<slice> first) {
  opened_ = true;
  response head;
  head.content_type = "text/event-stream";
  head.headers.emplace_back("X-Accel-Buffering", "no");
  body_ = ex_->begin(std::move(head));
  auto begin = retry_line();
  if (first.empty())
    begin += opening_id(to_string(event_id{epoch_, sent_}));
  first.insert(first.begin(), whole(std::move(begin)));
  put(std::move(first));
}

void stream::put(std::vector<slice> parts) {
  writing_ = true;
  write_began_ = clock::now();
  body_->write(std::move(parts), [weak = weak_from_this()](bool taken) {
    if (auto self = weak.lock())
      self->written(taken);
  });
}

void stream::written(bool taken) {
  if (over())
    return;
  writing_ = false;
  hold(0);
  last_write_ = clock::now();
  chunk_ = last_write_ - write_began_ < quick ? std::min(chunk_ * 2, max_read)
                                              : min_read;
  if (taken)
    flush();
  else
    close(closing::left);
}

/// Writes what waits, up to a write's size, and goes on.
void stream::flush() {
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

/// Stops following: the log has what is missing.
void stream::fall_behind() {
  queue_.clear();
  queued_ = 0;
  following_ = false;
  go_on();
}

/// The next step, once nothing is in flight.
void stream::go_on() {
  if (over() || !begun_ || writing_ || reading_ || !queue_.empty())
    return;
  if (ending_ || (ended_ && sent_ >= known_)) {
    if (!body_) {
      no_content();
      return;
    }
    body_->finish();
    done();
  } else if (sent_ >= known_) {
    following_ = true;
  } else {
    following_ = false;
    read();
  }
}

void stream::read() {
  auto room = std::min<std::size_t>(chunk_, ex_->env.streams.read_ahead());
  auto size = std::max(static_cast<std::uint32_t>(room), min_read);
  hold(size);
  reading_ =
    subscription_->read(weak_from_this(), read_events{sent_, filter_, size});
  if (!reading_)
    hold(0);
}

void stream::hold(std::size_t bytes) {
  if (over())
    return;
  ex_->env.streams.hold(held_, bytes);
  held_ = bytes;
}

// -- the rest -----------------------------------------------------------------

void stream::close(closing why) {
  if (over())
    return;
  if (body_)
    body_->finish();
  else
    ex_->refuse(why_closed(why));
  done();
}

void stream::tick(clock::time_point now) {
  if (over())
    return;
  if (body_ && !writing_ && now - last_write_ >= ex_->env.options.heartbeat) {
    last_write_ = now;
    body_->write({heartbeat()}, {});
  }
}

void stream::done() {
  if (over())
    return; // with its connection, by what was written last
  auto self = shared_from_this();
  auto& streams = ex_->env.streams;
  hold(0);
  queue_.clear();
  body_.reset();
  ex_.reset();
  if (auto left = std::exchange(subscription_, nullptr))
    left->remove(*this);
  streams.remove(*this);
}

/// What of a batch the client wants and has not got.
std::vector<slice> stream::parts_of(const event_batch& batch) const {
  if (batch.text.empty())
    return {};
  if (batch.after == position() && filter_.accepts_all())
    return {{batch.text.owner(), batch.text.view()}};
  auto rest = batch;
  std::erase_if(rest.slices, [this](const event_slice& event) {
    return event.seq <= position();
  });
  std::vector<slice> result;
  for (auto part : select(rest, filter_))
    result.push_back({batch.text.owner(), part});
  return result;
}

/// Says that the client's id is none of this session's. It carries the id after
/// which the stream goes on, so that the client's next try is a good one.
slice stream::gap_event(const event_id& last) const {
  std::string text;
  append_sse(text, last, event_kind::stream_gap,
             gap_data_json(now_ms(), ex_->session_id(), start_.id,
                           {last.epoch, last.seq + 1}));
  return whole(std::move(text));
}

} // namespace greenroom::http
