#include "actors/health.hpp"

#include "messages/errors.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom {

namespace {

// Logs a change.
void set(std::string& known, std::string now) {
  if (known == now)
    return;
  if (now.empty())
    spdlog::info("no longer so: {}", known);
  else
    spdlog::error("{}", now);
  known = std::move(now);
}

} // namespace

std::vector<std::string> node_health::problems() const {
  std::lock_guard guard{mutex_};
  std::vector<std::string> result;
  for (auto* one : {&disk_, &store_})
    if (!one->empty())
      result.push_back(*one);
  return result;
}

void node_health::set_disk(std::string problem) {
  std::lock_guard guard{mutex_};
  set(disk_, std::move(problem));
}

void node_health::set_store(std::string problem) {
  std::lock_guard guard{mutex_};
  set(store_, std::move(problem));
}

std::chrono::milliseconds node_health::store_lag() const {
  std::lock_guard guard{mutex_};
  if (asked_ == clock::time_point{})
    return lag_;
  return std::max(lag_, std::chrono::duration_cast<std::chrono::milliseconds>(
                          clock::now() - asked_));
}

void node_health::store_asked() {
  std::lock_guard guard{mutex_};
  asked_ = clock::now();
}

void node_health::store_answered() {
  std::lock_guard guard{mutex_};
  lag_ = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now()
                                                               - asked_);
  asked_ = {};
}

health_actor::behavior_type
watch_health(health_actor::stateful_pointer<health_state> self,
             store_writer_actor store, std::function<std::string()> check_disk,
             node_health* health) {
  self->send(self, clock_tick{});
  return {
    [=](const clock_tick&) {
      self->delayed_send(self, health_period, clock_tick{});
      health->set_disk(check_disk());
      if (std::exchange(self->state.asking, true))
        return;
      health->store_asked();
      // Takes the store's lock for writing, and changes nothing.
      self->request(store, store_check_timeout, drop_ended{0, 0})
        .then(
          [=](const dropped_sessions&) {
            self->state.asking = false;
            health->store_answered();
            health->set_store({});
          },
          [=](const caf::error& e) {
            self->state.asking = false;
            health->store_answered();
            health->set_store("the store cannot be written: "
                              + to_refusal(e).message);
          });
    },
  };
}

} // namespace greenroom
