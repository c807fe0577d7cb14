// Connections of who has shown no key so far, which wait for a request, an
// answer or their end: they have less time than others, and give way to who
// shows one where there is no room.
//
// Of one thread, in the order in which they began to wait; so a look costs what
// is late, and not what is there.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <string_view>
#include <utility>

namespace greenroom::http {

class newcomers {
public:
  using clock = std::chrono::steady_clock;

  class connection {
  public:
    /// Its time is over.
    virtual void came_late() = 0;
    /// Ends it, and its place, if it is this client's (empty: any client's) and
    /// of use to nobody.
    virtual bool gives_way(std::string_view client) = 0;

  protected:
    ~connection() = default;
  };

  /// One that waits, for as long as this lives.
  class place {
  public:
    place(newcomers& of, connection& who)
      : of_(of), at_(of.all_.insert(of.all_.end(), {&who, clock::now()})) {}
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place() {
      of_.all_.erase(at_);
    }

  private:
    newcomers& of_;
    std::list<std::pair<connection*, clock::time_point>>::iterator at_;
  };

  std::size_t size() const noexcept {
    return all_.size();
  }

  /// Tells those that have waited for `timeout`, once each time.
  void look(clock::time_point now, clock::duration timeout) {
    for (auto i = all_.begin();
         i != all_.end() && now - i->second >= timeout;) {
      auto* late = i->first;
      ++i; // its place may go
      late->came_late();
    }
  }

  /// Tells the one that has waited longest.
  void hurry() {
    if (!all_.empty())
      all_.front().first->came_late();
  }

  /// Ends the one that has waited longest of this client's, or of all where
  /// `client` is empty. False: none was found.
  bool make_room(std::string_view client) {
    auto left = max_asked;
    for (auto i = all_.begin(); i != all_.end() && left > 0; --left) {
      auto* one = i->first;
      ++i; // its place may go
      if (one->gives_way(client))
        return true;
    }
    return false;
  }

private:
  /// Of many that may be other clients': a newcomer must not cost much.
  static constexpr int max_asked = 1'000;

  std::list<std::pair<connection*, clock::time_point>> all_;
};

} // namespace greenroom::http
