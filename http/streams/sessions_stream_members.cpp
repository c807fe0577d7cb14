// Each session's own stream in the stream of several: where it begins, and what
// comes of it.
#include "http/streams/sessions_stream.hpp"

#include "http/edge/ask.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/session_subscriptions.hpp"
#include "http/edge/thread_context.hpp"
#include "runtime/base/timestamps.hpp"

#include <algorithm>
#include <utility>

namespace greenroom::http {

// -- one session's stream, as it sees its client ------------------------------

class sessions_stream::member_writer final : public body_writer {
public:
  member_writer(std::weak_ptr<sessions_stream> to, std::string session_id)
    : to_(std::move(to)), session_id_(std::move(session_id)) {}

  void write(std::vector<slice> parts,
             std::function<void(bool)> done) override {
    if (auto to = to_.lock())
      to->write(session_id_, std::move(parts), std::move(done));
  }
  void finish() override {
    // What it has written before is sent all the same.
    if (auto to = to_.lock())
      to->left(session_id_, false);
  }
  void abort() override {
    finish();
  }

private:
  std::weak_ptr<sessions_stream> to_;
  std::string session_id_;
};

class sessions_stream::member_exchange final : public exchange {
public:
  member_exchange(std::shared_ptr<sessions_stream> of,
                  const live_session& session)
    : exchange(of->env_), of_(of) {
    unobserved_ = true;
    id = of->ex_->id;
    keys = of->ex_->keys;
    key = of->ex_->key;
    route = of->ex_->route;
    params[0] = session.project_id;
    params[1] = session.session_id;
  }
  ~member_exchange() override {
    abandon();
  }
  std::uint64_t connection_id() const noexcept override {
    return 0; // none of its own
  }
  std::string address() const override {
    return {};
  }

protected:
  // It is not there, or is over and the client has all of it.
  void transmit(response&& answer) override {
    if (auto of = of_.lock())
      of->left(session_id(), answer.status == 204 || answer.status == 404);
  }
  std::unique_ptr<body_writer> transmit_head(response&&) override {
    if (auto of = of_.lock())
      of->opened(session_id());
    return std::make_unique<member_writer>(of_, session_id());
  }
  std::shared_ptr<web_socket> transmit_upgrade(std::string_view,
                                               web_socket_events&&) override {
    return nullptr;
  }

private:
  std::weak_ptr<sessions_stream> of_;
};

// -- where it begins ----------------------------------------------------------

void sessions_stream::add(const live_session& session) {
  auto of = std::make_shared<member_exchange>(shared_from_this(), session);
  auto one = std::make_shared<stream>(of, start_of(session), what_.filter);
  auto& entry = members_[session.session_id];
  entry.of = one;
  entry.since = since_of(session);
  if (!cursor_.seen.contains(session.session_id))
    awaited_.try_emplace(session.session_id,
                         std::max(session.created_at, begins_at()));
  join(of, one);
}

void sessions_stream::join(const exchange_ptr& of_session,
                           const std::shared_ptr<stream>& one) {
  handlers::with_session(
    of_session,
    [of_session, one](const session_actor& session) {
      auto& env = of_session->env;
      if (!one->over())
        one->join(env.session_subscriptions.of(
          env, of_session->project_id(), of_session->session_id(), session));
    },
    [one](const ask_error& why) { one->refuse(to_refusal(why)); });
}

/// What happens after that is to be sent.
unix_ms sessions_stream::begins_at() const {
  return what_.resumed ? what_.resumed->time : begun_at_;
}

/// Of a session that is older than the stream, and has no place in the cursor:
/// it could not be asked before, or there was no place. One that comes later,
/// or came while the client was away, is seen from its beginning.
unix_ms sessions_stream::since_of(const live_session& session) const {
  const auto is_new = session.created_at >= begins_at() - ended_stays;
  const auto from_now = first_list_ && !what_.resumed;
  return what_.earliest || is_new || from_now
             || cursor_.seen.contains(session.session_id)
           ? 0
           : begins_at();
}

watch_start sessions_stream::start_of(const live_session& session) const {
  using enum watch_start::kind;
  auto known = cursor_.seen.find(session.session_id);
  if (known != cursor_.seen.end())
    return {resumed, {0, known->second}};
  // The stream is not opened before these say where they stand.
  return first_list_ && !what_.resumed && !what_.earliest
           ? watch_start{now, {}}
           : watch_start{after, {}};
}

// -- what it writes -----------------------------------------------------------

void sessions_stream::opened(const std::string& session_id) {
  auto found = members_.find(session_id);
  if (found == members_.end())
    return;
  auto& one = found->second;
  one.opened = true;
  if (one.since != 0 && one.of->known() != 0) {
    // It has its place once what is old has been passed over.
    one.old = {one.of->known(), format_rfc3339(one.since)};
  } else {
    // Where it stands, before it has said anything.
    cursor_.seen.try_emplace(session_id, one.of->sent());
    awaited_.erase(session_id);
  }
  flush_soon();
}

void sessions_stream::write(const std::string& session_id,
                            std::vector<slice> parts,
                            std::function<void(bool)> done) {
  if (!ex_)
    return;
  waiting added{session_id, std::move(parts), std::move(done)};
  if (auto of = members_.find(session_id); of != members_.end())
    added.old = of->second.old;
  queue_.push_back(std::move(added));
  flush_soon();
}

/// One that cannot be had for a while is found again at a later look, and goes
/// on where it was.
void sessions_stream::left(const std::string& session_id, bool for_good) {
  auto found = members_.find(session_id);
  if (found == members_.end())
    return;
  if (for_good || found->second.of->complete()) {
    ended_[session_id] = now_ms();
    awaited_.erase(session_id);
  } else {
    // It goes on after what was sent, not after what waits here.
    std::erase_if(queue_, [&](auto& item) {
      return item.project_event == 0 && item.session_id == session_id;
    });
  }
  // It is in the middle of something.
  env_.loop.post([gone = std::move(found->second.of)] {});
  members_.erase(found);
}

} // namespace greenroom::http
