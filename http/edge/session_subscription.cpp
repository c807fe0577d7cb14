#include "http/edge/session_subscription.hpp"

#include "http/edge/session_subscriptions.hpp"
#include "http/edge/thread_context.hpp"
#include "messages/errors.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/atom.hpp>
#include <caf/make_actor.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace greenroom::http {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// The first pause before a lost session is looked for; each next one is twice
/// as long, some times.
constexpr milliseconds first_pause{100};
constexpr unsigned max_doublings = 5;
constexpr unsigned max_tries_unopened = 4;

/// Between two deliveries, for each stream: some times what a write costs, so
/// that writing leaves the thread time for more. It is not to be felt.
constexpr microseconds pause_per_stream{12};
constexpr microseconds max_pause{5'000};

/// Text that is held back at most.
constexpr std::size_t max_held = 64 * 1024;

/// True for an error that a revived session would not give.
bool is_passing(const caf::error& why) {
  return why == caf::sec::request_receiver_down
         || why == caf::sec::request_timeout
         || why.category() == caf::atom("exit");
}

/// Batches of which each continues the one before, as one.
event_batch joined(std::vector<event_batch> parts) {
  if (parts.size() == 1)
    return std::move(parts.front());
  event_batch result;
  result.after = parts.front().after;
  result.last = parts.back().last;
  result.end = parts.back().end;
  std::string text;
  for (auto& part : parts) {
    auto begin = static_cast<std::uint32_t>(text.size());
    text += part.text.view();
    for (auto& event : part.slices) {
      event.begin += begin;
      result.slices.push_back(std::move(event));
    }
  }
  result.text = shared_text{std::move(text)};
  return result;
}

} // namespace

session_subscription::session_subscription(caf::actor_config& config, edge& env,
                                           std::string project_id,
                                           std::string session_id,
                                           session_actor session)
  : on_loop(config, env.loop), env_(env), project_id_(std::move(project_id)),
    session_id_(std::move(session_id)), session_(std::move(session)) {
  set_down_handler([this](caf::down_msg& message) {
    if (message.source == session_.address())
      lose();
  });
}

subscription_actor session_subscription::spawn(edge& env,
                                               std::string project_id,
                                               std::string session_id,
                                               session_actor session) {
  caf::actor_config config{&env.loop};
  auto result = caf::make_actor<session_subscription, subscription_actor>(
    env.system.next_actor_id(), env.system.node(), &env.system, config, env,
    std::move(project_id), std::move(session_id), std::move(session));
  behind(result).launch(&env.loop, false, true);
  return result;
}

session_subscription&
session_subscription::behind(const subscription_actor& handle) {
  return static_cast<session_subscription&>(
    *caf::actor_cast<caf::abstract_actor*>(handle));
}

const char* session_subscription::name() const {
  return "greenroom.http.session_subscription";
}

session_subscription::behavior_type session_subscription::make_behavior() {
  monitor(session_);
  ask();
  return {[this](const event_batch& batch) { receive(batch); },
          [this](look_again) { look(); },
          [this](subscriber_left) {
            if (size_ != 0)
              return;
            env_.session_subscriptions.remove(session_id_, *this);
            quit();
          }};
}

void session_subscription::on_exit() {
  state_ = state::lost; // nothing is read any more
  session_ = session_actor{};
  size_ = 0;
  // Who is let go of here leaves, and is not among them any more.
  const auto left = std::exchange(all_, {});
}

// -- its session --------------------------------------------------------------

