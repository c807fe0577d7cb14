#include "runtime/node/unread_projects.hpp"

#include "runtime/config/projects.hpp"
#include "runtime/store/nodes.hpp"
#include "runtime/store/projects.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace greenroom {

namespace {

bool is_served_here(const unread_projects_parts& parts, const std::string& id) {
  if (parts.node.empty())
    return true;
  auto owner = store::owner_of(**parts.db, {id, {}});
  return owner && owner->node == parts.node;
}

void serve(const unread_projects_parts& parts, const project_record& project) {
  spdlog::info("project {} can be read by now, it is served", project.id);
  caf::anon_send(parts.directory, adopt_project{project});
  auto wanted =
    std::ranges::find(parts.configured, project.id, &project_record::id);
  if (wanted != parts.configured.end())
    caf::anon_send(caf::actor_cast<directory_actor>(parts.directory),
                   change_project{wanted->id,
                                  project_to_json(*wanted).dump(),
                                  {{}, "the configuration file"}});
}

void look(const unread_projects_parts& parts,
          const std::vector<std::string>& waiting) {
  std::vector<store::unread_project> unread;
  auto all = store::projects(**parts.db, &unread);
  for (auto& id : waiting) {
    if (std::ranges::find(unread, id, &store::unread_project::id)
        != unread.end())
      continue;
    auto found = std::ranges::find(all, id, &project_record::id);
    if (found != all.end() && is_served_here(parts, id))
      serve(parts, *found);
    parts.faults->remove(id);
  }
}

} // namespace

unread_projects_actor::behavior_type
watch_unread_projects(unread_projects_actor::pointer self,
                      unread_projects_parts parts) {
  self->send(self, clock_tick{});
  return {
    [self, parts = std::move(parts)](const clock_tick&) {
      auto waiting = parts.faults->unread();
      if (waiting.empty())
        return;
      try {
        look(parts, waiting);
      } catch (const std::exception& e) {
        spdlog::debug("the projects cannot be looked at: {}", e.what());
      }
      self->delayed_send(self, unread_projects_period, clock_tick{});
    },
  };
}

} // namespace greenroom
