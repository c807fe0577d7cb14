#include "runtime/node/configured_projects.hpp"

#include "messages/errors.hpp"
#include "messages/time.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/store/audit.hpp"
#include "runtime/store/projects.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace greenroom {

namespace {

// What is set stays set where its entry cannot be kept.
void note_in_audit(store::connection& db, const config& settings,
                   const std::string& project_id, bool is_new) {
  auto entry =
    store::unasked_entry(store::configuration_in_audit, settings.node.name,
                         is_new ? "POST" : "PATCH",
                         is_new ? "/projects" : "/projects/{id}", now_ms());
  entry.project_id = project_id;
  entry.status = is_new ? 201 : 200;
  try {
    store::add_audit(db, {&entry, 1});
  } catch (const std::exception& e) {
    spdlog::error("what the configuration has made of project {} is not in the "
                  "audit: {}",
                  project_id, e.what());
  }
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

// Nothing: it is as the file says. A store that fails is no fault of the
// project's.
std::optional<refusal> fault_of(store::connection& db, const config& settings,
                                const project_record& wanted,
                                const std::string& as,
                                const std::vector<project_record>& before) {
  try {
    configure(db, settings, wanted, as, before);
    return std::nullopt;
  } catch (const store::unavailable&) {
    throw;
  } catch (const refused& e) {
    return refusal{e.code(), e.what()};
  } catch (const store::unreadable& e) {
    return refusal{errc::internal, e.what()};
  }
}

} // namespace

void project_faults::set(std::vector<project_fault> faults) {
  std::lock_guard guard{mutex_};
  faults_ = std::move(faults);
}

void project_faults::remove(const std::string& project_id) {
  std::lock_guard guard{mutex_};
  std::erase_if(faults_, [&](const project_fault& one) {
    return one.project_id == project_id;
  });
}

std::vector<std::string> project_faults::unread() const {
  std::lock_guard guard{mutex_};
  std::vector<std::string> result;
  for (auto& one : faults_)
    if (one.unread)
      result.push_back(one.project_id);
  return result;
}

std::vector<std::string> project_faults::texts() const {
  std::lock_guard guard{mutex_};
  std::vector<std::string> result;
  for (auto& one : faults_)
    result.push_back(one.text);
  return result;
}

configured_projects configure_projects(store::connection& db,
                                       const config& settings,
                                       bool in_cluster) {
  configured_projects result;
  const auto before = store::projects(db);
  const auto as = in_cluster ? settings.node.name : std::string{};
  for (auto& project : settings.projects) {
    auto why = fault_of(db, settings, project, as, before);
    if (!why)
      continue;
    if (in_cluster && why->code == errc::unavailable) {
      spdlog::info("what the configuration file says of project {} holds once "
                   "it is this node's: {}",
                   project.id, why->message);
      result.of_others.push_back(project);
    } else {
      result.faults.push_back(
        {project.id,
         "project " + project.id
           + " is not as the configuration file says: " + why->message});
    }
  }
  std::vector<store::unread_project> unread;
  result.projects = store::projects(db, &unread);
  for (auto& one : unread)
    result.faults.push_back(
      {one.id, "a project is not served, and its sessions wait: " + one.why,
       true});
  for (auto& fault : result.faults)
    spdlog::error("{}", fault.text);
  return result;
}

} // namespace greenroom
