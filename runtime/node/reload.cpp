#include "runtime/node/reload.hpp"

#include "http/base/reply.hpp"
#include "messages/errors.hpp"
#include "runtime/auth/admin_key.hpp"
#include "runtime/config/changes.hpp"
#include "runtime/config/projects.hpp"
#include "runtime/node/logging.hpp"
#include "runtime/store/audit.hpp"

#include <caf/scoped_actor.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

namespace greenroom {

namespace {

constexpr std::chrono::seconds reload_timeout{10};

audit_entry entry_of(const reload_parts& to, const char* method,
                     const char* route, int status) {
  auto entry = store::unasked_entry(store::configuration_in_audit, to.node,
                                    method, route, now_ms());
  entry.status = static_cast<std::uint16_t>(status);
  return entry;
}

void keep_audit(const reload_parts& to, std::vector<audit_entry> entries) {
  if (entries.empty())
    return;
  caf::scoped_actor self{to.system};
  self->request(to.operations, reload_timeout, add_audit{std::move(entries)})
    .receive([](const done&) {},
             [](const caf::error& why) {
               spdlog::error("what the configuration has changed is not in the "
                             "audit: {}",
                             to_refusal(why).message);
             });
}

/// Adds what came of it. False: the project stays as it is.
bool set_project(const reload_parts& to, const project_record& project,
                 std::vector<audit_entry>& entries) {
  const caller by{{}, "the configuration file"};
  std::optional<refusal> why;
  auto done = [&](const project_record&) { why.reset(); };
  auto failed = [&](const caf::error& e) { why = to_refusal(e); };
  caf::scoped_actor self{to.system};
  self
    ->request(to.directory, reload_timeout,
              change_project{project.id, project_to_json(project).dump(), by})
    .receive(done, failed);
  const auto is_new = why && why->code == errc::not_found;
  if (is_new)
    self->request(to.directory, reload_timeout, create_project{project, by})
      .receive(done, failed);
  auto entry = is_new ? entry_of(to, "POST", "/projects", 201)
                      : entry_of(to, "PATCH", "/projects/{id}", 200);
  entry.project_id = project.id;
  if (why) {
    spdlog::error("project {} stays as it is: {}", project.id, why->message);
    entry.status = static_cast<std::uint16_t>(http::status_of(why->code));
    entry.code = code_name(why->code);
  } else {
    to.faults.remove(project.id);
  }
  entries.push_back(std::move(entry));
  return !why;
}

} // namespace

bool apply_changes(const reload_parts& to, const config& before,
                   const config& now) {
  set_log_level(now.log.level);
  bool all = true;
  std::vector<audit_entry> entries;
  for (auto& project : changed_projects(before, now))
    all = set_project(to, project, entries) && all;
  keep_audit(to, std::move(entries));
  for (auto& key : changes_that_wait(before, now))
    spdlog::warn("{} has changed, which holds once the node is started again",
                 key);
  spdlog::info("the configuration is read again");
  return all;
}

void renew_admin_key(const reload_parts& to, const config& now) {
  try {
    auto read = read_admin_key(now.auth.admin_key_file, to.data_dir);
    if (!to.keys.replace_admin(read.secret))
      return;
    spdlog::info("the administrator's key is another one, from {}",
                 read.source);
  } catch (const std::exception& e) {
    spdlog::error("the administrator's key stays as it was: {}", e.what());
    return;
  }
  // Who was let in by the one before is out; the key's name is the same.
  caf::scoped_actor self{to.system};
  self
    ->request(to.registry, reload_timeout,
              share_keys{std::string{admin_key_id}})
    .receive([](const done&) {}, [](const caf::error&) {});
  auto entry = entry_of(to, "PUT", "auth.admin_key_file", 200);
  entry.object = admin_key_id;
  keep_audit(to, {std::move(entry)});
}

} // namespace greenroom
