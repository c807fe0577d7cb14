#include "runtime/config/projects.hpp"

#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/config/project_schema.hpp"
#include "runtime/config/value_types.hpp"

namespace greenroom {

namespace {

using nlohmann::json;
using project_table = std::vector<key<project_record>>;

// What a PATCH may name: `status` stands for the record's `stopped`.
const project_table& change_keys() {
  static const auto table = [] {
    auto result = project_keys();
    result.push_back(describe<project_record>(
      "status", kinds::one_of<bool>{{{"running", false}, {"stopped", true}}},
      [](auto& p) -> auto& { return p.stopped; },
      "Whether new sessions are admitted."));
    return result;
  }();
  return table;
}

// What it is, and how its sessions begin.
project_table basic_keys() {
  using namespace kinds;
  return {
    describe<project_record>(
      "id",
      text{"a project id: 1 to 63 lower-case letters, digits and inner "
           "hyphens",
           is_project_id},
      [](auto& p) -> auto& { return p.id; }, "The name in all paths."),
    describe<project_record>(
      "repo",
      private_text{{"a path or a URL of a repository, without credentials",
                    is_repository}},
      [](auto& p) -> auto& { return p.repo; }, "The upstream repository."),
    describe<project_record>(
      "default_branch", text_or_null{{"a branch name", is_branch_name}},
      [](auto& p) -> auto& { return p.default_branch; },
      "Where new branches start; null: the one of the upstream's HEAD."),
    describe<project_record>(
      "protected_branches",
      marked_list{{"branch names", is_branch_name}, default_branch_mark},
      [](auto& p) -> auto& { return p.protected_branches; },
      "Branches that no session may check out; null: the default branch."),
    describe<project_record>(
      "max_active_sessions", whole{1, 10'000},
      [](auto& p) -> auto& { return p.max_active_sessions; },
      "How many sessions may live at once."),
    describe<project_record>(
      "env", environment{}, [](auto& p) -> auto& { return p.env; },
      "Environment variables of every command."),
    describe<project_record>(
      "setup", text_or_null{{"a shell command", is_script}},
      [](auto& p) -> auto& { return p.setup; },
      "Run as the first command of a new session, under the exec id setup.")};
}

// How its check-ins are reviewed.
project_table review_keys() {
  using namespace kinds;
  return {describe<project_record>(
            "review.command", text_or_null{{"a shell command", is_script}},
            [](auto& p) -> auto& { return p.review.command; },
            "Reviews what is checked in; null: a person decides."),
          describe<project_record>(
            "review.timeout", duration{1000, one_day},
            [](auto& p) -> auto& { return p.review.timeout; },
            "How long a review may take."),
          describe<project_record>(
            "review.required", flag{},
            [](auto& p) -> auto& { return p.review.required; },
            "Whether a protected branch moves only to what was reviewed.")};
}

// Who sees what runs in its sessions.
project_table preview_keys() {
  using namespace kinds;
  return {
    describe<project_record>(
      "preview.access",
      one_of<preview_access>{{{"token", preview_access::token},
                              {"key", preview_access::key},
                              {"public", preview_access::public_view}}},
      [](auto& p) -> auto& { return p.preview.access; },
      "Who sees ports that say nothing of it: who has a link, who has an API "
      "key, or all."),
    describe<project_record>(
      "preview.rewrite_origin", flag{},
      [](auto& p) -> auto& { return p.preview.rewrite_origin; },
      "Whether an app sees its own pages' Origin as its local address."),
    describe<project_record>(
      "preview.preflights", flag{},
      [](auto& p) -> auto& { return p.preview.preflights; },
      "Whether CORS preflights, which carry no key, reach the apps.")};
}

// Which nodes have its sessions.
project_table placement_keys() {
  using namespace kinds;
  return {
    describe<project_record>(
      "on_node_loss",
      one_of<node_loss>{{{"replace", node_loss::replace},
                         {"wait", node_loss::wait},
                         {"stop", node_loss::stop}}},
      [](auto& p) -> auto& { return p.placement.on_loss; },
      "Whether another node goes on with sessions whose node is lost, they "
      "wait for that node, or another ends them and keeps their work."),
    describe<project_record>(
      "node_loss_delay", duration_or_null{{1000, one_day}},
      [](auto& p) -> auto& { return p.placement.delay; },
      "How long a lost node may take to come back before that; null: no "
      "longer than its lease."),
    describe<project_record>(
      "node_labels", labels{},
      [](auto& p) -> auto& { return p.placement.labels; },
      "What a node has to have in cluster.labels to be given the project.")};
}

} // namespace

const std::vector<key<project_record>>& project_keys() {
  static const auto table = [] {
    project_table all;
    for (auto& part :
         {basic_keys(), review_keys(), preview_keys(), placement_keys()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return table;
}

project_record read_project(const json& fields, const std::string& prefix) {
  project_record result;
  read_keys(project_keys(), fields, result, prefix);
  for (const char* needed : {"id", "repo"})
    if (!fields.contains(needed))
      throw key_error(prefix + needed
                      + " is missing: a project needs an id "
                        "and a repo");
  if (!fields.contains("protected_branches"))
    result.protected_branches = {default_branch_mark};
  return result;
}

project_record project_from_json(const json& fields) {
  if (!fields.is_object())
    refuse("a project must be a JSON object");
  try {
    return read_project(fields, {});
  } catch (const key_error& e) {
    refuse(e.what());
  }
}

nlohmann::ordered_json project_to_json(const project_record& project) {
  return write_keys(project_keys(), project);
}

project_record changed_project(const project_record& project,
                               std::string_view fields) {
  auto parsed = json::parse(fields, nullptr, false);
  if (!parsed.is_object())
    refuse("invalid request body");
  auto result = project;
  try {
    read_keys(change_keys(), parsed, result, {});
  } catch (const key_error& e) {
    refuse(e.what());
  }
  if (result.id != project.id)
    refuse("id cannot be changed; make a new project");
  return result;
}

} // namespace greenroom
