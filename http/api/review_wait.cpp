#include "http/api/review_wait.hpp"

#include "http/api/fields.hpp"
#include "http/api/key_names.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/node_monitor.hpp"
#include "http/streams/response_registry.hpp"
#include "messages/project.hpp"
#include "messages/session.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/api_json/reviews.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <utility>

namespace greenroom::http::handlers {

namespace {

using nlohmann::ordered_json;

/// What happens at other nodes is looked for so often; here, at once.
constexpr std::chrono::seconds look_period{2};

class review_wait final : public long_response,
                          public std::enable_shared_from_this<review_wait> {
public:
  review_wait(exchange_ptr ex, std::chrono::milliseconds timeout)
    : long_response(*ex), env_(ex->env), until_(clock::now() + timeout),
      ex_(std::move(ex)) {}

  void begin() {
    if (!env_.streams.add(shared_from_this()))
      return;
    ex_->on_input_end([weak = weak_from_this()] {
      if (auto self = weak.lock())
        self->hurry();
    });
    look();
  }

  // -- long_response ----------------------------------------------------------

  void close(closing why) override {
    failed(why_closed(why));
  }
  void tick(clock::time_point now) override {
    if (!ex_ || looking_)
      return;
    if (now >= until_)
      answer(false);
    else if (news() != news_ || now - looked_ >= look_period)
      look();
  }

private:
  /// The client will say no more: it learns how things are.
  void hurry() {
    hurried_ = true;
    if (!looking_)
      answer(false);
  }

  std::uint64_t news() const {
    auto& events = env_.monitor.counters->events;
    return events[event_kind::session_ended].value()
           + events[event_kind::review_finished].value();
  }

  /// The review, or first which one that is.
  void look() {
    if (!ex_)
      return;
    looking_ = true;
    looked_ = clock::now();
    news_ = news();
    ex_->start_over();
    if (review_id_.empty())
      look_at_session();
    else
      look_at_review();
  }

  void look_at_session() {
    auto self = shared_from_this();
    ask_session<session_view>(
      ex_, env_.options.look_up, retry::always, greenroom::get_session{},
      [self](const session_view& view) { self->found(view); },
      [self](const ask_error& why) { self->not_seen(why); });
  }

  void look_at_review() {
    auto self = shared_from_this();
    with_project(
      ex_,
      [self](const project_actor& project) {
        if (!self->ex_)
          return;
        ask<review_record>(
          self->ex_, project, self->env_.options.look_up,
          greenroom::get_review{self->review_id_},
          [self](const review_record& review) { self->found(review); },
          [self](const ask_error& why) { self->not_seen(why); });
      },
      [self](const ask_error& why) { self->not_seen(why); });
  }

  /// Looks again where it will pass.
  void not_seen(const ask_error& why) {
    looking_ = false;
    if (!ex_)
      return;
    const auto& what = to_refusal(why);
    const auto away = is_away(why);
    // It may have another owner by now.
    if (away)
      env_.bridge.projects.erase(ex_->project_id());
    if (!away && what.code != errc::overloaded)
      failed(what);
    else if (hurried_)
      answer(false);
  }

  void found(const session_view& view) {
    looking_ = false;
    if (!ex_)
      return;
    shown_ = {"session", ordered_json::parse(shown_session(*ex_, view))};
    review_id_ = shown_.second.value("review_id", "");
    if (!review_id_.empty())
      look();
    else if (hurried_ || shown_.second.contains("ended_at"))
      answer(false);
  }

  void found(const review_record& review) {
    looking_ = false;
    if (!ex_)
      return;
    shown_ = {"review", review_json(review, key_names(*ex_))};
    if (review.ended_at != 0 || hurried_)
      answer(review.ended_at != 0);
  }

  void answer(bool reached) {
    if (!ex_)
      return;
    ordered_json result{{"until", review_finished}, {"reached", reached}};
    if (!shown_.first.empty())
      result[shown_.first] = std::move(shown_.second);
    ex_->reply(200, to_text(result));
    done();
  }

  void failed(const refusal& why) {
    if (ex_)
      ex_->refuse(why);
    done();
  }

  void done() {
    if (!ex_)
      return;
    auto self = shared_from_this();
    ex_->on_input_end({});
    ex_.reset();
    env_.streams.remove(*this);
  }

  http::edge& env_;
  const clock::time_point until_;
  exchange_ptr ex_; // null: over
  std::string review_id_;
  std::pair<std::string, ordered_json> shown_; // what was seen last
  bool looking_ = false;
  bool hurried_ = false;   // the client will say no more
  std::uint64_t news_ = 0; // at the last look
  clock::time_point looked_;
};

} // namespace

void wait_for_review(const exchange_ptr& ex,
                     std::chrono::milliseconds timeout) {
  std::make_shared<review_wait>(ex, timeout)->begin();
}

} // namespace greenroom::http::handlers
