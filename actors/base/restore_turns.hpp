// Whose turn it is to have a checkout made again from its checkpoint, on a node
// that has taken sessions over: a few at a time, in the order in which they
// lined up, those first that somebody waits for. For these there is room beside
// the others, so that they wait for nobody else's; and no project has all of
// the room, so that one whose upstream is slow holds up no other.
//
// Owned by the session supervisor and by the places in line; any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace greenroom {

class restore_turns : public std::enable_shared_from_this<restore_turns> {
public:
  /// Turns at a time.
  struct limits {
    std::size_t all = 2;
    std::size_t of_project = 2;
    std::size_t more_if_urgent = 2;            // beside all
    std::size_t more_of_project_if_urgent = 1; // beside of_project
  };

private:
  struct entry {
    std::string project_id;
    bool urgent = false;
    bool granted = false;
    std::function<void()> wake;
  };
  using line = std::list<entry>;

public:
  /// A place in line, and the turn that comes of it, until it is destroyed.
  class place {
  public:
    place(std::shared_ptr<restore_turns> in, line::iterator where)
      : in_(std::move(in)), where_(where) {}
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place();

    /// Others let it pass from now on.
    void hurry();
    bool is_granted() const;

  private:
    std::shared_ptr<restore_turns> in_;
    line::iterator where_;
  };

  explicit restore_turns(limits rules) : limits_(rules) {}

  /// Calls `wake` once, when the turn has come: in any thread, perhaps before
  /// this returns. It must not call this object.
  std::unique_ptr<place> line_up(std::string project_id, bool urgent,
                                 std::function<void()> wake);

  /// While `busy` only those get a turn that somebody waits for.
  void set_busy(bool busy);

private:
  bool has_room(const entry& one) const;
  void grant_if(bool urgent);
  void grant();
  void leave(line::iterator where);

  const limits limits_;
  mutable std::mutex mutex_;
  line line_; // under mutex_, as all that follows
  std::size_t granted_ = 0;
  std::map<std::string, std::size_t> granted_of_; // by project
  bool busy_ = false;
};

} // namespace greenroom
