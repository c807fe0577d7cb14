// Who may open which preview: what has been set for the ports of sessions, and
// the links that were given out.
//
// Owned by the server, shared by its threads. Kept in `previews.json` in the
// session's directory, or where nodes share a store in that, for they go where
// the session goes; on disk before a change returns. Of a link only the hash of
// its token is kept. Bounds: max_ports and max_links a session, max_sessions in
// memory.
//
// What changes or loads waits for the disk, and is for threads that may. The
// rest does not, for a session that is loaded.
#pragma once

#include "http/proxy/preview_store.hpp"
#include "messages/records.hpp"

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

struct port_settings {
  std::optional<preview_access> access; // nullopt: as the project's are
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
inline constexpr std::size_t max_sessions = 4096;

class preview_settings {
public:
  explicit preview_settings(preview_store place);
  explicit preview_settings(std::filesystem::path data_dir);

  bool is_loaded(const std::string& session_id) const;

  /// Reads what is kept of the session, unless it is loaded. Throws
  /// std::system_error.
  void load(const std::string& session_id);

  /// The same, also where it is loaded, if other nodes may have changed it.
  void refresh(const std::string& session_id);

  port_settings of(const std::string& session_id, std::uint16_t port);

  /// Changes what is named and returns all of it. As add_link does, throws
  /// std::system_error where it cannot be written, and refused (overloaded)
  /// where there are too many.
  port_settings change(const std::string& session_id, std::uint16_t port,
                       std::optional<preview_access> access,
                       std::optional<std::string> label);
  void add_link(const std::string& session_id, preview_link link, unix_ms now);

  /// False: there is no such link of that port. Where it cannot be written the
  /// link is dead all the same, as long as this program runs.
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
    bool unsaved = false; // the disk has links that are none any more
  };

  session read(const std::string& session_id) const;
  std::shared_ptr<const session> loaded(const std::string& session_id);
  void put(const std::string& session_id, session what);
  void save(const std::string& session_id, const session& what) const;
  void load_alone(const std::string& session_id);
  void refresh_alone(const std::string& session_id);
  session newest(const std::string& session_id);

  const preview_store place_;
  std::mutex writing_; // one reads or writes there at a time
  mutable std::mutex guard_;
  std::unordered_map<std::string, std::shared_ptr<const session>>
    sessions_; // under guard
};

} // namespace greenroom::http::proxy
