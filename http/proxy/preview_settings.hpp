// Who may open which preview: what has been set for the ports of sessions, and
// the links that were given out.
//
// Owned by the server, shared by its threads. Kept in `previews.json` in the
// session's directory, read when a session is first asked for and handed to the
// kernel before a change is answered. Of a link only the hash of
// its token is kept. Bounds: max_ports and max_links a session.
#pragma once

#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace greenroom::http::proxy {

enum class preview_access : std::uint8_t {
  token,       // a link's cookie, or an API key
  key,         // an API key only
  public_view, // anybody
};

std::string_view to_string(preview_access access) noexcept;
std::optional<preview_access> preview_access_from(std::string_view text);

struct port_settings {
  preview_access access = preview_access::token;
  std::string label;
};

struct preview_link {
  std::string id;
  std::uint16_t port = 0;
  std::string token_hash; // SHA-256, 64 hex digits
  std::string key_id;     // of the key that made it
  unix_ms expires_at = 0;
};

inline constexpr std::size_t max_ports = 256;
inline constexpr std::size_t max_links = 256;

class preview_settings {
public:
  explicit preview_settings(std::filesystem::path data_dir);

  port_settings of(const std::string& session_id, std::uint16_t port);

  /// Throw std::system_error where it cannot be written, and refused
  /// (overloaded) where there are too many.
  void set(const std::string& session_id, std::uint16_t port,
           port_settings what);
  void add_link(const std::string& session_id, preview_link link, unix_ms now);

  /// False: there is no such link of that port.
  bool remove_link(const std::string& session_id, std::uint16_t port,
                   std::string_view link_id);

  /// The link that a token opens, where it is not over.
  std::optional<preview_link> find_link(const std::string& session_id,
                                        std::uint16_t port,
                                        std::string_view token, unix_ms now);

  /// Whether a link is still there.
  bool is_valid(const std::string& session_id, const preview_link& link,
                unix_ms now);

private:
  struct session {
    std::map<std::uint16_t, port_settings> ports;
    std::vector<preview_link> links;
  };

  session& load(const std::string& session_id);
  void save(const std::string& session_id, const session& what) const;

  const std::filesystem::path data_dir_;
  std::mutex guard_;
  std::unordered_map<std::string, session> sessions_; // under guard
};

} // namespace greenroom::http::proxy
