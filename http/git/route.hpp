// What a request for git is about: its path, and the token it shows.
//
// Nothing is decoded: the paths that git makes of our clone URLs have nothing
// to decode, and whatever else is asked for is not there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http::git_http {

enum class service : std::uint8_t { upload_pack, receive_pack };

/// "upload-pack" or "receive-pack".
std::string_view name_of(service what) noexcept;

struct git_route {
  std::string project_id;
  std::string session_id;
  bool advertise = false; // …/info/refs
  // nullopt: …/info/refs without one that we know, the dumb protocol
  std::optional<git_http::service> service;
  std::string lfs; // what follows …/info/lfs/, of Git LFS; empty: nothing
};

/// nullopt: there is nothing of that name.
std::optional<git_route> read_route(std::string_view target);

/// The token in `Basic …` (as the password, whatever the user's name) or
/// `Bearer …`; empty where there is none of the form that ours have.
std::string token_of(std::string_view authorization);

/// The Git-Protocol header as it may be handed to git; empty for an odd one.
std::string_view sane_protocol(std::string_view sent) noexcept;

/// True where it is protocol 2.
bool speaks_v2(std::string_view protocol);

} // namespace greenroom::http::git_http
