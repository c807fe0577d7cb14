#include "runtime/node/configured_projects.hpp"

#include "messages/errors.hpp"
#include "messages/time.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/store/audit.hpp"
#include "runtime/store/projects.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom {

namespace {

void note_in_audit(store::connection& db, const config& settings,
                   const std::string& project_id, bool is_new) {
  auto entry =
    store::unasked_entry(store::configuration_in_audit, settings.node.name,
                         is_new ? "POST" : "PATCH",
                         is_new ? "/projects" : "/projects/{id}", now_ms());
  entry.project_id = project_id;
  entry.status = is_new ? 201 : 200;
  store::add_audit(db, {&entry, 1});
}

void configure(store::connection& db, const config& settings,
               const project_record& wanted, const std::string& as,
               const std::vector<project_record>& before) {
  auto now = store::configure_project(db, wanted, as);
  auto was = std::ranges::find(before, wanted.id, &project_record::id);
  if (was == before.end() || *was != now)
    note_in_audit(db, settings, wanted.id, was == before.end());
  if (now.repo != wanted.repo)
    spdlog::error("project {} keeps its repo {} for now: it has live sessions "
                  "or open reviews of it; when they have ended, start the "
                  "server again",
                  wanted.id, git::without_credentials(now.repo));
}

// True where another node has it.
bool is_of_another(const std::exception& why, bool in_cluster) {
  const auto* refusal = dynamic_cast<const refused*>(&why);
  return in_cluster && refusal != nullptr
         && refusal->code() == errc::unavailable;
}

} // namespace

configured_projects configure_projects(store::connection& db,
                                       const config& settings,
                                       bool in_cluster) {
  configured_projects result;
  const auto before = store::projects(db);
  for (auto& project : settings.projects)
    try {
      configure(db, settings, project, in_cluster ? settings.node.name : "",
                before);
    } catch (const store::unavailable&) {
      throw;
    } catch (const std::exception& e) {
      if (is_of_another(e, in_cluster)) {
        spdlog::info("what the configuration file says of project {} holds "
                     "once it is this node's: {}",
                     project.id, e.what());
        result.of_others.push_back(project);
      } else {
        result.faults.push_back("project " + project.id
                                + " is not as the configuration file says: "
                                + e.what());
      }
    }
  std::vector<std::string> unreadable;
  result.projects = store::projects(db, &unreadable);
  for (auto& why : unreadable)
    result.faults.push_back("a project is not served, and its sessions wait: "
                            + std::move(why));
  for (auto& fault : result.faults)
    spdlog::error("{}", fault);
  return result;
}

} // namespace greenroom
