#include "runtime/node/reload.hpp"

#include "messages/errors.hpp"
#include "runtime/config/changes.hpp"
#include "runtime/config/projects.hpp"
#include "runtime/node/logging.hpp"

#include <caf/scoped_actor.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>

namespace greenroom {

namespace {

constexpr std::chrono::seconds store_timeout{10};

bool set_project(caf::actor_system& system, const directory_actor& directory,
                 const project_record& project) {
  const caller by{{}, "the configuration file"};
  std::optional<refusal> why;
  auto done = [&](const project_record&) { why.reset(); };
  auto failed = [&](const caf::error& e) { why = to_refusal(e); };
  caf::scoped_actor self{system};
  self
    ->request(directory, store_timeout,
              change_project{project.id, project_to_json(project).dump(), by})
    .receive(done, failed);
  if (why && why->code == errc::not_found)
    self->request(directory, store_timeout, create_project{project, by})
      .receive(done, failed);
  if (why)
    spdlog::error("project {} stays as it is: {}", project.id, why->message);
  return !why;
}

} // namespace

bool apply_changes(caf::actor_system& system, const directory_actor& directory,
                   const config& before, const config& now) {
  set_log_level(now.log.level);
  bool all = true;
  for (auto& project : changed_projects(before, now))
    all = set_project(system, directory, project) && all;
  for (auto& key : changes_that_wait(before, now))
    spdlog::warn("{} has changed, which holds once the node is started again",
                 key);
  spdlog::info("the configuration is read again");
  return all;
}

} // namespace greenroom
