// What git and git-lfs inside of a session ask of its origin: the first packet
// of a conversation, as git sends it to `git daemon`.
//
// Whatever runs in a session may send it: nothing is trusted.
#pragma once

#include "runtime/git/session/git_service.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http::git_http {

/// The longest path that is looked for.
inline constexpr std::size_t max_origin_path = 4096;

enum class origin_verb : std::uint8_t {
  fetch,
  push,
  get_contents,
  bring_contents,
};

struct origin_wish {
  origin_verb what = origin_verb::fetch;
  std::string path;     // with contents of Git LFS "OID SIZE"
  std::string protocol; // of Git-Protocol's form
};

/// Reads a packet's payload; nullopt for what no git sends.
std::optional<origin_wish> read_origin_wish(std::string_view payload);

/// Reads "OID SIZE"; nullopt for anything else.
std::optional<git::lfs_object> read_lfs_wish(std::string_view text);

} // namespace greenroom::http::git_http
