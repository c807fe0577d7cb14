// Sessions that come from other nodes with their project, and go there.
#include "actors/supervisor_parts.hpp"

#include "actors/runner_link/link.hpp"

#include <caf/actor_cast.hpp>
#include <spdlog/spdlog.h>

#include <string>
#include <vector>

namespace greenroom::supervisor {

// The store has given the project's live sessions to this node with it.
void adopt(pointer self, const project_record& project) {
  self->state.projects[project.id] = project;
  look_for_stranded_in(self, project.id, now_ms());
}

// Whoever owns them now has their records: these actors only go, and what they
// started goes with them.
void release(pointer self, const std::string& project_id) {
  auto& state = self->state;
  state.projects.erase(project_id);
  for (auto& [id, entry] : state.children) {
    if (entry.project_id != project_id)
      continue;
    spdlog::warn("session {} is another node's now, it ends here", id);
    if (entry.handle)
      self->send_exit(entry.handle, caf::exit_reason::user_shutdown);
    if (state.context->runners != nullptr)
      state.context->runners->stop(id, runner_user_actor{});
  }
}

void stop_runners(pointer self) {
  auto& state = self->state;
  if (state.context->runners == nullptr)
    return;
  for (auto& [id, entry] : state.children)
    if (entry.handle)
      state.context->runners->stop(
        id, caf::actor_cast<runner_user_actor>(entry.handle));
}

} // namespace greenroom::supervisor
