#include "actors/retention/size_retention.hpp"

#include "messages/errors.hpp"
#include "runtime/exec/output/dropped_output.hpp"

#include <caf/actor_cast.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

namespace greenroom {

namespace {

using size_retention_pointer =
  size_retention_actor::stateful_pointer<size_retention_state>;

// Measured in one go, so that a node that stops does not wait for long.
constexpr std::uint32_t page_size = 50;

ended_size size_of(const size_retention_state& state,
                   const ended_session& one) {
  auto dir = state.context->session_dir(one.id);
  ended_size size{size_of_output(dir), 0};
  if (!one.is_review)
    for (const auto* file : {"timeline", "timeline.index", "execs.index"}) {
      std::error_code absent;
      auto bytes = std::filesystem::file_size(dir / file, absent);
      size.rest += absent ? 0 : bytes;
    }
  return size;
}

void drop(size_retention_pointer self, const std::string& id) {
  try {
    drop_output(self->state.context->session_dir(id));
    spdlog::info("the output of {} is dropped: what of its project has ended "
                 "keeps more than sessions.keep_output",
                 id);
  } catch (const std::exception& e) {
    spdlog::error("the output of {} is tried to be dropped again later: {}", id,
                  e.what());
  }
}

// A review may have begun anew since: its target has moved.
void drop_of_review(size_retention_pointer self, const ended_session& one) {
  self
    ->request(self->state.context->reader, store_timeout,
              load_review{one.project_id, one.id})
    .then(
      [self, one](const review_record& review) {
        if (review.ended_at == one.ended_at)
          drop(self, one.id);
      },
      [](const caf::error&) {}); // the next full look has it again
}

void end_look(size_retention_pointer self) {
  auto excess = self->state.known.take_excess();
  for (auto& one : excess.outputs)
    if (one.is_review)
      drop_of_review(self, one);
    else
      drop(self, one.id);
  if (!excess.sessions.empty())
    self->send(self->state.retention,
               forget_sessions{std::move(excess.sessions)});
  self->delayed_send(self, size_look_period, clock_tick{});
}

void look_on(size_retention_pointer self);

void take(size_retention_pointer self, const ended_list& page) {
  auto& state = self->state;
  for (auto& one : page.sessions)
    if (!state.known.knows(one))
      state.known.put(one, size_of(state, one));
  if (page.sessions.size() < state.next.limit)
    return end_look(self);
  state.next.ended_at = page.sessions.back().ended_at;
  state.next.id = page.sessions.back().id;
  look_on(self);
}

void look_on(size_retention_pointer self) {
  auto reader =
    caf::actor_cast<ended_reader_actor>(self->state.context->reader);
  self->request(reader, store_timeout, self->state.next)
    .then([self](const ended_list& page) { take(self, page); },
          [self](const caf::error& e) {
            spdlog::warn("what has ended is not looked for: {}",
                         to_refusal(e).message);
            self->state.last_full = 0; // this look has missed some
            self->delayed_send(self, size_look_period, clock_tick{});
          });
}

void look(size_retention_pointer self) {
  auto& state = self->state;
  const auto now = now_ms();
  const auto since = std::min(state.last_look, now) - longest_end;
  state.last_look = now;
  state.next = {std::max(since, unix_ms{0}), {}, page_size};
  // A clock that was set back must not keep it from that either.
  if (state.last_full == 0 || now < state.last_full
      || now - state.last_full >= full_look_period) {
    state.known = ended_sizes{state.limit};
    state.next.ended_at = 0;
    state.last_full = now;
  }
  look_on(self);
}

} // namespace

size_retention_actor::behavior_type size_retention(size_retention_pointer self,
                                                   context_ptr context,
                                                   retention_actor retention,
                                                   std::uint64_t limit) {
  self->state.context = std::move(context);
  self->state.retention = std::move(retention);
  self->state.limit = limit;
  self->send(self, clock_tick{});
  return {[self](const clock_tick&) { look(self); }};
}

} // namespace greenroom
