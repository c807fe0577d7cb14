// What a key may do, and where.
//
// A route names the scopes of which any one will do; a key holds some. `admin`
// implies nothing by itself: the routes that it opens name it.
#pragma once

#include "messages/records.hpp"

#include <array>
#include <span>
#include <string_view>

namespace greenroom {

namespace scope {

inline constexpr std::string_view sessions_read = "sessions:read";
inline constexpr std::string_view sessions_execute = "sessions:execute";
inline constexpr std::string_view projects_read = "projects:read";
inline constexpr std::string_view projects_execute = "projects:execute";
inline constexpr std::string_view metrics_read = "metrics:read";
inline constexpr std::string_view admin = "admin";

} // namespace scope

inline constexpr std::array<std::string_view, 6> all_scopes{
  scope::sessions_read,    scope::sessions_execute, scope::projects_read,
  scope::projects_execute, scope::metrics_read,     scope::admin};

bool is_scope(std::string_view text) noexcept;

/// True if the key holds at least one of `scopes`.
bool has_any(const key_record& key,
             std::span<const std::string_view> scopes) noexcept;

/// True if the key is not limited to other projects.
bool allows_project(const key_record& key,
                    std::string_view project_id) noexcept;

} // namespace greenroom
