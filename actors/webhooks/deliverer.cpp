#include "actors/webhooks/deliverer.hpp"

#include "messages/errors.hpp"
#include "runtime/api_json/webhooks.hpp"
#include "runtime/webhooks/signature.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <utility>

namespace greenroom {

namespace {

using deliverer_pointer = webhooks_core::stateful_pointer<deliverer_state>;

/// A result that the store did not take is offered again after this.
constexpr std::chrono::seconds again_after{5};

/// A test that its asker's node did not end is sent by whoever looks then.
constexpr millis test_timeout = 5 * 60 * 1000;

void look(deliverer_pointer self);

// -- what is sent -------------------------------------------------------------

outgoing_request request_for(const node_context& context,
                             const due_delivery& what, unix_ms now) {
  const auto& session = what.session;
  const auto& id = what.delivery.id;
  const auto seconds = now / 1000;
  std::string preview;
  if (context.preview_url && !session.id.empty())
    preview = context.preview_url(session.id, session.preview_port);
  outgoing_request result;
  result.to = parse_webhook_url(what.webhook.url);
  result.body = delivery_body(what, preview);
  result.of_session = !what.webhook.session_id.empty();
  result.headers = {{"webhook-id", id},
                    {"webhook-timestamp", std::to_string(seconds)},
                    {"webhook-signature",
                     webhook_signature(what.secret, id, seconds, result.body)}};
  return result;
}

/// Whoever may make sessions names receivers: all that the sessions of a
/// project have count as one, so that nobody has all places by making many.
std::string share_of(const webhook_record& webhook) {
  return webhook.session_id.empty() ? webhook.id
                                    : "sessions of " + webhook.project_id;
}

void send(deliverer_pointer self, deliverer_state::attempt attempt) {
  auto& state = self->state;
  const auto id = attempt.what.delivery.id;
  attempt.began_at = now_ms();
  outgoing_request request;
  std::string problem;
  try {
    request = request_for(*state.context, attempt.what, attempt.began_at);
  } catch (const std::exception& e) {
    problem = e.what();
  }
  ++state.of_share[share_of(attempt.what.webhook)];
  state.under_way.emplace(id, std::move(attempt));
  if (!problem.empty()) {
    self->send(self, attempt_ended{id, 0, problem, 0, 0});
    return;
  }
  state.rules.post(std::move(request), [id, to = caf::actor_cast<webhooks_core>(
                                              self)](outgoing_result result) {
    auto& outcome = result.outcome;
    caf::anon_send(to,
                   attempt_ended{id, outcome.status, std::move(outcome.error),
                                 outcome.retry_after, result.took});
  });
}

// -- what came of it ----------------------------------------------------------

// The attempt is over, and its result kept.
void settle(deliverer_pointer self, const std::string& id) {
  auto node = self->state.under_way.extract(id);
  auto& attempt = node.mapped();
  auto count = self->state.of_share.find(share_of(attempt.what.webhook));
  if (--count->second == 0)
    self->state.of_share.erase(count);
  if (attempt.asker)
    attempt.asker->deliver(attempt.result->delivery);
  if (self->state.looking)
    self->state.settled.insert(id);
  look(self);
}

// Until it is kept, nothing else of its session goes to this receiver.
void keep(deliverer_pointer self, const std::string& id) {
  self
    ->request(self->state.rules.store, store_timeout,
              *self->state.under_way.at(id).result)
    .then([self, id](done) { settle(self, id); },
          [self, id](const caf::error& why) {
            spdlog::warn("what came of delivery {} is not stored yet: {}", id,
                         to_refusal(why).message);
            attempt_ended again;
            again.delivery_id = id;
            self->delayed_send(self, again_after, std::move(again));
          });
}

void log_end(const end_attempt& result) {
  const auto& delivery = result.delivery;
  if (!result.disable.empty())
    spdlog::warn("webhook {} of project {} is disabled: {}{}{}",
                 delivery.webhook_id, delivery.project_id, result.disable,
                 result.detail.empty() ? "" : "; ", result.detail);
  else if (delivery.state != delivery_state::delivered
           && delivery.attempts == 1)
    spdlog::info("delivery {} ({}) to webhook {} failed: {}", delivery.id,
                 delivery.type, delivery.webhook_id, delivery.error);
}

void count(webhook_counters* counters, const end_attempt& result) {
  if (counters == nullptr)
    return;
  switch (result.delivery.state) {
    case delivery_state::delivered:
      counters->delivered.add();
      break;
    case delivery_state::pending:
      counters->retried.add();
      break;
    case delivery_state::failed:
      counters->failed.add();
  }
  if (!result.disable.empty())
    counters->disabled.add();
}

end_attempt result_of(deliverer_state& state,
                      const deliverer_state::attempt& attempt,
                      const attempt_ended& x) {
  end_attempt result{attempt.what.delivery, {}, now_ms(), {}};
  auto& delivery = result.delivery;
  ++delivery.attempts;
  delivery.last_attempt_at = attempt.began_at;
  if (delivery.first_attempt_at == 0)
    delivery.first_attempt_at = attempt.began_at;
  delivery.status = x.status;
  delivery.error = x.error;
  delivery.took = x.took;
  std::uniform_real_distribution<double> jitter{0, 1};
  auto next = after_attempt({delivery.attempts, delivery.first_attempt_at,
                             attempt.what.webhook.delivered_at,
                             delivery.type == webhook_test},
                            {x.status, x.error, x.retry_after}, result.now,
                            state.rules.give_up_after, jitter(state.jitter));
  delivery.next_attempt_at = next.at;
  result.disable = std::move(next.reason);
  result.detail = std::move(next.detail);
  if (next.what == attempt_verdict::delivered)
    delivery.state = delivery_state::delivered;
  else if (next.what != attempt_verdict::retry)
    delivery.state = delivery_state::failed;
  return result;
}

void ended(deliverer_pointer self, const attempt_ended& x) {
  auto found = self->state.under_way.find(x.delivery_id);
  if (found == self->state.under_way.end())
    return;
  auto& attempt = found->second;
  if (!attempt.result) { // else the store is offered it once more
    attempt.result = result_of(self->state, attempt, x);
    log_end(*attempt.result);
    count(self->state.rules.counters, *attempt.result);
  }
  keep(self, x.delivery_id);
}

// -- what is due --------------------------------------------------------------

void send_due(deliverer_pointer self, std::vector<due_delivery>& due) {
  auto& state = self->state;
  for (auto& one : due) {
    if (state.under_way.contains(one.delivery.id)
        || state.settled.contains(one.delivery.id))
      continue;
    auto count = state.of_share.find(share_of(one.webhook));
    if (may_attempt(state.under_way.size(),
                    count == state.of_share.end() ? 0 : count->second,
                    one.webhook.failing_since != 0))
      send(self, {std::move(one), 0, {}, {}});
  }
}

// One look at a time: what comes meanwhile is for the next.
void look(deliverer_pointer self) {
  auto& state = self->state;
  if (std::exchange(state.looking, true)) {
    state.look_again = true;
    return;
  }
  auto looked = [self] {
    self->state.looking = false;
    self->state.settled.clear();
    if (std::exchange(self->state.look_again, false))
      look(self);
  };
  self
    ->request(state.rules.reader, look_up_timeout,
              find_due{state.rules.owner, now_ms(), max_attempts_of_one})
    .then(
      [self, looked](due_list& due) {
        self->state.store_away = false;
        send_due(self, due.deliveries);
        looked();
      },
      [self, looked](const caf::error& why) {
        if (!std::exchange(self->state.store_away, true))
          spdlog::warn("webhooks wait for the store: {}",
                       to_refusal(why).message);
        looked();
      });
}

void trim(deliverer_pointer self, unix_ms now) {
  auto& state = self->state;
  const auto period = std::chrono::milliseconds{deliveries_trim_period}.count();
  if (now - state.trimmed_at < period)
    return;
  state.trimmed_at = now;
  self
    ->request(state.rules.store, store_timeout,
              trim_deliveries{now - state.rules.keep, state.rules.max_ended,
                              max_pending_deliveries, now})
    .then([](done) {},
          [](const caf::error& why) {
            spdlog::warn("old deliveries stay for now: {}",
                         to_refusal(why).message);
          });
}

// -- requests -----------------------------------------------------------------

// What the store keeps nothing of.
template <class Request>
void tell(const char* what, const Request& x) {
  spdlog::info("{} webhook {} of project {}, as asked by {}", what,
               x.webhook_id, x.project_id, to_words(x.by));
}

caf::result<delivery_record> test(deliverer_pointer self,
                                  const test_webhook& x) {
  tell("testing", x);
  auto& state = self->state;
  if (state.under_way.size() + state.tests_to_begin >= max_attempts_at_once)
    return make_error(errc::overloaded,
                      "too many deliveries are under way, try again");
  auto promise = self->make_response_promise<delivery_record>();
  ++state.tests_to_begin;
  self
    ->request(state.rules.store, store_timeout,
              queue_test{x.project_id, x.webhook_id, now_ms() + test_timeout})
    .then(
      [self, promise](due_delivery& what) {
        --self->state.tests_to_begin;
        send(self, {std::move(what), 0, {}, promise});
      },
      [self, promise](caf::error& why) mutable {
        --self->state.tests_to_begin;
        promise.deliver(std::move(why));
      });
  return promise;
}

// Queues it, and looks at once.
caf::result<delivery_page> queue_again(deliverer_pointer self,
                                       const redeliver& x) {
  tell("delivering again to", x);
  auto promise = self->make_response_promise<delivery_page>();
  self->request(self->state.rules.store, store_timeout, x)
    .then(
      [self, promise](delivery_page& queued) mutable {
        promise.deliver(std::move(queued));
        look(self);
      },
      [promise](caf::error& why) mutable { promise.deliver(std::move(why)); });
  return promise;
}

} // namespace

webhooks_core::behavior_type
deliverer(deliverer_pointer self, context_ptr context, deliverer_rules rules) {
  auto& state = self->state;
  state.context = std::move(context);
  state.rules = std::move(rules);
  state.jitter.seed(static_cast<unsigned>(now_ms()));
  self->send(state.rules.store,
             watch_deliveries{caf::actor_cast<deliveries_watcher_actor>(self)});
  self->send(self, clock_tick{});
  return {
    [self](create_webhook& x) {
      return self->delegate(self->state.rules.store, std::move(x));
    },
    [self](list_webhooks& x) {
      return self->delegate(self->state.rules.reader, std::move(x));
    },
    [self](change_webhook& x) {
      tell("changing", x);
      return self->delegate(self->state.rules.store, std::move(x));
    },
    [self](renew_secrets& x) {
      spdlog::info(
        "giving new secrets to the webhooks of session {} of project "
        "{}, as asked by {}",
        x.session_id, x.project_id, to_words(x.by));
      return self->delegate(self->state.rules.store, std::move(x));
    },
    [self](delete_webhook& x) {
      tell("removing", x);
      return self->delegate(self->state.rules.store, std::move(x));
    },
    [self](list_deliveries& x) {
      return self->delegate(self->state.rules.reader, std::move(x));
    },
    [self](const redeliver& x) { return queue_again(self, x); },
    [self](const test_webhook& x) { return test(self, x); },
    [self](deliveries_due) { look(self); },
    [self](clock_tick) {
      self->delayed_send(self, deliverer_period, clock_tick{});
      look(self);
      trim(self, now_ms());
    },
    [self](const attempt_ended& x) { ended(self, x); },
  };
}

} // namespace greenroom
