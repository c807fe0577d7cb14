#include "http/edge/bridge.hpp"

#include "messages/uncertain.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_config.hpp>
#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/invoke_message_result.hpp>
#include <caf/make_actor.hpp>
#include <caf/system_messages.hpp>
#include <spdlog/spdlog.h>

#include <vector>

namespace greenroom::http {

namespace {

/// What an actor sent before it went down arrives well within this.
constexpr std::chrono::milliseconds last_words{200};

// What one handler throws keeps no other from its answer.
template <class Call>
void tell_failure(Call& one, const caf::error& why) {
  try {
    one.failed(why);
  } catch (const std::exception& e) {
    spdlog::error("a late answer could not be handled: {}", e.what());
  }
}

} // namespace

bridge::bridge(caf::actor_config& config, loop& home, std::size_t max_pending)
  : on_loop(config, home), max_pending_(max_pending) {
  set_down_handler(
    [this](caf::down_msg& message) { went_down(message.source); });
}

edge_actor bridge::spawn(caf::actor_system& system, loop& home,
                         std::size_t max_pending,
                         std::function<void(const std::string&)> revoked) {
  caf::actor_config config{&home};
  auto result = caf::make_actor<bridge, edge_actor>(
    system.next_actor_id(), system.node(), &system, config, home, max_pending);
  auto& made = behind(result);
  made.revoked_ = std::move(revoked);
  made.launch(&home, false, true);
  return result;
}

bridge& bridge::behind(const edge_actor& handle) {
  return static_cast<bridge&>(*caf::actor_cast<caf::abstract_actor*>(handle));
}

void bridge::add(caf::message_id id, std::unique_ptr<call> added,
                 std::chrono::milliseconds timeout, caf::actor_addr asked) {
  added->deadline = clock::now() + timeout;
  added->asked = std::move(asked);
  pending_.emplace(id.integer_value(), std::move(added));
}

void bridge::tick() {
  auto now = clock::now();
  std::vector<std::unique_ptr<call>> late;
  for (auto i = pending_.begin(); i != pending_.end();)
    if (i->second->deadline <= now) {
      late.push_back(std::move(i->second));
      i = pending_.erase(i);
    } else {
      ++i;
    }
  for (auto& one : late)
    tell_failure(*one, one->is_down
                         ? caf::make_error(caf::exit_reason::unknown)
                         : caf::make_error(caf::sec::request_timeout));
}

void bridge::end() {
  // Those who were asked may be about to do it.
  auto error = make_error(errc::unavailable, "the server is stopping, and "
                                               + std::string{effect_unknown}
                                               + "; try again");
  while (!pending_.empty()) {
    auto one = std::move(pending_.begin()->second);
    pending_.erase(pending_.begin());
    tell_failure(*one, error);
  }
  end_soon();
}

void bridge::went_down(const caf::actor_addr& who) {
  sessions.erase(who);
  projects.erase(who);
  auto soon = clock::now() + last_words;
  for (auto& [id, one] : pending_)
    if (one->asked == who) {
      one->is_down = true;
      one->deadline = std::min(one->deadline, soon);
    }
}

caf::invoke_message_result bridge::consume(caf::mailbox_element& element) {
  if (!element.mid.is_response())
    return edge_actor::base::consume(element);
  auto found = pending_.find(element.mid.integer_value());
  if (found == pending_.end())
    return caf::invoke_message_result::dropped; // came after its deadline
  auto one = std::move(found->second);
  pending_.erase(found);
  // An exception that leaves here would end the actor. The exchange that was
  // to be answered answers for itself when it is let go.
  try {
    one->answered(element.content());
  } catch (const std::exception& e) {
    spdlog::error("an answer could not be handled: {}", e.what());
  }
  return caf::invoke_message_result::consumed;
}

const char* bridge::name() const {
  return "greenroom.http.bridge";
}

bridge::behavior_type bridge::make_behavior() {
  return {[this](const key_revoked& message) {
    if (revoked_)
      revoked_(message.key_id);
  }};
}

} // namespace greenroom::http
