// How many commands run or wait in the sessions of this node, and how many of
// one key or project may.
//
// A session says its number as it is whenever that changes, so none stays
// counted that is gone; a command that is let in counts from that moment. A
// key's are those of the sessions that it has made. Owned by the node's
// context; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace greenroom {

class exec_loads {
public:
  /// 0: no limit.
  struct limits {
    std::uint32_t of_key = 0;
    std::uint32_t of_project = 0;
  };
  struct whose {
    std::string session_id;
    std::string project_id;
    std::string key_id;
  };

  explicit exec_loads(limits rules) : limits_(rules) {}

  /// Lets one more command in. Else says why not, for the user; `key_name` is
  /// that of the session's key, where it is known.
  std::string admit(const whose& session, const std::string& key_name = {});

  struct load {
    std::uint32_t all = 0; // that run or wait
    std::uint32_t running = 0;
    friend bool operator==(const load&, const load&) = default;
  };

  /// The session has so many; none: it is forgotten.
  void set(const whose& session, const load& what);

  std::uint32_t running_in(const std::string& session_id) const;
  std::uint64_t running() const;

private:
  struct entry {
    whose of;
    load now;
  };

  template <class Field>
  std::string fault(const std::string& who, const std::string& id, Field field,
                    std::uint32_t limit, const char* setting) const;

  const limits limits_;
  mutable std::mutex mutex_;
  std::map<std::string, entry> loads_; // by session; under mutex_
};

} // namespace greenroom
