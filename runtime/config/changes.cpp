#include "runtime/config/changes.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>

namespace greenroom {

namespace {

using nlohmann::ordered_json;

// What holds at once is no difference.
ordered_json comparable(const config& settings) {
  auto result = to_json(settings);
  result.erase("projects");
  result.at("log").erase("level");
  result.at("auth").erase("admin_key_file");
  return result;
}

void add_differences(const ordered_json& before, const ordered_json& now,
                     const std::string& path,
                     std::vector<std::string>& result) {
  if (before == now)
    return;
  if (!before.is_object() || !now.is_object() || before.size() != now.size()) {
    result.push_back(path);
    return;
  }
  for (auto& [name, value] : now.items())
    add_differences(before.value(name, ordered_json{}), value,
                    path.empty() ? name : path + '.' + name, result);
}

} // namespace

std::vector<project_record> changed_projects(const config& before,
                                             const config& now) {
  std::vector<project_record> result;
  std::ranges::copy_if(now.projects, std::back_inserter(result),
                       [&](const auto& project) {
                         return std::ranges::find(before.projects, project)
                                == before.projects.end();
                       });
  return result;
}

std::vector<std::string> changes_that_wait(const config& before,
                                           const config& now) {
  std::vector<std::string> result;
  add_differences(comparable(before), comparable(now), {}, result);
  return result;
}

} // namespace greenroom
