// Git inside of a session, as its origin talks with it: the bytes of a socket.
//
// Blocks; whoever has the conversation owns the socket and the thread.
#pragma once

#include "runtime/base/fd.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace greenroom::http::git_http {

/// How long git inside may be silent.
inline constexpr std::chrono::seconds origin_silence{60};

struct origin_peer {
  using clock = std::chrono::steady_clock;

  /// Nobody is there any more, or does not speak git's protocol.
  struct gone {};

  int socket;
  clock::time_point end; // of it all, however little it says at a time

  // All below throw `gone`.

  void write(std::string_view text) const;

  /// No byte more: what follows may be for git.
  std::string read(std::size_t size) const;

  /// One packet as it is on the wire, of git's framing.
  std::string read_packet() const;

  /// From where the file stands.
  void send_file(int file, std::uint64_t size) const;

  /// Into a file without a name in `directory`, which stands at its start then.
  /// Throws std::system_error where that cannot be kept.
  unique_fd receive_file(std::uint64_t size,
                         const std::filesystem::path& directory) const;

private:
  void await(short what) const;
};

} // namespace greenroom::http::git_http