void session_subscription::ask() {
  state_ = state::asking;
  request(session_, env_.options.look_up,
          watch_session{watcher_actor{subscription_actor{this}}, 0, true})
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

void session_subscription::standing(const watch_reply& reply) {
  deliver();
  state_ = state::up;
  tries_ = 0;
  last_ = reply.last;
  ended_ = reply.state == watch_state::over;
  joining_.clear();
  for_each([this](session_subscriber& one) { one.standing(last_, ended_); });
}

void session_subscription::greet() {
  greeting_ = false;
  if (state_ != state::up)
    return; // all hear it when it is
  for (auto& weak : std::exchange(joining_, {}))
    if (auto one = weak.lock())
      one->standing(last_, ended_);
}

void session_subscription::failed(const caf::error& why) {
  const auto what = to_refusal(why);
  if (is_passing(why) || what.code == errc::unavailable)
    lose();
  else
    refuse(what);
}

void session_subscription::lose() {
  if (state_ == state::lost)
    return;
  state_ = state::lost;
  ++generation_;
  refusal why{errc::unavailable, "the session is restarting, try again"};
  if (tries_ == 0)
    lost_at_ = clock::now();
  if (clock::now() - lost_at_ >= env_.options.return_timeout) {
    refuse(why);
    return;
  }
  if (tries_ >= max_tries_unopened)
    for_each([&](session_subscriber& one) {
      if (!one.opened())
        one.refuse(why);
    });
  delayed_send(subscription_actor{this},
               first_pause * (1u << std::min(tries_, max_doublings)),
               look_again{});
  ++tries_;
}

void session_subscription::look() {
  if (size_ == 0)
    return;
  request(env_.directory, env_.options.look_up,
          find_session{project_id_, session_id_})
    .then([this](const session_actor& session) { found(session); },
          [this](const caf::error& why) {
            state_ = state::asking;
            failed(why);
          });
}

void session_subscription::found(const session_actor& session) {
  demonitor(session_.address());
  session_ = session;
  monitor(session_);
  ask();
}

// -- its subscribers ----------------------------------------------------------

void session_subscription::add(std::shared_ptr<session_subscriber> added) {
  joining_.push_back(added);
  all_.push_back(std::move(added));
  ++size_;
  // Not from inside: the request is still being handled.
  if (!std::exchange(greeting_, true))
    env_.loop.post([self = subscription_actor{this}] { behind(self).greet(); });
}

void session_subscription::remove(const session_subscriber& left) {
  auto found =
    std::ranges::find(all_, &left, &std::shared_ptr<session_subscriber>::get);
  if (found == all_.end())
    return;
  --size_;
  found->reset();
  if (!in_loop_)
    std::erase(all_, nullptr);
  if (size_ == 0)
    caf::anon_send(subscription_actor{this}, subscriber_left{});
}

bool session_subscription::read(std::weak_ptr<session_subscriber> reader,
                                read_events what) {
  if (state_ != state::up)
    return false;
  request(session_, env_.options.ordinary, std::move(what))
    .then(
      [this, g = generation_, reader](const event_batch& batch) {
        auto self = reader.lock();
        if (!self)
          return;
        if (g == generation_) {
          tries_ = 0;
          self->read_answer(batch);
        } else {
          self->read_failed();
        }
      },
      [this, g = generation_, reader](const caf::error& why) {
        auto self = reader.lock();
        if (!self)
          return;
        if (!is_passing(why)) {
          self->refuse(to_refusal(why));
          return;
        }
        if (g == generation_)
          lose();
        self->read_failed();
      });
  return true;
}

/// Subscribers may leave meanwhile, and go on for a moment after that: this may
/// be the last that holds them.
template <class F>
void session_subscription::for_each(F f) {
  auto outer = std::exchange(in_loop_, true);
  for (std::size_t i = 0; i < all_.size(); ++i)
    if (const auto one = all_[i])
      f(*one);
  in_loop_ = outer;
  if (!outer)
    std::erase(all_, nullptr);
}

/// Gives the session up. Who asks for it from now on gets a new subscription.
void session_subscription::refuse(const refusal& why) {
  env_.session_subscriptions.remove(session_id_, *this);
  for_each([&](session_subscriber& one) { one.refuse(why); });
}

// -- events -------------------------------------------------------------------

void session_subscription::receive(const event_batch& batch) {
  if (batch.last <= last_.seq)
    return;
  if (batch.after != last_.seq)
    deliver(); // they see that they lack something
  last_.seq = batch.last;
  ended_ = ended_ || batch.end;
  held_bytes_ += batch.text.size();
  held_.push_back(batch);
  auto pause = std::min(pause_per_stream * static_cast<int>(size_), max_pause);
  auto next = delivered_at_ + pause;
  auto now = clock::now();
  if (batch.end || held_bytes_ > max_held || next <= now) {
    deliver();
  } else if (!std::exchange(waiting_, true)) {
    env_.loop.after(std::chrono::ceil<microseconds>(next - now),
                    [self = subscription_actor{this}] {
                      behind(self).waiting_ = false;
                      behind(self).deliver();
                    });
  }
}

void session_subscription::deliver() {
  if (held_.empty())
    return;
  delivered_at_ = clock::now();
  held_bytes_ = 0;
  auto batch = joined(std::exchange(held_, {}));
  for_each([&](session_subscriber& one) { one.live(batch); });
}

} // namespace greenroom::http
