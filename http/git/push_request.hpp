// What a push wants: the commands at the head of its body, looked at before
// any of it reaches git.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http::git_http {

/// Commands and shallow boundaries of one push; more is refused.
inline constexpr std::size_t max_push_head = 128 * 1024;

struct push_command {
  std::string old_id;
  std::string new_id;
  std::string ref;
};

struct push_request {
  std::vector<push_command> commands;
  std::vector<std::string> capabilities; // that the client chose
  std::size_t size = 0;                  // of the commands, on the wire

  bool has(std::string_view capability) const noexcept;

  /// How much one packet of the side band may hold; 0: there is none.
  std::size_t side_band() const noexcept;
};

/// True for the id that stands for "no commit".
bool is_null_id(std::string_view id) noexcept;

/// Reads the commands that `body` begins with; nullopt where more has to come.
/// Throws bad_packet, or refused bad_request for what no git sends.
std::optional<push_request> read_push(std::string_view body);

/// Why this must not be done, as one sentence; nullopt: it moves the session's
/// branch and nothing else.
std::optional<std::string> fault_of(const push_request& push,
                                    std::string_view branch);

/// The answer that says so, in the form that git shows to its user.
std::string refusal_of(const push_request& push, std::string_view sentence);

} // namespace greenroom::http::git_http
