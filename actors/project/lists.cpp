#include "actors/project/lists.hpp"

#include "messages/errors.hpp"
#include "messages/left_work.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace greenroom {

// Running execs are known to the supervisor only; the rest is in the store.
void list_sessions_of(project_pointer self, list_sessions request,
                      caf::typed_response_promise<session_page> promise) {
  auto fail = [promise](caf::error& e) mutable {
    promise.deliver(std::move(e));
  };
  self
    ->request(self->state.context->reader, look_up_timeout,
              query_sessions{self->state.rules.id, std::move(request)})
    .then(
      [self, promise, fail](session_rows& rows) mutable {
        auto page = std::make_shared<session_page>();
        page->next_cursor = std::move(rows.next_cursor);
        get_loads live;
        for (auto& row : rows.sessions) {
          if (is_live(row.status))
            live.session_ids.push_back(row.id);
          page->sessions.push_back({std::move(row), 0});
        }
        self->request(self->state.supervisor, look_up_timeout, std::move(live))
          .then(
            [page, promise](session_loads& loads) mutable {
              auto load = loads.running_execs.begin();
              for (auto& entry : page->sessions)
                if (is_live(entry.session.status)
                    && load != loads.running_execs.end())
                  entry.running_execs = *load++;
              promise.deliver(std::move(*page));
            },
            fail);
      },
      fail);
}

namespace {

// What lies on this node's disk, and what the store says of others': a session
// may have ended there before the project came here.
kept_sessions kept_among(const node_context& context,
                         std::vector<session_record> rows,
                         const kept_files_list& found) {
  kept_sessions result;
  auto is_elsewhere = [&](const session_record& row) {
    return context.cluster && row.node != context.node;
  };
  for (auto& row : rows) {
    auto files =
      std::ranges::find(found.sessions, row.id, &kept_files::session_id);
    if (files != found.sessions.end())
      result.sessions.push_back({std::move(row), files->bytes});
    else if (is_elsewhere(row) && names_left_work(row))
      result.sessions.push_back({std::move(row), 0});
  }
  return result;
}

} // namespace

void list_kept_of(project_pointer self,
                  caf::typed_response_promise<kept_sessions> promise) {
  auto fail = [promise](caf::error& e) mutable {
    promise.deliver(std::move(e));
  };
  self
    ->request(self->state.context->reader, look_up_timeout,
              query_sessions{self->state.rules.id, {}})
    .then(
      [self, promise, fail](session_rows& rows) mutable {
        std::erase_if(rows.sessions,
                      [](const auto& row) { return is_live(row.status); });
        measure_kept which{self->state.rules, {}};
        for (auto& row : rows.sessions)
          which.session_ids.push_back(row.id);
        self->request(self->state.context->git, git_timeout, std::move(which))
          .then(
            [self, promise,
             rows = std::move(rows)](const kept_files_list& found) mutable {
              promise.deliver(kept_among(*self->state.context,
                                         std::move(rows.sessions), found));
            },
            fail);
      },
      fail);
}

} // namespace greenroom
