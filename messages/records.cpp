#include "messages/records.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace greenroom {

namespace {

constexpr std::array<std::string_view, 7> session_names{
  "creating", "active",     "checking_in", "ended",
  "expired",  "terminated", "failed"};
constexpr std::array<std::string_view, 3> access_names{"token", "key",
                                                       "public"};
constexpr std::array<std::string_view, 2> expiry_names{"rescue", "checkin"};
constexpr std::array<std::string_view, 8> review_names{
  "queued", "running",  "approved", "rejected",
  "merged", "conflict", "stale",    "failed"};
constexpr std::array<std::string_view, 7> exec_names{
  "queued", "running", "exited", "signaled", "timed_out", "canceled", "lost"};

template <class Enum, std::size_t N>
bool find(const std::array<std::string_view, N>& names, std::string_view text,
          Enum& out) noexcept {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == text) {
      out = static_cast<Enum>(i);
      return true;
    }
  return false;
}

} // namespace

std::string_view to_string(preview_access access) noexcept {
  return access_names[static_cast<std::size_t>(access)];
}

bool parse(std::string_view text, preview_access& out) noexcept {
  return find(access_names, text, out);
}

bool is_protected(const project_record& project, std::string_view branch,
                  std::string_view default_branch) {
  return std::any_of(project.protected_branches.begin(),
                     project.protected_branches.end(), [&](const auto& one) {
                       return one == branch
                              || (one == default_branch_mark
                                  && branch == default_branch);
                     });
}

std::string to_words(const caller& by) {
  auto name = by.key_name.empty() ? by.key_id : by.key_name;
  auto text = name.empty() ? std::string{"a request"} : '"' + name + '"';
  if (!by.request_id.empty())
    text += " (request " + by.request_id + ')';
  return text;
}

std::string key_in_words(const std::string& id, const std::string& name) {
  if (name.empty() || name == id)
    return "key \"" + id + '"';
  return "key \"" + name + "\" (" + id + ')';
}

std::string mirror_name(const project_record& project) {
  if (project.incarnation == 0)
    return project.id;
  return project.id + '.' + std::to_string(project.incarnation);
}

std::string_view to_string(session_status status) noexcept {
  return session_names[static_cast<std::size_t>(status)];
}

bool parse(std::string_view text, session_status& out) noexcept {
  return find(session_names, text, out);
}

std::string_view to_string(on_expire what) noexcept {
  return expiry_names[static_cast<std::size_t>(what)];
}

bool parse(std::string_view text, on_expire& out) noexcept {
  return find(expiry_names, text, out);
}

std::string_view to_string(exec_status status) noexcept {
  return exec_names[static_cast<std::size_t>(status)];
}

bool parse(std::string_view text, exec_status& out) noexcept {
  return find(exec_names, text, out);
}

std::string_view to_string(review_status status) noexcept {
  return review_names[static_cast<std::size_t>(status)];
}

bool parse(std::string_view text, review_status& out) noexcept {
  return find(review_names, text, out);
}

std::size_t text_size(const exec_spec& spec) noexcept {
  auto result = spec.command.size();
  for (const auto& argument : spec.argv)
    result += argument.size() + 1;
  for (const auto& [name, value] : spec.env)
    result += name.size() + value.size() + 2;
  return result;
}

} // namespace greenroom
