#include "runtime/auth/scopes.hpp"

#include <algorithm>

namespace greenroom {

bool is_scope(std::string_view text) noexcept {
  return std::ranges::find(all_scopes, text) != all_scopes.end();
}

bool has_any(const key_record& key,
             std::span<const std::string_view> scopes) noexcept {
  return std::ranges::find_first_of(key.scopes, scopes) != key.scopes.end();
}

bool allows_project(const key_record& key,
                    std::string_view project_id) noexcept {
  return key.projects.empty()
         || std::ranges::find(key.projects, project_id) != key.projects.end();
}

} // namespace greenroom
