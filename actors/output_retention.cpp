#include "actors/output_retention.hpp"

#include "actors/base/context.hpp"
#include "messages/errors.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/exec/output/dropped_output.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

namespace greenroom {

namespace {

using output_retention_pointer =
  output_retention_actor::stateful_pointer<output_retention_state>;

ended_size size_of(const std::filesystem::path& dir) {
  ended_size size{size_of_output(dir), 0};
  for (const auto* file : {"timeline", "timeline.index", "execs.index"}) {
    std::error_code absent;
    auto bytes = std::filesystem::file_size(dir / file, absent);
    size.rest += absent ? 0 : bytes;
  }
  return size;
}

void drop(const output_retention_state& state, const std::string& id) {
  try {
    drop_output(session_dir(state.data_dir, id));
    spdlog::info("the output of session {} is dropped: those of its project "
                 "that have ended keep more than sessions.keep_output",
                 id);
  } catch (const std::exception& e) {
    // It counts no more, so that others do not go in its place.
    spdlog::error("the output of session {} cannot be dropped: {}", id,
                  e.what());
  }
}

void add(output_retention_pointer self,
         const std::vector<ended_session>& page) {
  auto& state = self->state;
  for (auto& one : page)
    if (!state.kept.knows(one))
      state.kept.add(one, size_of(session_dir(state.data_dir, one.id)));
  auto excess = state.kept.take_excess();
  for (auto& id : excess.outputs)
    drop(state, id);
  if (!excess.sessions.empty())
    self->send(state.retention, forget_sessions{std::move(excess.sessions)});
}

void look(output_retention_pointer self);

void take(output_retention_pointer self, const ended_list& page) {
  auto& state = self->state;
  add(self, page.sessions);
  if (!page.sessions.empty()) {
    state.next.ended_at = page.sessions.back().ended_at;
    state.next.id = page.sessions.back().id;
  }
  if (page.sessions.size() == state.next.limit)
    return look(self);
  // Once more what may have come late.
  state.newest = std::max(state.newest, state.next.ended_at);
  state.next.ended_at = std::max(state.newest - longest_end, unix_ms{0});
  state.next.id.clear();
  state.kept.forget_before(state.next.ended_at);
  self->delayed_send(self, output_retention_period, clock_tick{});
}

void look(output_retention_pointer self) {
  self->request(self->state.reader, store_timeout, self->state.next)
    .then([self](const ended_list& page) { take(self, page); },
          [self](const caf::error& e) {
            spdlog::warn("what has ended is not looked for: {}",
                         to_refusal(e).message);
            self->delayed_send(self, output_retention_period, clock_tick{});
          });
}

} // namespace

output_retention_actor::behavior_type
output_retention(output_retention_pointer self, std::filesystem::path data_dir,
                 ended_reader_actor reader, retention_actor retention,
                 std::uint64_t limit) {
  self->state.data_dir = std::move(data_dir);
  self->state.reader = std::move(reader);
  self->state.retention = std::move(retention);
  self->state.kept = ended_output{limit};
  self->send(self, clock_tick{});
  return {[self](const clock_tick&) { look(self); }};
}

} // namespace greenroom
